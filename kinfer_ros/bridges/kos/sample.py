"""Turns one reading of a KOS robot into samples of joints and IMU, or the reason why not.

For a silent actuator KOS answers with nothing, with position 0 or with an error, depending on the
server; before its first sample an IMU reports (0, 0, 0, 0). None of these is a sample.
"""

import math
from typing import Any

import numpy as np

from kinfer_ros.bridges.kos.client import Reading
from kinfer_ros.bridges.kos.options import ONLINE_FEEDBACK
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample


class Health:
    """
    What the actuators report, [N] each; NaN for what one does not report.

    temperature (deg C), voltage (V), current (A), kp (Nm/rad), kd (Nms/rad), max_torque (Nm), and
    torque_on (1 or 0).
    """

    def __init__(self, size: int, sent_ns: int) -> None:
        self.sent_ns = sent_ns
        """Steady clock at the request."""
        self.temperature, self.voltage, self.current = np.full((3, size), np.nan)
        self.kp, self.kd, self.max_torque, self.torque_on = np.full((4, size), np.nan)
        self.faults: dict[str, list[str]] = {}
        """By joint; only joints with faults."""


_HEALTH = ('temperature', 'voltage', 'current', 'kp', 'kd', 'max_torque')
_MAX_FAULTS = 8
"""Faults reported of one actuator."""


class SampleReader:
    """
    Turns readings into samples.

    :param gyro_factor: from the unit of the gyro to rad/s.
    """

    def __init__(self, units: JointUnits, backend: Backend, gyro_factor: float) -> None:
        self._units = units
        self._ids = list(units.ids)
        self._index = {each: index for index, each in enumerate(units.ids)}
        self._backend = backend
        self._gyro_factor = gyro_factor

    def joints(self, reading: Reading, *, torque_on: bool) -> JointSample | None:
        """
        Return the sample, or None if the call failed.

        :param torque_on: the torque has been switched on: every backend then has to report its
            actuators as online.
        """
        if reading.states is None:
            return None
        states = list(reading.states)
        if [state.actuator_id for state in states] != self._ids:
            states = self._sort_states(states)
        must_be_online = torque_on or self._backend.online == ONLINE_FEEDBACK
        silent = [
            index
            for index, state in enumerate(states)
            if state is None
            or not state.HasField('position')
            or (must_be_online and not state.online)
        ]
        if silent:
            return self._make_partial(reading.sent_ns, states, silent)
        sample = JointSample(
            reading.sent_ns,
            self._units.position([state.position for state in states]),
            self._units.velocity([state.velocity for state in states]),
            None,
        )
        if states[0].HasField('torque'):
            sample.effort = self._units.effort([state.torque for state in states])
        finite = np.isfinite(sample.position) & np.isfinite(sample.velocity)
        if not finite.all():
            wrong = [each for each, fine in zip(self._ids, finite, strict=True) if not fine]
            sample.problem = (
                f'found no finite position and velocity of {self._units.format_names(wrong)}'
            )
        return sample

    def _make_partial(self, sent_ns: int, states: list[Any], silent: list[int]) -> JointSample:
        """Keep the positions of the other joints: they may have to be damped."""
        position = np.full(len(states), np.nan)
        for index, state in enumerate(states):
            if index not in silent:
                position[index] = state.position
        return JointSample(
            sent_ns,
            self._units.position(position.tolist()),
            np.full(len(states), np.nan),
            None,
            self._format_silent([self._ids[index] for index in silent]),
        )

    def imu(self, reading: Reading) -> ImuSample | str:
        """Return the IMU's sample, or why there is none."""
        if reading.imu_problem:
            return reading.imu_problem
        q, v, f = reading.quaternion, reading.values, self._gyro_factor
        sample = ImuSample(
            (q.x, q.y, q.z, q.w),
            (v.gyro_x * f, v.gyro_y * f, v.gyro_z * f),
            (v.accel_x, v.accel_y, v.accel_z),
        )
        if not any(sample.quaternion):
            return 'the IMU has no orientation yet: its quaternion is all zero'
        if not all(map(math.isfinite, (*sample.quaternion, *sample.gyro, *sample.accel))):
            return 'found a number of the IMU that is not finite'
        return sample

    def health(self, reading: Reading) -> Health:
        """Collect what the actuators report."""
        size = len(self._ids)
        found = Health(size, reading.sent_ns)
        columns = {name: getattr(found, name) for name in _HEALTH}
        for state in reading.states or ():
            index = self._index.get(state.actuator_id)
            if index is None:
                continue
            for name, column in columns.items():
                if state.HasField(name):
                    column[index] = getattr(state, name)
            if state.HasField('torque_enabled'):
                found.torque_on[index] = float(state.torque_enabled)
            if len(state.faults):
                texts = [' '.join(text.split())[:80] for text in state.faults[:_MAX_FAULTS]]
                found.faults[self._units.name(state.actuator_id)] = texts
        return found

    def _sort_states(self, states: list[Any]) -> list[Any]:
        """Sort the states into the robot's order; None for a missing one."""
        by_id = {state.actuator_id: state for state in states}
        return [by_id.get(each) for each in self._ids]

    def _format_silent(self, silent: list[int]) -> str:
        if len(silent) == len(self._ids):
            return (
                'no actuator answers: is the motor power on, is the emergency stop released, and '
                'is the bus connected?'
            )
        return (
            f'no feedback from {self._units.format_names(silent)}: check its cable, its power and '
            'that its id is the one in the robot YAML'
        )
