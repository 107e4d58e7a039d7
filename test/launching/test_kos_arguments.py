"""`bridge:=kos`: what the launch file and `walk` make of its arguments."""

from __future__ import annotations

import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes


def specs(*words):
    return {spec.executable: spec for spec in nodes(parse(['bridge:=kos', 'robot:=kbot', *words]))}


def test_the_bridge_gets_the_address():
    """Host, port and server of the command line reach the node."""
    found = specs('kos_host:=10.0.0.7', 'kos_port:=50052', 'kos_backend:=kos-sim')
    assert list(found) == ['kos_bridge', 'policy_node', 'recorder']
    given = found['kos_bridge'].given
    assert given == {
        'robot': 'kbot',
        'kos_host': '10.0.0.7',
        'kos_port': 50052,
        'backend': 'kos-sim',
    }


def test_nothing_moves_by_itself():
    """A robot with motors is not enabled, configured or run without being asked."""
    found = specs()
    assert 'auto_enable' not in found['kos_bridge'].given
    assert found['policy_node'].defaults['autostart'] is False
    assert found['policy_node'].defaults['auto_run'] is False


@pytest.mark.parametrize(
    ('word', 'said'),
    [
        ('use_sim_time:=true', '/clock'),
        ('lockstep:=true', 'a real robot does not wait'),
        ('kos_port:=high', 'expected a whole number'),
        ('kos_backend:=kos-bot', 'kos-zbot'),
        ('kos_hst:=x', 'did you mean kos_host?'),
    ],
)
def test_what_cannot_be_is_refused(word, said):
    """Before a node is made."""
    with pytest.raises(ConfigError, match=said.replace('?', r'\?')):
        specs(word)
