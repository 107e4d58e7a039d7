"""Robot joints to Unitree's motors and back: places, offset and sign."""

from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot

WORD = np.dtype('<f4')


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
        # One look-up in place of one for each field: all of them are 4 bytes, at multiples of 4.
        motor: Any = family.state['motor_state'].base
        starts = [motor.fields[name][1] // 4 for name in ('q', 'dq', 'tau_est')]
        self._words = np.add.outer(starts, self.places * (motor.itemsize // 4))
        self._sign = np.array([joint.sign for joint in robot.joints], np.float64)
        self._offset = np.array([joint.offset for joint in robot.joints], np.float64)

    def read(self, motors: Any, field: str) -> Float64:
        """Return a field of the motors [places], in the robot's order [N]."""
        return np.asarray(motors[field][self.places], np.float64)

    def to_motors(self, position: Float64) -> Float64:
        """Turn joint positions [N] rad into those of the motors."""
        return position * self._sign + self._offset

    def joints(self, motors: Any) -> Float64:
        """Return positions rad, velocities rad/s and torques Nm of the joints, [3, N]."""
        rows: Float64 = motors.view(WORD)[self._words].astype(np.float64)
        rows[0] -= self._offset
        rows *= self._sign
        return rows
