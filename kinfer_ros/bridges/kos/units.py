"""Robot joints to KOS actuators and back: ids, degrees, offset and sign.

The bridge uses rad in the robot's joint order, KOS degrees by actuator id.
"""

from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot

_DEGREES = 180.0 / np.pi
MAX_NAMED = 6
"""Joints that a message names; the others are counted."""


class JointUnits:
    """
    The conversions of one robot: hardware = sign * joint + offset, in degrees.

    :raises ConfigError: a joint has no id in the robot YAML.
    """

    def __init__(self, robot: Robot) -> None:
        without = [joint.name for joint in robot.joints if joint.id is None]
        if without:
            raise ConfigError(
                f'robot file {robot.path}: found no id for {", ".join(without)}; expected the '
                'id of the KOS actuator at each joint, as in config/robots/kbot.yaml (`python -m '
                'kinfer_ros robot from-kos-metadata` writes such a file)'
            )
        self.names = robot.joint_names
        self.ids = tuple(int(joint.id) for joint in robot.joints if joint.id is not None)
        self._name_of = dict(zip(self.ids, self.names, strict=True))
        self._sign = np.array([joint.sign for joint in robot.joints], np.float64)
        self._offset = np.array([joint.offset for joint in robot.joints], np.float64)

    def name(self, actuator_id: int) -> str:
        """Return the name of an actuator in messages: its joint and its id."""
        return f'{self._name_of.get(actuator_id, "no joint of the robot")} (id {actuator_id})'

    def format_names(self, actuator_ids: Sequence[int]) -> str:
        """Return the names of some actuators in messages."""
        more = len(actuator_ids) - MAX_NAMED
        names = ', '.join(self.name(each) for each in actuator_ids[:MAX_NAMED])
        return f'{names} and {more} more' if more > 0 else names

    def to_degrees(self, position: Float64) -> list[float]:
        """Turn joint positions [N] rad into actuator positions in degrees."""
        return list(((position * self._sign + self._offset) * _DEGREES).tolist())

    def position(self, degrees: Sequence[float]) -> Float64:
        """Turn actuator positions [N] degrees into joint positions in rad."""
        return (np.array(degrees, np.float64) / _DEGREES - self._offset) * self._sign

    def velocity(self, degrees: Sequence[float]) -> Float64:
        """Turn actuator velocities [N] degrees/s into joint velocities in rad/s."""
        return np.array(degrees, np.float64) / _DEGREES * self._sign

    def effort(self, torque: Sequence[float]) -> Float64:
        """Turn actuator torques [N] Nm into joint torques in Nm."""
        return np.array(torque, np.float64) * self._sign
