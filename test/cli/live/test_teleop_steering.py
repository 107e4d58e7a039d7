"""Keys and commands: no key leaves the policy's training range, space is neutral."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinfer_ros.cli.live.teleop_screen import render
from kinfer_ros.cli.live.teleop_steering import DOWN
from kinfer_ros.cli.live.teleop_steering import DRIVE
from kinfer_ros.cli.live.teleop_steering import LEFT
from kinfer_ros.cli.live.teleop_steering import RIGHT
from kinfer_ros.cli.live.teleop_steering import UP
from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.cli.live.teleop_steering import split_keys
from kinfer_ros.commands.ranges import parse_ranges
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Track

RANGES = {'xvel': (-0.3, 0.45), 'yvel': (-0.1, 0.1), 'yawrate': (-1.0, 1.0), 'baseheight': None}
KEYS = [UP, DOWN, LEFT, RIGHT, ' ', *DRIVE, 'z', '\x1b']


def values(steering: Steering) -> dict[str, float]:
    return {entry.name: entry.value for entry in steering.entries}


def test_keys_drive_by_name():
    """Key w is forward, whatever is selected; arrows reach the entries without a key."""
    steering = Steering(RANGES)
    for key in ('w', 'w', 'a', 'e', UP, RIGHT):
        assert steering.key(key)
    assert values(steering) == {
        'xvel': 0.09, 'yvel': -0.01, 'yawrate': 0.1, 'baseheight': 0.05
    }  # fmt: skip
    assert not steering.key('z')
    assert not Steering({'rgripper': None}).key('w')
    assert not Steering({}).key(' ')


@given(st.lists(st.sampled_from(KEYS), max_size=60))
def test_no_key_sequence_leaves_the_ranges(keys):
    """A space at the end sets everything to neutral."""
    steering = Steering(RANGES)
    for key in keys:
        steering.key(key)
        for entry in steering.entries:
            assert entry.bounds is None or entry.bounds[0] <= entry.value <= entry.bounds[1]
    steering.key(' ')
    assert set(values(steering).values()) == {0.0}


def test_up_and_down_again_is_neutral():
    """Not -5.5e-17: a start is refused under a command that is not neutral."""
    steering = Steering(RANGES)
    for key in 'wwwwwwwsssssss':
        steering.key(key)
    assert values(steering)['xvel'] == 0.0
    for key in 'w' * 20:
        steering.key(key)
    assert values(steering)['xvel'] == 0.45


def test_neutral_is_in_the_range():
    """A height with a minimum of 0.2 cannot be 0."""
    steering = Steering({'height': (0.2, 0.4)})
    assert values(steering) == {'height': 0.2}
    steering.key(RIGHT)
    assert values(steering) == {'height': pytest.approx(0.22)}


def test_split_keys():
    """One read may contain several keys; terminals send arrows in two ways."""
    assert split_keys('w\x1b[A \x1bOBq\x1b') == ['w', UP, ' ', DOWN, 'q', '\x1b']


def test_ranges_are_read_strictly():
    """They come from a topic."""
    text = json.dumps(RANGES)
    assert parse_ranges(text) == RANGES
    assert list(parse_ranges(text)) == list(RANGES)
    assert parse_ranges(r'{"\ud800": null}') == {'\ufffd': None}, 'a screen has to write it'
    bad = (
        '[]',
        '{"x": [1]}',
        '{"x": [2, 1]}',
        '{"x": ["a", 1]}',
        '{"x": [NaN, 1]}',
        '{',
        ' ' * 70000,
    )
    for each in bad:
        with pytest.raises(ValueError, match=r'no|could|Expecting|too long'):
            parse_ranges(each)


def wave(entry: str = 'baseheight', name: str = 'wave') -> CommandSequence:
    return CommandSequence(name, '', {entry: Track((0.0, 2.0), (0.0, 0.4), 'linear')}, 2.0, 0.5)


def test_digits_play_sequences_that_the_policy_can_play():
    """A sequence owns its entries while it plays, and leaves them neutral; others stay."""
    steering = Steering(RANGES, [wave('rgripper', 'grip'), wave(), wave('xvel', 'go')])
    assert {key: each.name for key, each in steering.sequences.items()} == {'1': 'wave', '2': 'go'}
    steering.advance(10.0)
    steering.key('w')
    assert steering.key('1')
    assert steering.playing == 'wave'
    steering.advance(11.0)
    assert values(steering) == {'xvel': 0.045, 'yvel': 0, 'yawrate': 0, 'baseheight': 0.2}
    steering.key(UP)
    steering.key(RIGHT)  # the entry that is played
    steering.advance(12.25)
    assert values(steering)['baseheight'] == pytest.approx(0.2), 'half blended out'
    steering.advance(12.5)
    assert steering.playing == ''
    assert values(steering) == {'xvel': 0.045, 'yvel': 0, 'yawrate': 0, 'baseheight': 0}
    assert not steering.key('3')


def test_a_sequence_ends_by_its_key_by_another_and_at_once_by_space():
    """As any command."""
    steering = Steering(RANGES, [wave(), wave('xvel', 'go')])
    steering.key('1')
    steering.advance(1.0)
    steering.key('1')
    steering.advance(1.25)
    assert values(steering)['baseheight'] == pytest.approx(0.1)
    steering.key('2')
    assert values(steering)['baseheight'] == 0.0
    steering.advance(2.25)
    assert steering.playing == 'go'
    assert values(steering)['xvel'] == pytest.approx(0.2)
    steering.key(' ')
    assert steering.playing == ''
    assert set(values(steering).values()) == {0.0}
    assert 'plays go' not in render(steering, '', {}, '')
    steering.key('2')
    screen = render(steering, '', {}, '')
    assert '1 wave   2 go' in screen
    assert 'plays go' in screen
