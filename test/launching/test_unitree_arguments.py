"""`bridge:=unitree`: what the launch file and `walk` make of its arguments."""

from __future__ import annotations

import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes


def specs(*words):
    given = parse(['bridge:=unitree', 'robot:=g1', *words])
    return {spec.executable: spec for spec in nodes(given)}


def test_the_bridge_gets_the_interface():
    """From the command line; else from a params_file, or it refuses to start."""
    found = specs('network_interface:=eth0')
    assert list(found) == ['unitree_bridge', 'policy_node', 'recorder']
    assert found['unitree_bridge'].given == {'robot': 'g1', 'network_interface': 'eth0'}
    assert specs()['unitree_bridge'].given == {'robot': 'g1'}


def test_nothing_moves_by_itself():
    """A robot with motors is not enabled, configured or run without being asked."""
    policy = specs()['policy_node']
    assert policy.defaults['autostart'] is False
    assert policy.defaults['auto_run'] is False


@pytest.mark.parametrize(
    ('word', 'said'),
    [
        ('use_sim_time:=true', '/clock'),
        ('lockstep:=true', 'a real robot does not wait'),
        ('auto_enable:=true', 'enabled by ~/enable alone'),
    ],
)
def test_what_cannot_be_is_refused(word, said):
    """Before a node is made."""
    with pytest.raises(ConfigError, match=said):
        specs(word)
