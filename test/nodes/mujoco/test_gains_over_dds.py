"""Gains and the commands that were computed for them, in any order, over real DDS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.bridge_client import Client
from helpers.bridge_client import running_bridge

JOINT = 0


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    name = request.node.name.replace('test_', '')[:20]
    with running_bridge(name, 'robot:=biped') as (made, _):
        made.spin_until(lambda: 'joint_states' in made.newest and made.state == 'enabled')
        made.spin_until(lambda: 'joint_gains_in_force' in made.newest)
        yield made


def in_force(client: Client) -> tuple[str, float]:
    """Name and number of what the bridge echoes."""
    echo = client.newest['joint_gains_in_force']
    return echo.header.frame_id, echo.position[JOINT]


def ask(client: Client, kp: float, frame_id: str) -> None:
    """Ask for the stiffness of one joint."""
    client.send_gains([client.newest['joint_states'].name[JOINT]], [kp], [], [], frame_id)


def test_they_meet_in_either_order(client: Client) -> None:
    """The echo names session and version; an old message later changes nothing."""
    pose = list(client.newest['joint_states'].position)
    client.commanding(pose, 0.1)
    ask(client, 50.0, 'aaaaaaaa 1')
    client.commanding(pose, 0.3)
    assert in_force(client)[1] != 50.0, 'kept for its command'
    client.send(pose, version='1')
    client.spin_until(lambda: in_force(client) == ('aaaaaaaa 1', 50.0))
    client.send(pose, version='2')
    ask(client, 60.0, 'aaaaaaaa 2')
    client.spin_until(lambda: in_force(client) == ('aaaaaaaa 2', 60.0))
    ask(client, 50.0, 'aaaaaaaa 1')
    ask(client, 40.0, 'aaaaaaaa')
    client.commanding(pose, 0.3, version='2')
    assert in_force(client) == ('aaaaaaaa 2', 60.0)
    assert client.state == 'enabled'


def test_gains_that_never_come_damp(client: Client) -> None:
    """Held for 0.1 s, then damped with the reason."""
    pose = list(client.newest['joint_states'].position)
    client.commanding(pose, 0.1)
    client.commanding(pose, 0.4, version='1')
    client.spin_until(lambda: client.state.startswith('damping'), 5.0)
    assert client.state == 'damping gains of version 1 are not in force 0.1 s after their command'


def test_a_malformed_version_is_refused(client: Client) -> None:
    """The whole message, of commands and of gains; the bridge goes on."""
    pose = list(client.newest['joint_states'].position)
    client.commanding(pose, 0.1)
    client.spin_until(lambda: bool(client.counters))
    kp = in_force(client)[1]

    def refused(more_than: int) -> bool:
        client.send(pose)
        client.spin_for(0.02)  # a queue of one message: the newest replaces the others
        client.send(pose, version='one')
        ask(client, kp + 1.0, 'aaaaaaaa -1')
        client.spin_for(0.02)
        return client.count('refused') > more_than

    client.spin_until(lambda: refused(3))
    assert in_force(client)[1] == kp


def test_a_sender_that_knows_no_versions(client: Client) -> None:
    """Its gains come into force when they come, as ever."""
    pose = list(client.newest['joint_states'].position)
    client.commanding(pose, 0.1)
    ask(client, 50.0, 'aaaaaaaa')
    client.spin_until(lambda: in_force(client) == ('aaaaaaaa', 50.0))
