"""`udp_commands:=true`: what the launch file and `walk` make of its arguments."""

from __future__ import annotations

import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes


def specs(*words):
    return {spec.executable: spec for spec in nodes(parse([*words]))}


def test_it_is_asked_for():
    """A robot does not listen on a port that nobody asked for."""
    assert 'udp_commands' not in specs()
    assert specs('udp_commands:=true')['udp_commands'].given == {}


def test_the_node_gets_where_and_who():
    """Senders are a list, in which spaces mean nothing."""
    found = specs(
        'udp_commands:=true', 'udp_host:=0.0.0.0', 'udp_port:=10001',
        'udp_allow_from:=10.0.0.1, 10.1.0.0/16',
    )  # fmt: skip
    assert found['udp_commands'].given == {
        'host': '0.0.0.0', 'port': 10001, 'allow_from': ['10.0.0.1', '10.1.0.0/16']
    }  # fmt: skip


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['udp_host:=0.0.0.0'], 'argument udp_host needs udp_commands:=true'),
        (['udp_allow_from:=10.0.0.1'], 'argument udp_allow_from needs udp_commands:=true'),
        (['udp_commands:=true', 'udp_port:=vr'], "udp_port: found 'vr', expected a whole number"),
    ],
)
def test_arguments_that_do_nothing_are_refused(words, said):
    """Who names a sender must not believe that it is heard."""
    with pytest.raises(ConfigError, match=said):
        nodes(parse(words))


def test_sequences_are_asked_for():
    """As every node that commands."""
    assert 'command_sequences' not in specs()
    assert specs('command_sequences:=true')['command_sequences'].given == {}
