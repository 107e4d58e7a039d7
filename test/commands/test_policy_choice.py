"""Policies of a set in `teleop`: listed from a topic, a key each, the running one marked."""

from __future__ import annotations

import json

import pytest

from kinfer_ros.cli.live.teleop import SERVICES
from kinfer_ros.cli.live.teleop_screen import BOLD
from kinfer_ros.cli.live.teleop_screen import render
from kinfer_ros.cli.live.teleop_steering import DRIVE
from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.commands.policy_choice import KEYS
from kinfer_ros.commands.policy_choice import NO_CHOICE
from kinfer_ros.commands.policy_choice import parse_policies
from kinfer_ros.policy.sets.policy_set import MAX_POLICIES

VALUES = {
    'policy': 'walk',
    'policies': json.dumps(['walk', 'dance', 'stand']),
    'next_policies': json.dumps(['dance']),
}


def test_every_policy_has_a_key_that_does_nothing_else():
    """The key of a step forward must not start a dance."""
    assert len(set(KEYS)) == len(KEYS) == MAX_POLICIES
    assert not set(KEYS) & {*DRIVE, *SERVICES, *'123456789', ' ', '\x1b'}
    choice = parse_policies(VALUES)
    assert [choice.of_key(key) for key in 'bcf'] == ['walk', 'dance', 'stand']
    assert choice.of_key('h') == choice.of_key('w') == choice.of_key('\x1b[A') == ''


def test_a_policy_alone_has_no_list():
    """The screen is as it was."""
    choice = parse_policies({'commands': '{}'})
    assert choice is NO_CHOICE
    assert choice.of_key('b') == ''
    screen = render(Steering({'xvel': None}), 'run', {}, '')
    assert 'key  policy' not in screen
    assert screen == render(Steering({'xvel': None}), 'run', {}, '', NO_CHOICE)


def test_the_screen_says_which_runs_and_where_there_is_no_way():
    """With the answer of the node below."""
    screen = render(
        Steering({}), 'run: policy walk', {}, 'policy x: refused', parse_policies(VALUES)
    )
    lines = screen.replace('\x1b[K', '').split('\r\n')
    assert f'{BOLD}   b   walk   runs\x1b[0m' in lines
    assert '   c   dance' in lines
    assert '   f   stand  no way from walk' in lines
    assert any('policy x: refused' in line for line in lines)


def test_names_cannot_control_the_terminal():
    """They come from a topic."""
    values = {'policy': '\x1b[2J', 'policies': json.dumps(['\x1b[2J', 'a' * 5000])}
    screen = render(Steering({}), 'run', {}, '', parse_policies(values))
    assert '\x1b[2J' not in screen
    assert 'a' * 100 not in screen


@pytest.mark.parametrize('text', ['{}', '[1]', '[', ' ' * 70000, 'null'])
def test_policies_are_read_strictly(text):
    """Anything else is an error, no list."""
    with pytest.raises(ValueError, match=r'names|Expecting|too long'):
        parse_policies(VALUES | {'policies': text})


def test_more_policies_than_keys_are_left_out():
    """A set has at most as many."""
    names = [f'p{n}' for n in range(100)]
    assert len(parse_policies(VALUES | {'policies': json.dumps(names)}).names) == MAX_POLICIES
