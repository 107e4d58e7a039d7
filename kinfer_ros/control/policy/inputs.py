"""Fills the policy's inputs, in its joint order, from sensors, command and time.

The inputs are those of kinfer's format, see docs/policies.md.
"""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.overrides.hidden import HiddenJoints
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import takes_odometry
from kinfer_ros.rotations import multiply

IMU_FRAME = '_imu'
"""Suffix of an input that a policy spec wants in the IMU's own frame."""


class Observation:
    """Writes a tick's observation into the policy's input buffers; sources are matched once."""

    def __init__(
        self,
        inputs: Mapping[str, Float32],
        frame: SensorFrame,
        joints: Indices,
        command: CommandVector,
        motion: MotionControl,
        *,
        entries: Sequence[str] = (),
        wait: bool = False,
        hidden: HiddenJoints | None = None,
    ) -> None:
        """
        :param inputs: the policy's buffers by input name, without the carry.
        :param joints: index of each of the policy's joints in the robot's order.
        :param entries: of the command, in the policy's order; others are of another policy.
        :param wait: the motion waits at its first frame until it is started.
        :param hidden: joints that another node moves, which the policy is not to see.
        :raises ContractError: an input has no source.
        """
        self._hidden = hidden
        self._frame = frame
        n, taken = len(frame.joint_names), len(joints)
        self._joint_values = np.zeros(2 * taken)
        self._position, self._velocity = self._joint_values[:taken], self._joint_values[taken:]
        self._places = np.concatenate([joints, joints + n])  # in the frame's joint_values
        self._entries = np.array([command.names.index(name) for name in entries], np.intp)
        self._command = np.zeros(len(entries), np.float32)
        self._all_commands = command.value
        sources: dict[str, Float32 | Float64] = {
            'joint_angles': self._position,
            'joint_angular_velocities': self._velocity,
            'projected_gravity': frame.gravity,
            'accelerometer': frame.accel,
            'gyroscope': frame.gyro,
            'quaternion': frame.quaternion,
            'base_linear_velocity': frame.base_velocity,
            'imu_linear_velocity': frame.imu_velocity,
            'height_scan': frame.scan[: len(inputs.get('height_scan', ()))],
            'command': self._command,
            'motion_control': motion.value,
        }
        self._motion, self._wait = motion, wait
        self._has_motion = 'motion_control' in inputs
        self._copies = [(inputs[name], sources[name]) for name in inputs if name in sources]
        self._imu_quaternion = inputs.get('quaternion' + IMU_FRAME)
        self._rotated = [
            (inputs[name + IMU_FRAME], source)
            for name, source in sources.items()
            if name + IMU_FRAME in inputs and name != 'quaternion'
        ]
        frame.needs_odometry = frame.needs_odometry or takes_odometry(inputs)
        self._at_imu = any(name.startswith('imu_linear_velocity') for name in inputs)
        self._time = inputs.get('time')
        self._heading = inputs.get('initial_heading')
        known = [*sources, 'time', 'initial_heading']
        in_imu_frame = [name + IMU_FRAME for name in sources]
        unknown = [name for name in inputs if name not in (*known, *in_imu_frame)]
        if unknown:
            raise ContractError(
                f'policy inputs without a source: {unknown}; this robot gives {known}'
            )

    def reset(self) -> None:
        """Start a run: take the present heading as the initial one, and begin the motion."""
        if self._has_motion:  # else that of a policy that may go on, if this one is refused
            self._motion.reset(wait=self._wait)
        if self._heading is not None:
            self._heading[0] = self._frame.yaw

    def fill(self, seconds: float) -> None:
        """Write the observation; `seconds` is the time since the run started."""
        # mode='clip' is numpy's fastest; every index is in range.
        self._frame.joint_values.take(self._places, None, self._joint_values, 'clip')
        if self._hidden is not None:
            self._hidden.hide(self._position, self._velocity)
        if self._at_imu:
            self._frame.update_imu_velocity()
        self._all_commands.take(self._entries, None, self._command, 'clip')
        for buffer, source in self._copies:
            buffer[...] = source
        for buffer, source in self._rotated:
            buffer[...] = self._frame.imu_from_base.dot(source)
        if self._imu_quaternion is not None:
            w, x, y, z = self._frame.quaternion.tolist()
            self._imu_quaternion[:] = multiply((w, x, y, z), self._frame.imu_mounting)
        if self._time is not None:
            self._time[0] = seconds
        self._motion.begin_tick()
