"""Loads a policy and a robot, and checks that they fit."""

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.joystick import double_use
from kinfer_ros.control.overrides.settings import read_override_settings
from kinfer_ros.control.recovery import MAX_RECOVERIES
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import ALONE
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.untrusted import LOAD_MEMORY_MB
from kinfer_ros.untrusted import LOAD_SECONDS

Parameters = Mapping[str, Any]
"""Values of the node's parameters (run/parameters.py), by name."""


@dataclass(frozen=True)
class PolicySetup:
    """A policy, or a set of them, on its robot, checked; nothing is on disk yet."""

    policy: Policy
    """Of a set the one that runs first."""
    robot: Robot
    controller: Controller
    gains: Gains
    rate_hz: float
    report: list[Row]
    """Result of the checks; none has failed."""
    policy_set: LoadedSet | None = None

    @property
    def path(self) -> Path:
        """The file of the policy, or of the set."""
        return self.policy_set.policy_set.path if self.policy_set else self.policy.contract.path

    @property
    def policies(self) -> dict[str, Policy]:
        """The policies by name; a policy alone has the name ''."""
        return self.policy_set.policies if self.policy_set else {ALONE: self.policy}

    @property
    def loaded(self) -> LoadedSet:
        """The set; a policy alone is a set of one."""
        return self.policy_set or LoadedSet.of_one(self.policy)

    @property
    def buttons(self) -> dict[str, int]:
        """The joystick's buttons that ask for a policy of the set, by name."""
        return self.policy_set.policy_set.buttons if self.policy_set else {}

    @property
    def running(self) -> Policy:
        """The policy that runs, or that runs next."""
        return self.policies.get(self.controller.policies.running, self.policy)

    def describe(self) -> str:
        """Say what was loaded."""
        contract = self.policy.contract
        what = str(contract.path)
        if self.policy_set is not None:
            listed = ', '.join(self.policies)
            what = f'{self.policy_set.policy_set.path} ({listed}; first {contract.path})'
            if self.policy_set.policy_set.recovers:
                what += f'; after a fall: {self._after_fall()}'
        return (
            f'{what}: {len(contract.joint_names)} joints, command '
            f'{list(contract.command_names)}, {self.rate_hz:g} Hz'
        )

    def _after_fall(self) -> str:
        if not self.controller.recovery.allowed:
            return 'a fault, latched (allow_recovery is false)'
        return f'at most {MAX_RECOVERIES} recoveries (allow_recovery is true)'

    @property
    def period_ns(self) -> int:
        """Control period in ns."""
        return round(1e9 / self.rate_hz)


def load_policy(parameters: Parameters, interrupted: Callable[[], bool] = lambda: False) -> Policy:
    """
    Load the policy, within `load_timeout` and `load_memory_mb`.

    :param interrupted: True ends the wait.
    :raises ModelError: the file is missing or wrong, or takes too much.
    :raises NotReady: `interrupted`.
    """
    return _load(parameters['model'], parameters['spec'] or None, parameters, interrupted)


def _load(
    model: str | Path,
    spec: str | Path | None,
    parameters: Parameters,
    interrupted: Callable[[], bool],
) -> Policy:
    return load_model(
        model,
        spec=spec,
        threads=parameters['inference_threads'],
        trial=_limits(parameters, interrupted),
        control_rate_hz=other_rate(parameters),
    )


def _limits(parameters: Parameters, interrupted: Callable[[], bool]) -> TrialLimits:
    # Runs of earlier versions have no limits.
    return TrialLimits(
        parameters.get('load_timeout', LOAD_SECONDS),
        parameters.get('load_memory_mb', LOAD_MEMORY_MB),
        interrupted,
    )


def load_policies(
    parameters: Parameters, interrupted: Callable[[], bool] = lambda: False
) -> LoadedSet:
    """
    Load the policy of `model`, or all policies of `policies`.

    :raises KinferRosError: as `load_policy`; the set is wrong.
    """
    path = parameters.get('policies', '')
    if not path:
        return LoadedSet.of_one(load_policy(parameters, interrupted))
    for name in ('model', 'spec'):
        if parameters[name]:
            raise ConfigError(
                f'parameter {name}: found {parameters[name]}, expected none beside policies: the '
                'set names its models'
            )
    return load_set(
        path,
        lambda each: _load(each.model, each.spec, parameters, interrupted),
        threads=parameters['inference_threads'],
        trial=_limits(parameters, interrupted),
    )


def other_rate(parameters: Parameters) -> float | None:
    """Return the control rate, Hz, that was asked for instead of the policy's own, or None."""
    # Runs of earlier versions ticked at another rate, with the gait clock of the policy's.
    return parameters['control_rate'] or None if parameters.get('other_control_rate') else None


