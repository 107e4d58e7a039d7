"""`kinfer_ros unitree` on a robot of the tests: which controller is active, and its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.optional import needs_cyclonedds
from helpers.peers.unitree_robot import REST
from helpers.peers.unitree_robot import UnitreeRobot
from helpers.processes import domain
from kinfer_ros.__main__ import main


@pytest.fixture(scope='module')
def peer() -> Iterator[UnitreeRobot]:
    with UnitreeRobot(domain() + 50) as made:
        yield made


def run(command: str, *more: str) -> int:
    words = ['--network-interface', 'lo', '--domain', str(domain() + 50)]
    return main(['unitree', command, *words, *more])


@needs_cyclonedds
def test_state_shows_the_controller(peer, capsys):
    """And the robot, without a word to its motors."""
    peer.ask(**{**REST, 'mode': 'ai'})
    assert run('state') == 1
    text = capsys.readouterr().out
    assert 'mode_machine 5' in text
    assert 'rt/lowstate unitree_hg::msg::dds_::LowState_' in text
    assert 'controller   ai' in text
    peer.ask(mode='')
    assert run('state') == 0
    assert 'controller   none is active' in capsys.readouterr().out
    assert peer.ask()['commands'] == peer.ask()['refused'] == 0


@needs_cyclonedds
def test_release_asks_first(peer, capsys, monkeypatch):
    """Without an answer nothing is released; with yes the mode is empty afterwards."""
    peer.ask(**{**REST, 'mode': 'ai'})
    assert run('release') == 2
    assert 'give --yes' in capsys.readouterr().err
    assert peer.ask()['mode_name'] == 'ai'
    monkeypatch.setattr('sys.stdin.isatty', lambda: True, raising=False)
    monkeypatch.setattr('builtins.input', lambda _: 'no')
    assert run('release') == 1
    assert peer.ask()['mode_name'] == 'ai'
    monkeypatch.setattr('builtins.input', lambda _: 'yes')
    assert run('release') == 0
    assert peer.ask()['mode_name'] == ''
    assert peer.ask()['requests'].count(1003) == 1


@needs_cyclonedds
def test_a_question_that_was_lost_is_asked_again(peer, capsys):
    """DDS may connect the two after it: a switcher that answers must not be called silent."""
    peer.ask(**{**REST, 'mode': 'ai', 'misses': 2})
    assert run('state') == 1
    assert 'controller   ai' in capsys.readouterr().out


@needs_cyclonedds
def test_a_silent_switcher_is_told(peer, capsys):
    """Nobody knows then, which is not the same as none."""
    peer.ask(**{**REST, 'answers': False})
    assert run('release', '--yes') == 2
    assert 'the motion switcher does not answer' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--network-interface', 'eth77'], "found network_interface 'eth77'"),
        (['--network-interface', 'lo', '--robot', 'biped'], 'expected hg or go'),
    ],
)
def test_mistakes_are_one_line(words, said, capsys):
    """Before anything is started."""
    assert main(['unitree', 'state', *words]) == 2
    assert said in capsys.readouterr().err
