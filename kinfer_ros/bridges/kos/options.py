"""Differences between the KOS servers, and how to connect to one.

kos-kbot, kos-zbot and kos-sim have one protocol and implement it differently. Sources: the
repositories kscalelabs/kos-kbot, kos-zbot and kos-sim.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from kinfer_ros.errors import ConfigError

ONLINE_FEEDBACK = 'feedback'
"""`online`: the actuator sent feedback within the last second."""
ONLINE_TORQUE = 'torque'
"""`online`: the torque is on; before that it has no meaning."""

BY_GAINS = 'gains'
"""Damping: kp 0, kd unchanged, and the target follows the measured pose."""
BY_FOLLOWING = 'follow'
"""Damping: the target follows the measured pose; for servers that take gains slowly."""


@dataclass(frozen=True)
class Backend:
    """How a KOS server implements the protocol."""

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
    Return a backend by its name; `auto` depends on the robot, by default the strict kos-kbot.

    :raises ConfigError: there is no such backend.
    """
    if name == AUTO:
        name = _OF_ROBOT.get(robot, 'kos-kbot')
    if name not in BACKENDS:
        raise ConfigError(f'found backend {name!r}, expected {AUTO}, {", ".join(BACKENDS)}')
    return BACKENDS[name]


GYRO_UNITS = {'rad': 1.0, 'deg': math.pi / 180.0}
"""Factors from the unit of the gyro to rad/s."""


@dataclass(frozen=True)
class Connection:
    """Address of the server, time-outs and TLS."""

    host: str
    port: int
    timeout: float
    """s; deadline of each read and command."""
    configure_timeout: float = 1.0
    """s; deadline of each configuration."""
    tls: bool = False
    ca_file: Path | None = None
    """PEM with trusted certificates; None takes those of gRPC."""
    cert_file: Path | None = None
    """PEM of the client certificate, if the server asks for one."""
    key_file: Path | None = None
    tls_name: str = ''
    """Name in the server's certificate, if it is not the host."""

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'{host}:{self.port}'


def check_connection(connection: Connection) -> None:
    """
    Check a connection before it is made.

    :raises ConfigError: an invalid host (gRPC would take `unix:` and others as another address),
        certificates without TLS, or one of certificate and key without the other.
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
