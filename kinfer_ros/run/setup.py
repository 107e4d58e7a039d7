"""Loads a policy and a robot, and checks that they fit."""

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.overrides.settings import read_override_settings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.untrusted import LOAD_MEMORY_MB
from kinfer_ros.untrusted import LOAD_SECONDS

Parameters = Mapping[str, Any]
"""Values of the node's parameters (run/parameters.py), by name."""


@dataclass(frozen=True)
class PolicySetup:
    """A policy on its robot, checked; nothing is on disk yet."""

    policy: Policy
    robot: Robot
    controller: Controller
    gains: Gains
    rate_hz: float
    report: list[Row]
    """Result of the checks; none has failed."""

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
    # Runs of earlier versions have no limits.
    limits = TrialLimits(
        parameters.get('load_timeout', LOAD_SECONDS),
        parameters.get('load_memory_mb', LOAD_MEMORY_MB),
        interrupted,
    )
    return load_model(
        parameters['model'],
        spec=parameters['spec'] or None,
        threads=parameters['inference_threads'],
        trial=limits,
        control_rate_hz=other_rate(parameters),
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


def load_setup(
    parameters: Parameters, interrupted: Callable[[], bool] = lambda: False
) -> PolicySetup:
    """
    Load model and robot, check that they fit, and run the model once.

    :param interrupted: as of `load_policy`.
    :raises KinferRosError: a file is missing or wrong, or the two do not fit.
    """
    for name in ('model', 'robot'):
        if not parameters[name]:
            raise ConfigError(
                f'parameter {name} is empty: set it before configure '
                f'(ros2 param set, params_file:=, or {name}:= in the launch file)'
            )
    policy = load_policy(parameters, interrupted)
    _check_rate(policy, parameters)
    robot = load_robot(parameters['robot'])
    if parameters['log_zstd'] and not parameters['log_rotate_mb']:
        raise ConfigError(
            'log_zstd compresses the closed parts of the step log, which log_rotate_mb 0 never '
            'makes: set it, for example to 64'
        )
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
        real_time=not parameters['lockstep'],
    )
    live = live_settings_from(parameters)
    report = check_contract(policy, robot, settings.command_entries)
    raise_if_failed(report, policy.contract, robot)
    requested = gains(policy.contract, robot)
    if problem := gain_problem(requested, robot, live):
        raise ConfigError(problem)
    controller = assemble(policy, robot, settings, live)
    return PolicySetup(policy, robot, controller, requested, rate_hz, report)


def _triple(values: list[float]) -> tuple[float, float, float]:
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ConfigError(
            f'parameter default_command: found {list(values)}, expected three finite numbers: '
            'linear.x, linear.y, angular.z'
        )
    return (float(values[0]), float(values[1]), float(values[2]))