def _check_rate(policy: Policy, parameters: Parameters) -> None:
    """:raises ConfigError: the control rate is another than the policy's, unasked."""
    asked, own = parameters['control_rate'], policy.contract.control_rate_hz
    allowed = parameters.get('other_control_rate', True)
    if asked and own and not allowed and abs(asked - own) > 1e-6 * own:
        raise ConfigError(
            f'parameter control_rate: found {asked:g} Hz, expected {own:g} Hz, as '
            f'{policy.contract.path} was trained: leave it at 0, or set other_control_rate as well'
        )


def _check_recovery(loaded: LoadedSet, parameters: Parameters) -> None:
    """:raises ConfigError: what it needs beside the operator's leave is not there."""
    if not loaded.policy_set.recovers:
        raise ConfigError(
            'parameter allow_recovery: found true, but no policy to get up with: expected a '
            'policy set (policies) with a transition {from: any, to: ..., automatic: fallen}, or '
            'false'
        )
    if parameters['joy_deadman_button'] < 0:
        raise ConfigError(
            'parameter allow_recovery: found true without a dead-man button, which a person holds '
            'throughout: set joy_deadman_button to its number (ros2 topic echo joy shows it), or '
            'allow_recovery to false'
        )


def load_setup(
    parameters: Parameters, interrupted: Callable[[], bool] = lambda: False
) -> PolicySetup:
    """
    Load model and robot, check that they fit, and run the model once.

    :param interrupted: as of `load_policy`.
    :raises KinferRosError: a file is missing or wrong, or the two do not fit.
    """
    for name in ('model', 'robot'):
        if not parameters[name] and not (name == 'model' and parameters.get('policies')):
            raise ConfigError(
                f'parameter {name} is empty: set it before configure '
                f'(ros2 param set, params_file:=, or {name}:= in the launch file)'
            )
    loaded = load_policies(parameters, interrupted)
    policy = loaded.entry
    if problem := double_use(loaded.policy_set.buttons, parameters):
        raise ConfigError(f'policy set {loaded.policy_set.path}: {problem}')
    _check_rate(policy, parameters)
    # Runs of earlier versions have no imu_mounting.
    mounting = parameters.get('imu_mounting', ())
    robot = change_robot(load_robot(parameters['robot']), imu_mounting=mounting)
    if parameters['log_zstd'] and not parameters['log_rotate_mb']:
        raise ConfigError(
            'log_zstd compresses the closed parts of the step log, which log_rotate_mb 0 never '
            'makes: set it, for example to 64'
        )
    allow_recovery = bool(parameters.get('allow_recovery', False))
    if allow_recovery:
        _check_recovery(loaded, parameters)
    rate_hz = parameters['control_rate'] or policy.contract.control_rate_hz or DEFAULT_RATE_HZ
    settings = SessionSettings(
        period_ns=round(1e9 / rate_hz),
        ramp_speed=parameters['ramp_speed'],
        fade_ns=round(parameters['fade_time'] * 1e9),
        auto_run=parameters['auto_run'],
        duration_ns=round(parameters['duration'] * 1e9),
        blend_ns=round(parameters['blend_time'] * 1e9),
        default_command=_triple(parameters['default_command']),
        command_entries=tuple(name for name in parameters['policy_command_entries'] if name),
        overrides=read_override_settings(parameters, robot),
        allow_recovery=allow_recovery,
        max_ramp=parameters.get('max_ramp', 2.0),
        real_time=not parameters['lockstep'],
    )
    live = live_settings_from(parameters)
    report: list[Row] = []
    for name, each in loaded.policies.items():
        member = loaded.policy_set.members[name]
        rows = check_contract(each, robot, settings.command_entries, member)
        raise_if_failed(rows, each.contract.path, robot)
        report += [replace(row, what=f'{name}: {row.what}' if name else row.what) for row in rows]
    controller = assemble_set(loaded, robot, settings, live)
    for bound in controller.policies.members.values():
        if problem := gain_problem(bound.gains, robot, live):
            raise ConfigError(problem)
    return PolicySetup(
        policy, robot, controller, controller.gains.policy, rate_hz, report,
        loaded if loaded.is_set else None,
    )  # fmt: skip


def _triple(values: list[float]) -> tuple[float, float, float]:
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ConfigError(
            f'parameter default_command: found {list(values)}, expected three finite numbers: '
            'linear.x, linear.y, angular.z'
        )
    return (float(values[0]), float(values[1]), float(values[2]))
