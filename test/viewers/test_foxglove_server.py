"""What Foxglove receives: bytes as they came, the state for who comes late, and no control."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from helpers.foxglove_client import FoxgloveClient
from helpers.foxglove_client import attempts
from helpers.optional import needs_foxglove
from kinfer_ros.errors import ConfigError

if TYPE_CHECKING:
    from kinfer_ros.viewers.foxglove_server import FoxgloveServer

pytestmark = needs_foxglove

DEFINITION = 'string data\n'
TYPE = 'std_msgs/msg/String'
WAIT = 10.0


@pytest.fixture
def server() -> Iterator[FoxgloveServer]:
    """A server with a topic and a latched one."""
    from kinfer_ros.viewers.foxglove_server import FoxgloveServer

    server = FoxgloveServer('127.0.0.1', 0, 'test')
    for topic, count in (('/plain', 0), ('/latched', 1)):
        server.add_topic(topic, TYPE, DEFINITION)
        server.keep(topic, count)
    yield server
    server.close()


def until_sent(server: FoxgloveServer, client: FoxgloveClient, topic: str) -> None:
    """Send on a topic until the client has it: its subscription has arrived."""

    def arrived() -> bool:
        server.send(topic, 1, b'probe')
        return bool(client.messages[topic])

    assert client.read_until(arrived, WAIT)


def test_a_message_arrives_as_it_came(server):
    """Foxglove decodes CDR with the definition, as over ros-foxglove-bridge."""
    with FoxgloveClient(server.port) as client:
        until_sent(server, client, '/plain')
        server.send('/plain', 12345, b'\x00\x01\x00\x00some cdr')
        last = (12345, b'\x00\x01\x00\x00some cdr')
        assert client.read_until(lambda: last in client.messages['/plain'], WAIT)
    channel = client.channels['/plain']
    assert channel['encoding'] == 'cdr'
    assert (channel['schemaName'], channel['schemaEncoding']) == (TYPE, 'ros2msg')
    assert channel['schema'] == DEFINITION
    assert set(client.channels) == {'/plain', '/latched'}


def test_who_comes_late_receives_the_state(server):
    """The mode was published before Foxglove was opened; who has it already gets it once."""
    server.send('/latched', 1, b'old')
    server.send('/latched', 2, b'new')
    server.send('/plain', 3, b'gone')
    with FoxgloveClient(server.port) as early, FoxgloveClient(server.port) as late:
        for client in (early, late):

            def has_state(client: FoxgloveClient = client) -> bool:
                server.send_latched()
                return bool(client.messages['/latched'])

            assert client.read_until(has_state, WAIT)
        until_sent(server, early, '/plain')
        assert early.messages['/latched'] == [(2, b'new')] == late.messages['/latched']
        assert (3, b'gone') not in late.messages['/plain']


def test_a_client_changes_nothing(server):
    """A browser tab is no operator: all that would change a robot is refused."""
    with FoxgloveClient(server.port) as client:
        until_sent(server, client, '/plain')
        for attempt in attempts():
            client.ask(attempt)

        def refusals() -> str:
            return ' '.join(str(reply) for reply in client.replies)

        refused = ('clientPublish', 'parameters', 'services')
        assert client.read_until(lambda: all(word in refusals() for word in refused), WAIT)
    assert client.info['capabilities'] == []


def test_a_slow_client_holds_nobody_up(server):
    """It reads nothing while 100 MB go by; the other one has all that it wants."""
    big = bytes(100_000)
    with FoxgloveClient(server.port) as slow, FoxgloveClient(server.port) as quick:
        for client in (slow, quick):
            until_sent(server, client, '/plain')
        begin = time.monotonic()
        for _ in range(1000):
            server.send('/plain', 1, big)
        spent = time.monotonic() - begin
        server.send('/plain', 99, b'last')
        arrived = (99, b'last')
        assert quick.read_until(lambda: arrived in quick.messages['/plain'], WAIT)
        assert spent < 5.0


def test_a_port_that_is_taken_is_one_error(server):
    """Two windows with `watch --foxglove` are an easy mistake."""
    from kinfer_ros.viewers.foxglove_server import FoxgloveServer

    with pytest.raises(ConfigError, match=f'127.0.0.1:{server.port}: .*in use.*--port'):
        FoxgloveServer('127.0.0.1', server.port, 'second')
