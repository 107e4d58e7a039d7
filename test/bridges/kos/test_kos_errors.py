"""KOS failures in words, and connections that cannot be meant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kinfer_ros.bridges.kos.errors import format_error
from kinfer_ros.bridges.kos.errors import format_rpc_error
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import backend_of
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.errors import ConfigError


def failed(code: str, details: str = '') -> SimpleNamespace:
    return SimpleNamespace(code=lambda: SimpleNamespace(name=code), details=lambda: details)


@pytest.mark.parametrize(
    ('code', 'details', 'said'),
    [
        ('DEADLINE_EXCEEDED', '', 'no answer from robot:50051 within 100 ms'),
        ('UNAVAILABLE', 'connect: Connection refused', 'nothing listens at robot:50051'),
        ('UNAVAILABLE', 'DNS resolution failed', 'cannot find the host of robot:50051'),
        ('UNAVAILABLE', 'No route to host', 'is the robot switched on'),
        ('UNAVAILABLE', 'SSL handshake failed', 'check kos_tls and the certificates'),
        ('UNIMPLEMENTED', 'unknown service', 'is it a KOS server'),
        ('INTERNAL', "'Joint ID 36 not found'", "failed (INTERNAL): 'Joint ID 36 not found'"),
        ('PERMISSION_DENIED', 'no', 'answers PERMISSION_DENIED: no'),
    ],
)
def test_each_failure_says_what_to_check(code, details, said):
    """A bare gRPC code is a riddle; the address and what to look at are the answer."""
    text = format_rpc_error(failed(code, details), 'reading', 'robot:50051', 0.1)
    assert text.startswith('reading: ')
    assert said in text


def test_a_servers_text_is_bounded_and_plain():
    """What a server says goes into logs and terminals: one line, no control characters."""
    error = SimpleNamespace(code=3, message='a\nb\x1b[2J' + 'x' * 5000)
    text = format_error(error)
    assert text.startswith('hardware failure: a b')
    assert text.isprintable()
    assert len(text) < 250
    assert format_error(SimpleNamespace(code=77, message='')) == 'error code 77'


@pytest.mark.parametrize(
    'host', ['', 'unix:/tmp/kos', 'dns:///robot', 'robot/x', 'robot 7', 'ipv4:1.2.3.4', '-robot']
)
def test_a_host_is_a_host(host):
    """GRPC takes other schemes for a way to somewhere else than was named."""
    with pytest.raises(ConfigError, match='expected a host name'):
        check_connection(Connection(host, 50051, 0.1))


@pytest.mark.parametrize('host', ['robot', 'robot.local', '10.0.0.7', '::1', 'fe80::1%eth0'])
def test_usual_hosts_are_taken(host):
    """Names, IPv4 and IPv6."""
    connection = Connection(host, 50051, 0.1)
    check_connection(connection)
    assert connection.address.endswith(':50051')
    assert connection.address.startswith('[') == (':' in host)


def test_backends():
    """By the robot, kos-kbot being the strictest; a misspelt one is refused."""
    assert backend_of('auto', 'zbot').name == 'kos-zbot'
    assert backend_of('auto', 'kbot').name == 'kos-kbot'
    assert backend_of('kos-sim', 'kbot').name == 'kos-sim'
    with pytest.raises(ConfigError, match='kos-zbot'):
        backend_of('zbot', 'zbot')
