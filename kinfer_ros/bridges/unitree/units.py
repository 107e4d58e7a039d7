"""Robot joints to Unitree's motors and back: places, offset and sign."""

from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot


class MotorUnits:
    """
    The conversions of one robot: hardware = sign * joint + offset, in rad.

    :raises ConfigError: a joint has no place in the robot YAML, or one that the messages lack.
    """

    def __init__(self, robot: Robot, family: Family) -> None:
        wrong = [
            f'{joint.name} ({"none" if joint.id is None else joint.id})'
            for joint in robot.joints
            if joint.id is None or joint.id >= family.places
        ]
        if wrong:
            raise ConfigError(
                f'robot file {robot.path}: found the id of {", ".join(wrong)}, expected the place '
                f"of the joint's motor in unitree_{family.name}'s lowcmd, 0 to "
                f'{family.places - 1}, as in config/robots/g1.yaml'
            )
        self.names = robot.joint_names
        self.places = np.array([joint.id for joint in robot.joints], np.intp)
        self._sign = np.array([joint.sign for joint in robot.joints], np.float64)
        self._offset = np.array([joint.offset for joint in robot.joints], np.float64)

    def read(self, motors: Any, field: str) -> Float64:
        """Return a field of the motors [places], in the robot's order [N]."""
        return np.asarray(motors[field][self.places], np.float64)

    def to_motors(self, position: Float64) -> Float64:
        """Turn joint positions [N] rad into those of the motors."""
        return position * self._sign + self._offset

    def position(self, motors: Any) -> Float64:
        """Return joint positions [N] rad."""
        return (self.read(motors, 'q') - self._offset) * self._sign

    def velocity(self, motors: Any) -> Float64:
        """Return joint velocities [N] rad/s."""
        return self.read(motors, 'dq') * self._sign

    def effort(self, motors: Any) -> Float64:
        """Return joint torques [N] Nm."""
        return self.read(motors, 'tau_est') * self._sign
