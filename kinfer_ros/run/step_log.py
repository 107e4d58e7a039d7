"""Copies the record of each tick into a ring; run/writer.py writes it to steps.ndjson.

It runs inside the tick and only copies into preallocated memory.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.parts import ControlInputs
from kinfer_ros.control.policy.runner import PolicyStep
from kinfer_ros.control.policy.runner import TickPolicy
from kinfer_ros.control.tick import Tick
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.black_box import SECONDS
from kinfer_ros.run.black_box import BlackBox
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.record import BATTERY
from kinfer_ros.run.record import HAS_CARRY
from kinfer_ros.run.record import HAS_INPUTS
from kinfer_ros.run.record import HAS_ODOM
from kinfer_ros.run.record import HAS_OUTPUT
from kinfer_ros.run.record import HAS_OVERRIDE
from kinfer_ros.run.record import HAS_SAMPLE
from kinfer_ros.run.record import HAS_TARGET
from kinfer_ros.run.record import OVERRIDE
from kinfer_ros.run.record import SOMETIMES
from kinfer_ros.run.record import RecordFormat
from kinfer_ros.run.record import make_ring
from kinfer_ros.run.ring import StepRing
from kinfer_ros.run.writer import LogCounters
from kinfer_ros.run.writer import NdjsonWriter
from kinfer_ros.run.writer import steps_path

STAGES = ('take', 'policy', 'control', 'publish')
"""Timed parts of a tick: reading sensors, inference, rest of the controller, sending."""


class PolicyRows:
    """
    Copies the arrays of one policy's steps into the ring.

    What stands in every record is copied at once, in the order in which it stands in a row.

    :ivar layout: of its records.
    """

    def __init__(
        self,
        name: str,
        number: int,
        policy: Policy,
        overrides: JointOverrides | None,
        *,
        battery: bool,
    ) -> None:
        """
        Make the layout of its records.

        :param number: of the layout, in a record.
        :param battery: the battery's charge is recorded.
        """
        contract = policy.contract
        self.number = number
        self._overrides = overrides
        self.layout = RecordFormat(
            joint_names=contract.joint_names,
            input_sizes={name: buffer.size for name, buffer in policy.inputs.items()},
            carry_size=policy.carry.size,
            stages=STAGES,
            more={name: array.size for name, array in policy.recorded.items()},
            policy=name,
            override_joints=overrides.places.size if overrides else 0,
            hidden_joints=overrides is not None and overrides.hidden,
            battery=battery,
        )
        self.policy: TickPolicy | None = None
        self._stage_us = np.zeros(len(STAGES))
        self._charge = np.zeros(1)
        self._battery = battery

    def attach(self, ring: StepRing, inputs: ControlInputs, target: Float64) -> None:
        """
        Find the rows in the ring, once.

        :param target: [N] what the controller sends, robot joint order.
        """
        frame, self._health = inputs.frame, inputs.health
        self._sizes = {name: rows.shape[1] for name, rows in ring.f32.items()}
        first = sum(self._sizes[name] for name in SOMETIMES)
        last = ring.rows.shape[1] - self._sizes.get(OVERRIDE, 0)
        self._each_tick = ring.rows[:, first:last]
        self._rows = {key: ring.f32[key][:, :size] for key, size in self.layout.fields.items()}
        self._output, self._carry = self._rows['output'], self._rows['carry']
        self._robot_joints = frame.joint_names
        self._of_joints = {
            'target': target,
            'measured_position': frame.position,
            'measured_velocity': frame.velocity,
            'joint_torques': frame.effort,
            'joint_temps': inputs.health.temperature,
        }

    def follow(self, policy: TickPolicy) -> None:
        """Record the inputs of this policy from now on: another one with the same layout."""
        self.policy = policy
        names = policy.contract.joint_names
        self._joints = np.array([self._robot_joints.index(name) for name in names], np.intp)
        self._reordered: list[tuple[Float64, Float64]] = []
        sources: dict[str, Float32 | Float64] = {'stage_us': self._stage_us, BATTERY: self._charge}
        sources |= {name: self._in_order(array) for name, array in self._of_joints.items()}
        sources |= {name: _flat(buffer) for name, buffer in policy.inputs.items()}
        sources |= policy.recorded
        self._sources = self._side_by_side(sources)

    def _in_order(self, array: Float64) -> Float64:
        """Return an array [P] in the policy's joint order; where that is the robot's, itself."""
        if self._joints.tolist() == list(range(array.size)):
            return array
        own = np.zeros(self._joints.size)
        self._reordered.append((array, own))
        return own

    def _side_by_side(self, sources: Mapping[str, Float32 | Float64]) -> list[Float32 | Float64]:
        """List the sources as their fields stand in a row, and zeros where one is shorter."""
        found: list[Float32 | Float64] = []
        for name, size in self._sizes.items():
            if name in (*SOMETIMES, OVERRIDE):
                continue
            used = self.layout.fields.get(name, 0)
            if used:
                found.append(sources[name])
            found.append(np.zeros(size - used))
        return [array for array in found if array.size]

    def copy(self, slot: int, stage_ns: tuple[int, ...]) -> None:
        """Copy all that is recorded in each tick, the parts that are not valid now included."""
        self._stage_us[:] = [ns / 1000 for ns in stage_ns]
        if self._battery:
            self._charge[0] = self._health.battery
        for array, own in self._reordered:
            array.take(self._joints, None, own, 'clip')
        np.concatenate(self._sources, out=self._each_tick[slot])

    def copy_output(self, slot: int, step: PolicyStep) -> None:
        """Copy what the policy made of it."""
        self._output[slot] = step.action

    def copy_override(self, slot: int) -> bool:
        """Copy what another node made of the targets; :return: whether there is any."""
        if self._overrides is None or not self._overrides.active:
            return False
        self._rows[OVERRIDE][slot] = self._overrides.commanded
        return True

    def copy_carry(self, slot: int, step: PolicyStep) -> None:
        """Copy the carry that the step began with."""
        self._carry[slot] = step.carry.ravel()


def _flat(buffer: Float32) -> Float32:
    """Look at a buffer as one row."""
    flat = buffer.ravel()
    assert np.may_share_memory(flat, buffer), 'a copy would keep the values that it has now'
    return flat


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
        policies: Mapping[str, Policy],
        *,
        rate_hz: float,
        carry_every: int,
        record: bool,
        battery: bool = False,
        rotate_bytes: int = 0,
        compress: bool = False,
    ) -> None:
        """
        :param policies: by their name in the policy set; of a policy alone by ''.
        :param record: write steps.ndjson; else the black box alone.
        :param battery: record the battery's charge.
        :param rotate_bytes: as in LogFile, like `compress`.
        :raises RunError: the file cannot be opened.
        """
        self._controller = controller
        self._frame = controller.inputs.frame
        self._rows = {
            name: PolicyRows(name, number, policy, controller.inputs.overrides, battery=battery)
            for number, (name, policy) in enumerate(policies.items())
        }
        layouts = [rows.layout for rows in self._rows.values()]
        self._ring = make_ring(layouts)
        for name, rows in self._rows.items():
            rows.attach(self._ring, controller.inputs, controller.target)
            rows.follow(policies[name])
        self._black_box = BlackBox(run_dir, math.ceil(SECONDS * rate_hz))
        file = None
        if record:
            file = LogFile(steps_path(run_dir), rotate_bytes, compress=compress)
        self.offset = file.offset if file else 0
        self._writer = NdjsonWriter(file, self._ring, layouts, self._black_box)
        self._faults = 0
        self._recorded: TickPolicy | None = None
        self._until_carry = 0
        self._carry_every = carry_every
        self.step_id = 0

    def _rows_of(self, step: PolicyStep) -> PolicyRows:
        """Return the rows of the step's policy; the first step of another one has its carry."""
        rows, policy = self._rows[step.bound.name], step.bound.policy
        if policy is not self._recorded:
            self._recorded = policy
            self._until_carry = 0
            if rows.policy is not policy:
                rows.follow(policy)
        return rows

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
        rows = self._rows_of(tick.step)
        slot = ring.claim()
        step_id = self.step_id
        self.step_id += 1
        if slot < 0:
            return
        rows.copy(slot, stage_ns)
        flags = self._copy_rest(slot, tick, rows)
        if pose is not None:
            flags |= HAS_ODOM
            ring.f32['odom'][slot] = pose
        stamp_ns = self._frame.joint_stamp_ns
        age_us = age_ns // 1000 if stamp_ns else 0
        ring.set_scalars(  # in the order of SCALARS
            slot, step_id, time.time_ns() // 1000, now_ns, stamp_ns, age_us, late_ns // 1000,
            activation, flags, rows.number,
        )  # fmt: skip
        ring.obj['mode'][slot] = str(tick.mode)
        if tick.events:
            ring.obj['events'][slot] = tick.events
        ring.publish()
        if tick.faults != self._faults:
            self._faults = tick.faults
            self._request_black_box(tick.reason, step_id)

    def _copy_rest(self, slot: int, tick: Tick, rows: PolicyRows) -> int:
        """Copy what is not in every record; :return: which parts of the record are set."""
        step, flags = tick.step, HAS_INPUTS
        if self._frame.joint_stamp_ns != 0:
            flags |= HAS_SAMPLE
        if tick.send is Send.POSITION:
            flags |= HAS_TARGET
        if tick.ran:
            flags |= HAS_OUTPUT
            rows.copy_output(slot, step)
        if rows.copy_override(slot):
            flags |= HAS_OVERRIDE
        if self._carry_is_due(tick):
            flags |= HAS_CARRY
            rows.copy_carry(slot, step)
            if not step.swapping:
                self._ring.obj['resume'][slot] = self._controller.resume_state()
        return flags

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
