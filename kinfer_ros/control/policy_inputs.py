"""Fills the policy's inputs from the sensor frame, the command and the time.

Without this module the order of joints in a policy file would have to be that of the robot.
Meaning of each input: kinfer's format, docs/policies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Indices
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.rotations import multiply

IMU_FRAME = '_imu'
"""Ends the name of an input that a policy spec wants in the IMU's own frame."""


class Observation:
    """
    Writes one tick's observation into the policy's bound input buffers.

    Which input takes what is decided once, here; `fill` only copies.
    """

    def __init__(
        self,
        inputs: Mapping[str, Float32],
        frame: SensorFrame,
        joints: Indices,
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
            'base_linear_velocity': frame.base_velocity,
            'command': command.value,
        }
        turned = {
            name: sources[name.removesuffix(IMU_FRAME)]
            for name in inputs
            if name.endswith(IMU_FRAME) and name.removesuffix(IMU_FRAME) in sources
        }
        self._imu_quaternion = inputs.get('quaternion' + IMU_FRAME)
        self._copies = [(inputs[name], sources[name]) for name in inputs if name in sources]
        self._turned = [
            (inputs[name], source)
            for name, source in turned.items()
            if name != 'quaternion' + IMU_FRAME
        ]
        frame.needs_odometry = any(name.startswith('base_linear_velocity') for name in inputs)
        self._time = inputs.get('time')
        self._heading = inputs.get('initial_heading')
        unknown = [n for n in inputs if n not in (*sources, *turned, 'time', 'initial_heading')]
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
        for buffer, source in self._turned:
            buffer[...] = self._frame.imu_from_base.dot(source)
        if self._imu_quaternion is not None:
            w, x, y, z = self._frame.quaternion.tolist()
            self._imu_quaternion[:] = multiply((w, x, y, z), self._frame.imu_mounting)
        if self._time is not None:
            self._time[0] = seconds
