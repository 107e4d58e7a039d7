"""What exists from configure to cleanup: the loaded policy on its robot, its run, its figures.

Without this module the node would hold a dozen fields that are None half of the time, and nobody
would write run.json when a run ends early.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

from sensor_msgs.msg import JointState

from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import Gains
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.assembly import gain_problem
from kinfer_ros.control.assembly import gains
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Settings
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.control.timing import Histogram
from kinfer_ros.control.timing import Schedule
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.messages import gains_message
from kinfer_ros.run.directory import RunDirectory
from kinfer_ros.run.directory import iso_utc
from kinfer_ros.run.odometer import Odometer
from kinfer_ros.run.step_log import STAGES
from kinfer_ros.run.step_log import StepLog
from kinfer_ros.run.versions import host
from kinfer_ros.run.versions import versions

Parameters = Mapping[str, Any]
"""Values of the node's parameters (nodes/policy/parameters.py), by name."""


@dataclass(frozen=True)
class PolicySetup:
    """A policy on its robot, checked; nothing on disk yet."""

    policy: Policy
    robot: Robot
    controller: Controller
    gains: Gains
    rate_hz: float
    report: list[Row]
    """The contract held against the robot; nothing in it has failed."""

    @property
    def period_ns(self) -> int:
        """Control period in ns."""
        return round(1e9 / self.rate_hz)


def load_policy(parameters: Parameters) -> Policy:
    """:raises ModelError: the file is missing or wrong."""
    return load_model(
        parameters['model'],
        spec=parameters['spec'] or None,
        threads=parameters['inference_threads'],
    )


def load(parameters: Parameters) -> PolicySetup:
    """
    Load model and robot and hold one against the other; the model has run once after this.

    :raises KinferRosError: a file is missing or wrong, or the two do not fit.
    """
    for name in ('model', 'robot'):
        if not parameters[name]:
            raise ConfigError(
                f'parameter {name} is empty: set it before configure '
                f'(ros2 param set, params_file:=, or {name}:= in the launch file)'
            )
    policy = load_policy(parameters)
    robot = load_robot(parameters['robot'])
    if parameters['log_zstd'] and not parameters['log_rotate_mb']:
        raise ConfigError(
            'log_zstd compresses the closed parts of the step log, and log_rotate_mb is 0, so '
            'there are none: set it, for example to 64'
        )
    rate_hz = parameters['control_rate'] or policy.contract.control_rate_hz or DEFAULT_RATE_HZ
    settings = Settings(
        period_ns=round(1e9 / rate_hz),
        ramp_speed=parameters['ramp_speed'],
        fade_ns=round(parameters['fade_time'] * 1e9),
        auto_run=parameters['auto_run'],
        duration_ns=round(parameters['duration'] * 1e9),
        blend_ns=round(parameters['blend_time'] * 1e9),
        default_command=_triple(parameters['default_command']),
        command_entries=tuple(name for name in parameters['policy_command_entries'] if name),
    )
    tunables = live_settings_from(parameters)
    report = check_contract(policy, robot, settings.command_entries)
    raise_if_failed(report, policy.contract, robot)
    asked = gains(policy.contract, robot)
    problem = gain_problem(asked, robot, tunables)
    if problem:
        raise ConfigError(problem)
    controller = assemble(policy, robot, settings, tunables)
    return PolicySetup(policy, robot, controller, asked, rate_hz, report)


