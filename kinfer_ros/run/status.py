"""The policy node's entry in /diagnostics: level, message and values."""

import json
import time
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.tick import format_mode
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup

PERIOD = 1.0
"""s between two reports; a new mode or warning is reported at once."""


class Severity(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


LEVELS: dict[Mode | None, Severity] = {Mode.FAULT: Severity.ERROR, Mode.DAMP: Severity.WARN}


class Status(NamedTuple):
    """One report."""

    level: Severity
    message: str
    robot: str
    values: Mapping[str, object]
    failures: tuple[str, ...] = ()
    """What a person has to read on the console, too: recording has ended."""


class StatusReporter:
    """
    Decides when to report, and measures the tick rate.

    :ivar rate: ticks per second over the last period.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self._next = 0.0
        self._reported: object = None
        self._counted = (0.0, 0)

    def update(
        self,
        state: str,
        setup: PolicySetup | None,
        session: RunSession | None,
        missed: int,
        granted: Mapping[str, str],
        now: float | None = None,
    ) -> Status | None:
        """
        Return a report if one is due, else None.

        :param missed: ticks missed in the present activation.
        :param granted: as in realtime.py.
        :param now: s, steady clock; default: now.
        """
        now = time.monotonic() if now is None else now
        mode = setup.controller.mode if setup else None
        warnings = _warnings(setup, session)
        running = setup.controller.policies.running if setup else ''
        reported = (state, mode, running, tuple(text.split(':')[0] for text in warnings))
        if now < self._next and reported == self._reported:
            return None
        self._reported = reported
        if now >= self._next:
            self._next = now + PERIOD
            self._measure_rate(now, session)
        level = LEVELS.get(mode, Severity.OK)
        if warnings or 'stopped' in state:
            level = max(level, Severity.WARN)
        values: Mapping[str, object] = {}
        if setup and session:
            values = self._values(setup, session, missed, granted)
        if setup and state.startswith('active'):
            state = format_mode(setup.controller.mode, setup.controller.reason)
        robot = setup.robot.name if setup else ''
        message = '; '.join([state, *warnings])
        return Status(level, message, robot, values, tuple(_failures(session)))

    def _measure_rate(self, now: float, session: RunSession | None) -> None:
        then, ticks = self._counted
        counted = session.ticks if session else 0
        if now - then > PERIOD / 2:
            self.rate = max(0, counted - ticks) / (now - then)
        self._counted = (now, counted)

    def _values(
        self, setup: PolicySetup, session: RunSession, missed: int, granted: Mapping[str, str]
    ) -> dict[str, object]:
        log = session.log.counters() if session.records else None
        contract, controller = setup.running.contract, setup.controller
        ranges = controller.policies.ranges
        # The vector has the entries of all policies of a set.
        vector = controller.inputs.command
        command = dict(zip(vector.names, vector.value.tolist(), strict=True))
        policy_set: dict[str, object] = {}
        if setup.policy_set is not None:
            policy_set = {
                'policy': controller.policies.running,
                'policy_s': f'{controller.policies.running_ns / 1e9:.1f}',
                'policies': json.dumps(list(setup.policies)),
                'next_policies': json.dumps(controller.policies.onward()),
            }
        if controller.recovery.allowed:
            policy_set['recovery'] = controller.recovery.describe()
        guards = {
            f'guard_{name}': ' '.join(f'{count} {what}' for what, count in counts.items() if count)
            for name, counts in session.guards().items()
        }
        return {
            'mode': controller.mode,
            'reason': controller.reason,
            'run': session.path,
            'model': contract.path,
            'model_sha256': contract.sha256,
            **policy_set,
            'commands': json.dumps({name: ranges.get(name) for name in contract.command_names}),
            'command': json.dumps([round(command[name], 4) for name in contract.command_names]),
            'rate_hz': f'{self.rate:.1f}',
            'expected_rate_hz': f'{setup.rate_hz:g}',
            'ticks': session.ticks,
            'missed_ticks': session.missed + missed,
            'late_p50_us': session.late.quantile_ns(0.5) // 1000,
            'late_p99_us': session.late.quantile_ns(0.99) // 1000,
            'sample_age_p50_us': session.age.quantile_ns(0.5) // 1000,
            'sample_age_p99_us': session.age.quantile_ns(0.99) // 1000,
            **controller.counts,
            **_overrides(setup),
            **guards,
            **granted,
            'dropped_records': log['dropped'] if log else 0,
            'log_error': (log['error'] or '') if log else '',
        }


def _overrides(setup: PolicySetup) -> dict[str, str]:
    """Return who moves which joints, where the parameters allow it."""
    overrides = setup.controller.inputs.overrides
    return {} if overrides is None else {'override': overrides.describe()}


def _warnings(setup: PolicySetup | None, session: RunSession | None) -> list[str]:
    """Return what a person should check while the robot continues."""
    found = setup.controller.stats.warnings() if setup else []
    return [*found, *_failures(session)]


def _failures(session: RunSession | None) -> list[str]:
    """Return what cannot be written any more."""
    found = []
    if session and session.records and (error := session.log.counters()['error']):
        found.append(f'step log: {error}')
    if session and (error := session.log.black_box()['error']):
        found.append(f'black box: {error}')
    return found
