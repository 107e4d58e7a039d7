"""Copies the record of each tick into a ring; run/writer.py writes it to steps.ndjson.

It runs inside the tick and only copies into preallocated memory.
"""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.policy.runner import TickPolicy
from kinfer_ros.control.tick import Tick
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.black_box import SECONDS
from kinfer_ros.run.black_box import BlackBox
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.record import HAS_CARRY
from kinfer_ros.run.record import HAS_INPUTS
from kinfer_ros.run.record import HAS_ODOM
from kinfer_ros.run.record import HAS_OUTPUT
from kinfer_ros.run.record import HAS_OVERRIDE
from kinfer_ros.run.record import HAS_SAMPLE
from kinfer_ros.run.record import HAS_TARGET
from kinfer_ros.run.record import OVERRIDE
from kinfer_ros.run.record import RecordFormat
from kinfer_ros.run.writer import LogCounters
from kinfer_ros.run.writer import NdjsonWriter
from kinfer_ros.run.writer import steps_path

STAGES = ('take', 'policy', 'control', 'publish')
"""Timed parts of a tick: reading sensors, inference, rest of the controller, sending."""

MEASURED_SOURCES = {'measured_position': 'position', 'measured_velocity': 'velocity'}
"""Keys of a record, and the arrays of the sensor frame that they hold."""


class StepLog:
    """
    The step log of one run.

    :ivar step_id: number of the next record, counted over the run.
    :ivar offset: byte of its file where this run's records begin.
    """

    def __init__(
        self,
        run_dir: Path,
        controller: Controller,
        policy: Policy,
        *,
        rate_hz: float,
        carry_every: int,
        record: bool,
        rotate_bytes: int = 0,
        compress: bool = False,
    ) -> None:
        """
        :param record: write steps.ndjson; else the black box alone.
        :param rotate_bytes: as in LogFile, like `compress`.
        :raises RunError: the file cannot be opened.
        """
        contract = policy.contract
        overrides = self._overrides = controller.inputs.overrides
        layout = RecordFormat(
            joint_names=contract.joint_names,
            input_sizes={name: buffer.size for name, buffer in policy.inputs.items()},
            carry_size=policy.carry.size,
            stages=STAGES,
            more={name: array.size for name, array in policy.recorded.items()},
            override_joints=overrides.places.size if overrides else 0,
            hidden_joints=overrides is not None and overrides.hidden,
        )
        self._controller = controller
        self._frame = controller.inputs.frame
        self._ring = layout.make_ring()
        self._measured = [
            (self._ring.f32[key], getattr(self._frame, MEASURED_SOURCES[key]))
            for key in layout.measured
        ]
        self._black_box = BlackBox(run_dir, math.ceil(SECONDS * rate_hz))
        file = None
        if record:
            file = LogFile(steps_path(run_dir), rotate_bytes, compress=compress)
        self.offset = file.offset if file else 0
        self._writer = NdjsonWriter(file, self._ring, layout, self._black_box)
        self._faults = 0
        self._follow(policy)
        self._target = np.zeros(len(contract.joint_names))
        self._carry_every = carry_every
        self.step_id = 0

    def _follow(self, policy: TickPolicy) -> None:
        """Record the inputs of this policy from now on, and the carry of its first step."""
        self._policy = policy
        self._inputs = [(self._ring.f32[name], buf) for name, buf in policy.inputs.items()]
        self._more = [(self._ring.f32[name], each) for name, each in policy.recorded.items()]
        self._until_carry = 0

    def add(
        self,
        tick: Tick,
        *,
        activation: int,
        now_ns: int,
        late_ns: int,
        age_ns: int,
        stage_ns: tuple[int, ...],
        pose: tuple[float, float, float] | None = None,
    ) -> None:
        """
        Add the record of the last tick.

        :param now_ns: the control clock.
        :param pose: a new pose of the base, m, m, rad, or None.
        """
        ring = self._ring
        step = tick.step
        if step.bound.policy is not self._policy:
            self._follow(step.bound.policy)
        slot = ring.claim()
        step_id = self.step_id
        self.step_id += 1
        if slot < 0:
            return
        flags = HAS_INPUTS
        for rows, buffer in self._inputs:
            rows[slot] = buffer.ravel()
        i64 = ring.i64
        if self._frame.joint_stamp_ns:
            flags |= HAS_SAMPLE
            i64['stamp_ns'][slot] = self._frame.joint_stamp_ns
            i64['age_us'][slot] = age_ns // 1000
            for rows, source in self._measured:
                rows[slot] = source[step.bound.joints]
        if tick.send is Send.POSITION:
            flags |= HAS_TARGET
            np.take(tick.target, step.bound.joints, out=self._target)
            ring.f32['target'][slot] = self._target
        if tick.ran:
            flags |= HAS_OUTPUT
            ring.f32['output'][slot] = step.action
            for rows, source in self._more:
                rows[slot] = source
        if self._overrides is not None and self._overrides.active:
            flags |= HAS_OVERRIDE
            ring.f32[OVERRIDE][slot] = self._overrides.commanded
        if self._carry_is_due(tick):
            flags |= HAS_CARRY
            ring.f32['carry'][slot] = step.carry.ravel()
            if not step.swapping:
                ring.obj['resume'][slot] = self._controller.resume_state()
        if pose is not None:
            flags |= HAS_ODOM
            ring.f32['odom'][slot] = pose
        ring.f32['stage_us'][slot] = [ns / 1000 for ns in stage_ns]
        i64['step_id'][slot] = step_id
        i64['t_us'][slot] = time.time_ns() // 1000
        i64['now_ns'][slot] = now_ns
        i64['late_us'][slot] = late_ns // 1000
        i64['activation'][slot] = activation
        i64['flags'][slot] = flags
        ring.obj['mode'][slot] = str(tick.mode)
        if tick.events:
            ring.obj['events'][slot] = tick.events
        ring.publish()
        if tick.faults != self._faults:
            self._faults = tick.faults
            self._request_black_box(tick.reason, step_id)

    def _request_black_box(self, reason: str, step_id: int) -> None:
        self._black_box.request(
            {
                'reason': reason,
                'step_id': step_id,
                't_us': time.time_ns() // 1000,
                'guards': self._controller.stats.state(),
            }
        )

    def _carry_is_due(self, tick: Tick) -> bool:
        """Whether this step's carry is recorded: the first of a run, then every n-th."""
        if tick.mode is not Mode.RUN:
            self._until_carry = 0
            return False
        if not tick.ran or self._until_carry:
            self._until_carry -= tick.ran
            return False
        self._until_carry = self._carry_every - 1
        return True

    def counters(self) -> LogCounters:
        """Return the records written and dropped so far."""
        return self._writer.counters()

    def black_box(self) -> dict[str, Any]:
        """Return the number of files of the black box, and its error or None."""
        return {'written': self._black_box.written, 'error': self._black_box.error}

    def close(self) -> LogCounters:
        """Write the rest and close the file."""
        return self._writer.close()
