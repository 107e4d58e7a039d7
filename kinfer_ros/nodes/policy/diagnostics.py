"""What the policy node says of itself on /diagnostics, once a second and on every change of mode.

Without this module a monitoring tool could not tell a walking robot from a faulted one.
"""

from __future__ import annotations

import json
import time

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.timing import Schedule
from kinfer_ros.ros.cdr import diagnostic_bytes
from kinfer_ros.run.session import PolicySetup
from kinfer_ros.run.session import RunSession

PERIOD = 1.0

LEVELS = {Mode.FAULT: DiagnosticStatus.ERROR, Mode.DAMP: DiagnosticStatus.WARN}


class DiagnosticsPublisher:
    """
    Publishes one DiagnosticStatus of a policy node.

    :ivar rate: ticks a second over the last period.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._next = 0.0
        self._said: object = None
        self._counted = (0.0, 0)
        self.rate = 0.0

    def update(
        self,
        state: str,
        loaded: PolicySetup | None,
        session: RunSession | None,
        schedule: Schedule | None,
        granted: dict[str, str],
    ) -> bool:
        """
        Publish if a second has gone by or the mode is another; cheap otherwise.

        :param granted: what the operating system granted: control/realtime.py.
        :return: whether it was published.
        """
        now = time.monotonic()
        mode = loaded.controller.mode if loaded else None
        warnings = _warnings(loaded, session)
        said = (state, mode, tuple(text.split(':')[0] for text in warnings))
        if now < self._next and said == self._said:
            return False
        self._said = said
        if now >= self._next:
            self._next = now + PERIOD
            self._measure_rate(now, session)
        level = LEVELS.get(mode, DiagnosticStatus.OK)
        if (warnings or 'stopped' in state) and level == DiagnosticStatus.OK:
            level = DiagnosticStatus.WARN
        texts = (
            f'{self._node.get_fully_qualified_name()}: policy',
            '; '.join([_message(state, loaded), *warnings]),
            loaded.robot.name if loaded else '',
        )
        values: dict[str, object] = {}
        if loaded and session:
            missed = schedule.missed if schedule else 0
            values = self._values(loaded, session, missed, granted)
        # As bytes: at 1 kHz, building the messages of all these values would cost a tick.
        stamp = self._node.get_clock().now().nanoseconds
        self._publisher.publish(diagnostic_bytes(stamp, level, texts, values))
        return True

    def _measure_rate(self, now: float, session: RunSession | None) -> None:
        then, ticks = self._counted
        counted = session.ticks if session else 0
        if now - then > PERIOD / 2:
            self.rate = max(0, counted - ticks) / (now - then)
        self._counted = (now, counted)

    def _values(
        self, loaded: PolicySetup, session: RunSession, missed: int, granted: dict[str, str]
    ) -> dict[str, object]:
        log = session.log.counters() if session.records else None
        contract, command = loaded.policy.contract, loaded.controller.parts.command
        guards = {
            f'guard_{name}': ' '.join(f'{count} {what}' for what, count in counts.items() if count)
            for name, counts in session.guards().items()
        }
        return {
            'mode': loaded.controller.mode,
            'reason': loaded.controller.reason,
            'run': session.path,
            'model': contract.path,
            'model_sha256': contract.sha256,
            'commands': json.dumps(
                {name: contract.command_ranges.get(name) for name in contract.command_names}
            ),
            'command': json.dumps([round(v, 4) for v in command.value.tolist()]),
            'rate_hz': f'{self.rate:.1f}',
            'expected_rate_hz': f'{loaded.rate_hz:g}',
            'ticks': session.ticks,
            'missed_ticks': session.missed + missed,
            'late_p50_us': session.late.quantile_ns(0.5) // 1000,
            'late_p99_us': session.late.quantile_ns(0.99) // 1000,
            'sample_age_p50_us': session.age.quantile_ns(0.5) // 1000,
            'sample_age_p99_us': session.age.quantile_ns(0.99) // 1000,
            **loaded.controller.counts,
            **guards,
            **granted,
            'dropped_records': log['dropped'] if log else 0,
            'log_error': (log['error'] or '') if log else '',
        }


def _warnings(loaded: PolicySetup | None, session: RunSession | None) -> list[str]:
    """What a person should look at, though the robot goes on."""
    found = loaded.controller.parts.watch.panel.warnings() if loaded else []
    if session and session.records and (error := session.log.counters()['error']):
        found = [*found, f'step log: {error}']
    if session and (error := session.log.black_box()['error']):
        found = [*found, f'black box: {error}']
    return found


def _message(state: str, loaded: PolicySetup | None) -> str:
    if loaded is None or not state.startswith('active'):
        return state
    controller = loaded.controller
    return f'{controller.mode}: {controller.reason}' if controller.reason else controller.mode