def loaded_gains(loaded: PolicySetup, session: str = '') -> JointState:
    """Message with the gains of what is loaded, as they are asked for in this moment."""
    factors = loaded.controller.factors
    return gains_message(
        loaded.robot,
        loaded.gains.kp * factors.kp_factor,
        loaded.gains.kd * factors.kd_factor,
        loaded.gains.torque_limit,
        session,
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ConfigError(
            f'parameter default_command: found {list(values)}, expected three finite numbers: '
            'linear.x, linear.y, angular.z'
        )
    return (float(values[0]), float(values[1]), float(values[2]))


class RunSession:
    """
    One run directory and the figures that go into its run.json.

    :ivar activation: counts the activations in this run, from 1.
    :ivar late: how late ticks ran, over the run.
    :ivar age: how old the sensor sample was when its command was published.
    """

    def __init__(self, loaded: PolicySetup, parameters: Parameters) -> None:
        """:raises RunError: the run directory or the log cannot be made."""
        self.loaded = loaded
        self.odometer = Odometer()
        self.activation = 0
        self.swaps: list[dict[str, Any]] = []
        self.ticks = 0
        self.missed = 0
        self.late = Histogram()
        self.age = Histogram()
        self.tick_time = Histogram()
        self.stages = {name: Histogram() for name in STAGES}
        self.directory = RunDirectory.create(
            Path(parameters['runs_dir']), Path(parameters['model'])
        )
        self.directory.write_run_json(self._facts(parameters))
        self.records = bool(parameters['record'])
        try:
            self.log = StepLog(
                self.path,
                loaded.policy,
                rate_hz=loaded.rate_hz,
                carry_every=parameters['carry_every'],
                record=self.records,
                rotate_bytes=round(parameters['log_rotate_mb'] * 1e6),
                compress=parameters['log_zstd'],
            )
        except BaseException:
            self._remove()
            raise
        if self.records:
            self.directory.write_run_json({'steps_offset': self.log.offset})

    def _remove(self) -> None:
        """Leave nothing half-started behind."""
        latest = self.path.parent / 'latest'
        if latest.is_symlink() and latest.readlink().name == self.path.name:
            latest.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The run directory, absolute."""
        return self.directory.path

    def _facts(self, parameters: Parameters) -> dict[str, Any]:
        contract = self.loaded.policy.contract
        robot = self.loaded.robot
        return {
            'started': iso_utc(datetime.now(UTC)),
            'ended': None,
            'reason': None,
            'versions': versions(),
            'host': host(),
            'model': str(contract.path),
            'model_sha256': contract.sha256,
            'provenance': dict(contract.provenance or {}),
            'robot': robot.name,
            'robot_file': str(robot.path),
            'control_rate_hz': self.loaded.rate_hz,
            'joint_order': list(contract.joint_names),
            'command_names': list(contract.command_names),
            'gains': {
                'kp': self.loaded.gains.kp,
                'kd': self.loaded.gains.kd,
                'torque_limit': self.loaded.gains.torque_limit,
                'joints': list(robot.joint_names),
            },
            'limits': {
                'lower': robot.lower,
                'upper': robot.upper,
                'velocity': robot.velocity_limit,
                'start_pose': self.loaded.controller.parts.start_pose,
                'joints': list(robot.joint_names),
            },
            'parameters': dict(parameters),
        }

    def begin_swap(self, policy: Policy) -> None:
        """
        Note in run.json, before it runs, a policy that is about to take over; on any thread.

        The steps' events say when it does; a killed run cannot be replayed without knowing it.

        :raises RunError: run.json cannot be written.
        """
        contract = policy.contract
        self.swaps.append(
            {
                'model': str(contract.path),
                'model_sha256': contract.sha256,
                'spec': str(contract.spec.path) if contract.spec else None,
                'taken_over': False,
            }
        )
        self.directory.write_run_json({'swaps': self.swaps})

    def take_over(self, loaded: PolicySetup) -> None:
        """Note that the policy of the last `begin_swap` runs alone now."""
        self.loaded = loaded
        self.swaps[-1]['taken_over'] = True

    def count_schedule(self, schedule: Schedule) -> None:
        """Take over the missed ticks of an activation that ends."""
        self.missed += schedule.missed

    def count_tick(
        self, now_ns: int, late_ns: int, age_ns: int, stage_ns: tuple[int, int, int, int]
    ) -> None:
        """Count one tick, at `now_ns` on the control clock, into the figures and into the log."""
        self.ticks += 1
        self.late.record(late_ns)
        self.age.record(age_ns)
        self.tick_time.record(sum(stage_ns))
        for histogram, ns in zip(self.stages.values(), stage_ns, strict=True):
            histogram.record(ns)
        self.log.add(
            self.loaded.controller,
            activation=self.activation,
            now_ns=now_ns,
            late_ns=late_ns,
            age_ns=age_ns,
            stage_ns=stage_ns,
            pose=self.odometer.take_pose(),
        )

    def figures(self, missed: int) -> dict[str, Any]:
        """
        Outcome so far, as run.json holds it.

        :param missed: ticks missed in the activation that still goes on.
        """
        counts = self.loaded.controller.counts
        return {
            'falls': counts['falls'],
            'distance_m': round(self.odometer.distance, 4),
            'path_m': round(self.odometer.path, 4),
            'turned_rad': round(self.odometer.heading, 4),
            'run_s': round(self.loaded.controller.run_ns / 1e9, 3),
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
            'timing': {
                'late_us': self.late.summary_us(),
                'sample_age_us': self.age.summary_us(),
                'tick_us': self.tick_time.summary_us(),
                **{f'{name}_us': h.summary_us() for name, h in self.stages.items()},
            },
        }

    def guards(self) -> dict[str, Any]:
        """Guards that have spoken, with their counts."""
        state = self.loaded.controller.parts.watch.panel.state()
        return {
            name: {key: found[key] for key in ('limits', 'warns', 'faults')}
            for name, found in state.items()
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
        self.directory.finish(reason, figures)
