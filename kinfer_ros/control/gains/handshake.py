"""The gains requested from the bridge, and the gains that it reports in force.

A mismatch prevents an activation, and is a fault while the robot is active.
"""

import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gain_versions import parse_gains_sender
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.gains.requested import RequestedGains
from kinfer_ros.errors import BridgeError

ECHO_TIMEOUT = 1.0
"""s of real time that the bridge may take to echo gains."""
SWITCH_TIMEOUT = 0.2
"""
s that it may take after a switch of policies.

A bridge without the new gains holds the last target for 0.1 s, then reports it. That report is the
better reason for the fault, so it gets another 0.1 s to arrive.
"""


@dataclass(frozen=True)
class GainsEcho:
    """
    What the bridge has in force: [M] by name, kp Nm/rad, kd Nm s/rad, torque limit Nm.

    :ivar frame_id: their sender and version, where the bridge says it.
    """

    names: Sequence[str]
    kp: Sequence[float]
    kd: Sequence[float]
    torque_limit: Sequence[float]
    frame_id: str = ''


class GainsHandshake:
    """
    Tells when gains have to be sent, and checks the echo.

    :ivar in_force: newest echo of the bridge, or None.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """:param clock: s, steady."""
        self.in_force: GainsEcho | None = None
        self._clock = clock
        self._names: Sequence[str] = ()
        nothing = Gains(np.empty(0), np.empty(0), np.empty(0))
        self._requested = RequestedGains(nothing, GainRamp(1.0, 1.0, 1.0))
        self._session = ''
        self._sent = 0
        self._sent_s = 0.0
        self._patience = ECHO_TIMEOUT
        self._checked: GainsEcho | None = None

    def set_target(self, names: Sequence[str], requested: RequestedGains) -> None:
        """Follow the gains that a controller requests."""
        self._names, self._requested = names, requested

    def begin_session(self, session: str = '') -> None:
        """Start a session, whose gains have been sent."""
        self._session = session
        self._requested.begin_session()
        self._note_sent()

    def is_due(self) -> bool:
        """Whether the controller requests other gains than were sent."""
        return self._requested.changes != self._sent

    def send(self) -> tuple[Sequence[str], Gains]:
        """Note that gains are sent now; :return: joint names and gains."""
        self._note_sent()
        return self._names, self._requested.now()

    @property
    def version(self) -> int:
        """The version of the gains requested in this session."""
        return self._requested.version

    def mismatch(self) -> str:
        """Return which joints have other gains in force than requested, or ''."""
        found = self.in_force
        if found is None:
            return 'joint_gains_in_force is silent: the bridge has not echoed the gains'
        if problem := self._version_problem(found):
            return problem
        joints = self._differing(found)
        return f'the gains in force are not those asked for: {joints}' if joints else ''

    def fault(self, *, recheck: bool = False) -> str:
        """
        Return `mismatch`, or '' before the bridge had time for an echo.

        :param recheck: check an echo again that was checked before.
        """
        found = self.in_force
        settled = self._clock() - self._sent_s > self._patience
        if found is None or not settled or (found is self._checked and not recheck):
            return ''
        self._checked = found
        return self.mismatch()

    def _note_sent(self) -> None:
        requested = self._requested
        self._sent, self._sent_s = requested.changes, self._clock()
        # In lockstep the bridge waits: nothing moves with the old gains meanwhile.
        brief = requested.switched and not requested.every_step
        self._patience = SWITCH_TIMEOUT if brief else ECHO_TIMEOUT
        self._checked = None

    def _version_problem(self, found: GainsEcho) -> str:
        """Return that the echo is of another version of this session, or ''."""
        if not self._session or found.frame_id.split()[:1] != [self._session]:
            return ''  # a driver that knows no versions, or gains of before the session
        try:
            _, version = parse_gains_sender(found.frame_id)
        except BridgeError as error:
            return f'joint_gains_in_force: {error}'
        if version == self.version:
            return ''
        return f'the gains in force are of version {version}, not {self.version}'

    def _differing(self, found: GainsEcho) -> list[str]:
        columns: tuple[Sequence[float], ...] = (found.kp, found.kd, found.torque_limit)
        if any(len(column) != len(found.names) for column in columns):
            return list(self._names)  # an incomplete echo confirms nothing
        in_force = dict(zip(found.names, zip(*columns, strict=True), strict=True))
        requested = self._requested.now()
        return [
            name
            for name, *values in zip(
                self._names, requested.kp, requested.kd, requested.torque_limit, strict=True
            )
            if name not in in_force or not _close(values, in_force[name])
        ]


def _close(values: Sequence[float] | Float64, found: Sequence[float]) -> bool:
    return bool(np.allclose(values, found, rtol=1e-4, atol=1e-6))
