"""Sequences by name, one at a time: refused with the reason, and neutral at their end."""

from __future__ import annotations

import pytest

from kinfer_ros.commands.player import SequencePlayer
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Track

RANGES = {'xvel': (-0.3, 0.45), 'basepitch': None}


def sequence(name: str, entry: str) -> CommandSequence:
    return CommandSequence(name, '', {entry: Track((0.0, 2.0), (0.4, 0.4), 'linear')}, 2.0, 0.5)


@pytest.fixture
def player() -> SequencePlayer:
    named = {'go': 'xvel', 'bow': 'basepitch', 'wave': 'relbowpitch'}
    return SequencePlayer({name: sequence(name, entry) for name, entry in named.items()})


def test_what_cannot_be_played_is_refused(player):
    """With the reason, as a parameter's caller sees it."""
    assert player.refusal('go') == 'no policy node is heard'
    player.set_ranges(RANGES)
    assert player.refusal('go') == player.refusal('') == ''
    assert player.refusal('bwo').startswith("there is no sequence 'bwo' (did you mean 'bow'?): go")
    assert 'wave needs relbowpitch' in player.refusal('wave')


def test_it_is_played_and_over(player):
    """Blended in and out, neutral once more, then silent, so that others may command."""
    player.set_ranges(RANGES)
    assert player.message(0.0) is None
    player.play('go', 10.0)
    found = [player.message(at)['xvel'] for at in (10.0, 10.25, 11.0, 12.25)]
    assert found == pytest.approx([0.0, 0.2, 0.4, 0.2])
    assert player.playing == 'go'
    assert player.message(12.6) == {'xvel': 0.0}
    assert player.playing == ''
    assert player.message(12.7) is None
    assert player.end() is None


def test_a_stop_and_another_sequence(player):
    """The empty name blends out; another name begins where this one is."""
    player.set_ranges(RANGES)
    player.play('go', 0.0)
    player.play('', 1.0)
    assert player.message(1.25) == pytest.approx({'xvel': 0.2})
    player.play('go', 1.25)
    assert player.message(1.25) == pytest.approx({'xvel': 0.2})
    assert player.message(1.5) == pytest.approx({'xvel': 0.3})
    assert player.end() == {'xvel': 0.0}
    player.play('', 5.0)
    assert player.message(5.0) == {'xvel': 0.0}


def test_another_policy_ends_it(player):
    """Its command may have other entries and ranges."""
    player.set_ranges(RANGES)
    player.play('go', 0.0)
    player.set_ranges(dict(RANGES))
    assert player.playing == 'go'
    player.set_ranges({'xvel': None})
    assert player.playing == ''
    assert player.message(1.0) is None
