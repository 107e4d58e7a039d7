"""One run, from configure to cleanup: directory, step log and the figures of run.json."""

import shutil
import time
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.tick import Tick
from kinfer_ros.control.timing import Histogram
from kinfer_ros.control.timing import Schedule
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot
from kinfer_ros.run.directory import RunDirectory
from kinfer_ros.run.directory import iso_utc
from kinfer_ros.run.odometer import Odometer
from kinfer_ros.run.record import SCHEMA
from kinfer_ros.run.setup import Parameters
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.step_log import STAGES
from kinfer_ros.run.step_log import StepLog
from kinfer_ros.run.versions import host
from kinfer_ros.run.versions import versions
from kinfer_ros.stalls import StallMeter
from kinfer_ros.stalls import steal_ms

POSE_HZ = 5.0
"""How often the pose of the base is logged."""
MAX_CAUSES = 20
"""Causes kept of one activation."""


class RunSession:
    """
    One run directory and the figures of its run.json.

    :ivar activation: number of the present activation, from 1.
    :ivar late: how late the ticks ran.
    :ivar age: age of the sensor samples when their command was sent.
    """

    def __init__(self, setup: PolicySetup, parameters: Parameters) -> None:
        """:raises RunError: the run directory or the log cannot be made."""
        self.controller = setup.controller
        self._robot = setup.robot
        self.odometer = Odometer()
        self._pose_every = max(1, round(setup.rate_hz / POSE_HZ))
        self.activation = 0
        self.swaps: list[dict[str, Any]] = []
        self.ticks = 0
        self.missed = 0
        self._causes: list[str] = []
        self._causes_of = 0
        self._stalls = 0
        self._longest_stall_ns = 0
        self._steal_ms = steal_ms()
        self.late = Histogram()
        self.age = Histogram()
        self.tick_time = Histogram()
        self.stages = {name: Histogram() for name in STAGES}
        self.directory = RunDirectory.create(
            Path(parameters['runs_dir']), Path(parameters['model'] or parameters['policies'])
        )
        self.directory.write_run_json(_facts(setup, parameters))
        self.records = bool(parameters['record'])
        try:
            self.log = StepLog(
                self.path,
                setup.controller,
                setup.policies,
                rate_hz=setup.rate_hz,
                carry_every=parameters['carry_every'],
                record=self.records,
                battery=bool(parameters['record_battery']),
                rotate_bytes=round(parameters['log_rotate_mb'] * 1e6),
                compress=parameters['log_zstd'],
            )
        except BaseException:
            self._remove()
            raise
        if self.records:
            self.directory.write_run_json({'steps_offset': self.log.offset})

    def _remove(self) -> None:
        """Remove a run that could not be started."""
        latest = self.path.parent / 'latest'
        if latest.is_symlink() and latest.readlink().name == self.path.name:
            latest.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The run directory, absolute."""
        return self.directory.path

    @property
    def failed(self) -> bool:
        """Whether the robot fell, though it may have got up, or a fault occurred."""
        counts = self.controller.counts
        return bool(counts['faults'] or counts['falls'])

    def begin_swap(self, policy: Policy, bound: BoundPolicy) -> int:
        """
        Note a policy in run.json before it runs, from any thread.

        The replay of a killed run needs it; the events of the steps say when it takes over.

        :return: its number, from 1.
        :raises RunError: run.json cannot be written.
        """
        contract = policy.contract
        self.swaps.append(
            {
                'model': str(contract.path),
                'model_sha256': contract.sha256,
                'spec': str(contract.spec.path) if contract.spec else None,
                'gains': _gains_fact(bound.gains, self._robot),
                **({'policy': bound.name} if bound.name else {}),
                'provenance': dict(contract.provenance or {}),
                'taken_over': False,
            }
        )
        self.directory.write_run_json({'swaps': self.swaps})
        return len(self.swaps)

    def take_over(self, numbers: Sequence[int]) -> None:
        """Note that these policies, by the numbers of `begin_swap`, have taken over."""
        for number in numbers:
            self.swaps[number - 1]['taken_over'] = True

    def count_schedule(self, schedule: Schedule, stalls: StallMeter) -> None:
        """Add the missed ticks and the stalls of an activation that ends."""
        self.missed += schedule.missed
        self._stalls += stalls.count
        self._longest_stall_ns = max(self._longest_stall_ns, stalls.longest_ns)

    def record(
        self, tick: Tick, now_ns: int, late_ns: int, age_ns: int, stage_ns: tuple[int, ...]
    ) -> None:
        """
        Count and log one tick.

        :param now_ns: the control clock.
        :param age_ns: age of the sensor samples when the command was sent.
        :param stage_ns: duration of each of STAGES.
        """
        pose = None if self.ticks % self._pose_every else self.odometer.take_pose()
        self.ticks += 1
        if tick.events:
            self._note_cause(str(tick), tick.mode)
        self.late.record(late_ns)
        self.age.record(age_ns)
        self.tick_time.record(sum(stage_ns))
        for histogram, ns in zip(self.stages.values(), stage_ns, strict=True):
            histogram.record(ns)
        self.log.add(
            tick,
            activation=self.activation,
            now_ns=now_ns,
            late_ns=late_ns,
            age_ns=age_ns,
            stage_ns=stage_ns,
            pose=pose,
        )

    def _note_cause(self, text: str, mode: Mode) -> None:
        """Keep what stopped the robot in this activation; a reset is no cause, nor a recovery."""
        if self._causes_of != self.activation:
            self._causes_of, self._causes = self.activation, []
        goes_on = text.endswith(': reset') or self.controller.recovery.waits
        stopped = mode is Mode.FAULT or (mode is Mode.DAMP and not goes_on)
        if stopped and text not in self._causes and len(self._causes) < MAX_CAUSES:
            self._causes.append(text)

    def _with_cause(self, reason: str) -> str:
        """Return how the run ended, with the first cause before what followed."""
        known = any(each == reason or each.endswith(f': {reason}') for each in self._causes)
        if not self._causes or known:
            return reason
        return f'{self._causes[0]}; then: {reason}'

    def figures(self, missed: int) -> dict[str, Any]:
        """
        Return the figures so far, as in run.json.

        :param missed: ticks missed in the present activation.
        """
        counts = self.controller.counts
        return {
            'falls': counts['falls'],
            'distance_m': round(self.odometer.distance, 4),
            'path_m': round(self.odometer.path, 4),
            'turned_rad': round(self.odometer.heading, 4),
            'run_s': round(self.controller.run_ns / 1e9, 3),
            'activations': self.activation,
            'swaps': self.swaps,
            'guards': self.guards(),
            'counters': {
                'ticks': self.ticks,
                'missed_ticks': self.missed + missed,
                **counts,
                'log': self.log.counters() if self.records else None,
                'black_box': self.log.black_box(),
            },
            'machine': {
                'stalls': self._stalls,
                'longest_stall_ms': round(self._longest_stall_ns / 1e6, 1),
                'steal_ms': _since(self._steal_ms, steal_ms()),
            },
            'timing': {
                'late_us': self.late.summary_us(),
                'sample_age_us': self.age.summary_us(),
                'tick_us': self.tick_time.summary_us(),
                **{f'{name}_us': h.summary_us() for name, h in self.stages.items()},
            },
        }

    def guards(self) -> dict[str, Any]:
        """Return the counts of the guards that have any."""
        return {
            name: {key: found[key] for key in ('limits', 'warns', 'faults')}
            for name, found in self.controller.stats.state().items()
            if found['limits'] or found['warns'] or found['faults']
        }

    def finish(self, reason: str) -> None:
        """
        Close the log, then write run.json for the last time.

        :raises RunError: run.json cannot be written.
        """
        begin = time.monotonic()
        self.log.close()
        figures = self.figures(0)
        figures['counters']['closing_s'] = round(time.monotonic() - begin, 3)
        self.directory.finish(self._with_cause(reason), figures)


def _since(before: float | None, now: float | None) -> float | None:
    """Return what was added, or None where the kernel does not tell."""
    return None if before is None or now is None else now - before


def _gains_fact(found: Gains, robot: Robot) -> dict[str, Any]:
    return {
        'kp': found.kp,
        'kd': found.kd,
        'torque_limit': found.torque_limit,
        'joints': list(robot.joint_names),
    }


def _facts(setup: PolicySetup, parameters: Parameters) -> dict[str, Any]:
    robot = setup.robot
    names = list(setup.policy.contract.velocity_joints)
    wheels = {'velocity_joints': names} if names else {}
    return {
        'started': iso_utc(datetime.now(UTC)),
        'ended': None,
        'reason': None,
        'versions': versions(),
        'host': host(),
        'step_schema': SCHEMA,
        **_policy_facts(setup.policy, setup.gains, robot),
        **_set_facts(setup),
        'robot': robot.name,
        'robot_file': str(robot.path),
        'control_rate_hz': setup.rate_hz,
        **wheels,
        'limits': {
            'lower': robot.lower,
            'upper': robot.upper,
            'velocity': robot.velocity_limit,
            'start_pose': setup.controller.start_pose,
            'joints': list(robot.joint_names),
        },
        'parameters': dict(parameters),
    }


def _policy_facts(policy: Policy, own: Gains, robot: Robot) -> dict[str, Any]:
    contract = policy.contract
    return {
        'model': str(contract.path),
        'model_sha256': contract.sha256,
        'provenance': dict(contract.provenance or {}),
        'joint_order': list(contract.joint_names),
        'command_names': list(contract.command_names),
        'command_ranges': dict(contract.command_ranges),
        'gains': _gains_fact(own, robot),
    }


def _set_facts(setup: PolicySetup) -> dict[str, Any]:
    """Return what a replay needs of a policy set; nothing of a policy alone."""
    if setup.policy_set is None:
        return {}
    members, joints = setup.controller.policies.members, list(setup.robot.joint_names)
    return {
        'policy': setup.policy_set.policy_set.entry,
        'policies': {
            name: {
                **_policy_facts(policy, members[name].gains, setup.robot),
                'spec': str(policy.contract.spec.path) if policy.contract.spec else None,
                'limits': {'start_pose': members[name].start_pose, 'joints': joints},
                'action_scale': members[name].action_scale,
            }
            for name, policy in setup.policies.items()
        },
        'transitions': [
            {'from': each.source, 'to': each.target, 'blend_s': each.blend_s}
            for each in setup.policy_set.policy_set.transitions
        ],
    }
