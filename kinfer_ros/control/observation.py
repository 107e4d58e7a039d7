"""Fills the policy's inputs from the sensor frame, the command and the time.

Without this module the order of joints in a policy file would have to be that of the robot.
Meaning of each input: kinfer's format, docs/policies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError

Float32 = NDArray[np.float32]


class Observation:
    """
    Writes one tick's observation into the policy's bound input buffers.

    Which input takes what is decided once, here; `fill` only copies.
    """

    def __init__(
        self,
        inputs: Mapping[str, Float32],
        frame: SensorFrame,
        joints: NDArray[np.intp],
        command: CommandVector,
    ) -> None:
        """
        :param inputs: the policy's live buffers, by input name, without the carry.
        :param joints: place of each of the policy's joints in the robot's order.
        :raises ContractError: an input that has no source.
        """
        self._frame = frame
        self._joints = joints
        self._position = np.zeros(len(joints))
        self._velocity = np.zeros(len(joints))
        sources = {
            'joint_angles': self._position,
            'joint_angular_velocities': self._velocity,
            'projected_gravity': frame.gravity,
            'accelerometer': frame.accel,
            'gyroscope': frame.gyro,
            'quaternion': frame.quaternion,
            'command': command.value,
        }
        self._copies = [(inputs[name], sources[name]) for name in inputs if name in sources]
        self._time = inputs.get('time')
        self._heading = inputs.get('initial_heading')
        unknown = [n for n in inputs if n not in (*sources, 'time', 'initial_heading')]
        if unknown:
            raise ContractError(
                f'policy inputs without a source: {unknown}; this robot gives '
                f'{[*sources, "time", "initial_heading"]}'
            )

    def reset(self) -> None:
        """Start of a run: the heading now is the initial heading."""
        if self._heading is not None:
            self._heading[0] = self._frame.yaw

    def fill(self, seconds: float) -> None:
        """Write the observation; `seconds` is the time since the run started."""
        np.take(self._frame.position, self._joints, out=self._position)
        np.take(self._frame.velocity, self._joints, out=self._velocity)
        for buffer, source in self._copies:
            buffer[...] = source
        if self._time is not None:
            self._time[0] = seconds
