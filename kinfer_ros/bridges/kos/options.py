"""What differs between the KOS servers, and how to reach one.

kos-kbot, kos-zbot and kos-sim speak one protocol and mean different things by it. Without this
module those differences would be spread over the bridge as if-clauses that nobody can check.
Sources: the repositories kscalelabs/kos-kbot, kos-zbot and kos-sim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from kinfer_ros.errors import ConfigError

ONLINE_FEEDBACK = 'feedback'
"""An actuator is online when it sent feedback within a second; else it is not there."""
ONLINE_TORQUE = 'torque'
"""`online` says that the torque is on, so it tells nothing before that."""

BY_GAINS = 'gains'
"""Damping: kp 0 and kd as it was, and the target follows the measured pose."""
BY_FOLLOWING = 'follow'
"""Damping: the target follows the measured pose, because the server is slow to take gains."""


@dataclass(frozen=True)
class Backend:
    """What a KOS server makes of the protocol."""

    name: str
    online: str
    damping: str
    torque_switch: bool
    """Whether torque_enabled is obeyed."""
    torque_limit: bool
    """Whether max_torque (Nm) is obeyed."""


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend('kos-kbot', ONLINE_FEEDBACK, BY_GAINS, torque_switch=True, torque_limit=True),
        Backend('kos-zbot', ONLINE_TORQUE, BY_FOLLOWING, torque_switch=True, torque_limit=False),
        Backend('kos-sim', ONLINE_FEEDBACK, BY_GAINS, torque_switch=False, torque_limit=True),
    )
}

AUTO = 'auto'
_OF_ROBOT = {'zbot': 'kos-zbot'}


def backend_of(name: str, robot: str) -> Backend:
    """
    Return a backend by its name; `auto` goes by the robot, kos-kbot being the strictest.

    :raises ConfigError: there is no such backend.
    """
    if name == AUTO:
        name = _OF_ROBOT.get(robot, 'kos-kbot')
    if name not in BACKENDS:
        raise ConfigError(f'found backend {name!r}, expected {AUTO}, {", ".join(BACKENDS)}')
    return BACKENDS[name]


GYRO_UNITS = {'rad': 1.0, 'deg': math.pi / 180.0}
"""Factor from what the gyro gives a second to rad/s."""


@dataclass(frozen=True)
class Connection:
    """Where the server is, and how long to wait for it."""

    host: str
    port: int
    timeout: float
    """s; deadline of each read and command."""
    configure_timeout: float = 1.0
    """s; deadline of each configuration."""
    tls: bool = False
    ca_file: Path | None = None
    """PEM with the certificates to trust; None takes those that gRPC brings."""
    cert_file: Path | None = None
    """PEM of our own certificate, where the server asks for one."""
    key_file: Path | None = None
    tls_name: str = ''
    """Name in the server's certificate, where it is not the host."""

    @property
    def address(self) -> str:
        """`host:port`; an IPv6 address gets its brackets."""
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'{host}:{self.port}'


@dataclass(frozen=True)
class Timeouts:
    """How long what may last."""

    command_timeout_ns: int
    """ns of silence of a sender after which the robot is damped."""
    lost_timeout_ns: int
    """ns without a whole sample after which the robot counts as lost."""
    ramp_time: float
    """s, in which the stiffness is taken away before the torque goes off."""


def check_connection(connection: Connection) -> None:
    """
    Find what can never work before anything connects.

    :raises ConfigError: a host that is none (gRPC would take `unix:` and others for a way to
        somewhere else), or certificates without TLS, or half a pair of them.
    """
    host = connection.host
    allowed = all(part.isalnum() or part in '.-_:%' for part in host)
    if not host or not allowed or host.startswith(('-', 'unix:', 'dns:', 'ipv', 'vsock:')):
        raise ConfigError(
            f'found kos_host {host[:60]!r}, expected a host name or an IP address without a port'
        )
    files = (connection.ca_file, connection.cert_file, connection.key_file)
    if not connection.tls and (any(files) or connection.tls_name):
        raise ConfigError('TLS files are given, but kos_tls is false: set kos_tls:=true')
    if bool(connection.cert_file) != bool(connection.key_file):
        raise ConfigError('found one of kos_tls_cert and kos_tls_key, expected both or none')
