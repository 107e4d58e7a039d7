"""Who may command a robot: one at a time, understood as a whole or not at all."""

import numpy as np
import pytest

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.command import JointMap
from kinfer_ros.bridges.command import check_values
from kinfer_ros.bridges.command import parse_sender
from kinfer_ros.bridges.session import SessionGuard
from kinfer_ros.errors import BridgeError


def command(session='a', mode='hold', position=(0.0,)):
    values = None if position is None else np.array(position)
    return Command(session, mode, 0, ('hip',), values)


def test_sender():
    """The mode travels in the command, since two topics are not ordered."""
    assert parse_sender('1234abcd run') == ('1234abcd', 'run', 0)
    assert parse_sender('by-hand') == ('by-hand', '', 0)
    assert parse_sender('1234abcd run 12') == ('1234abcd', 'run', 12)
    assert parse_sender('1234abcd run 0') == ('1234abcd', 'run', 0)


@pytest.mark.parametrize(
    'text',
    [
        '', ' ', 'a run now', 'a rnu', 'a run -1', 'a run 01', 'a run 1.0', 'a run 1e3',
        'a run \N{ARABIC-INDIC DIGIT ONE}', 'a run 1234567890', 'a run 1 1', 'a 1',
    ],
)  # fmt: skip
def test_bad_sender(text):
    """A sender that cannot be told from others cannot be obeyed alone."""
    with pytest.raises(BridgeError, match='found'):
        parse_sender(text)


def test_joints_by_name():
    """Order and subset are the sender's choice; the names decide."""
    joints = JointMap(('a', 'b', 'c'))
    assert joints.indices(['c', 'a']).tolist() == [2, 0]
    assert joints.indices(['c', 'a']) is joints.indices(('c', 'a'))


@pytest.mark.parametrize(
    ('names', 'expected'),
    [([], 'no joint names'), (['a', 'x'], 'found the joints x'), (['a', 'a'], 'more than once')],
)
def test_bad_names(names, expected):
    """One unknown joint means that the sender has another robot in mind."""
    with pytest.raises(BridgeError, match=expected):
        JointMap(('a', 'b')).indices(names)


def test_remembered_lists_are_bounded():
    """A sender of ever new lists must not fill the memory."""
    names = tuple(f'j{k}' for k in range(40))
    joints = JointMap(names)
    for k in range(40):
        joints.indices(names[: k + 1])
    assert len(joints._known) <= JointMap.LIMIT


def test_values_are_checked_whole():
    """Length and finiteness, with the joint named."""
    with pytest.raises(BridgeError, match='found 1 values of target, expected 2'):
        check_values('target', np.zeros(1), ('a', 'b'))
    with pytest.raises(BridgeError, match='not finite for b'):
        check_values('target', np.array([0.0, np.inf]), ('a', 'b'))


def test_first_come_is_served_until_it_leaves():
    """Two senders would tear at the joints in turn."""
    guard = SessionGuard(100)
    assert guard.admits('a')
    guard.note_command(command('a'), 0)
    assert guard.admits('a')
    assert not guard.admits('b')
    guard.note_command(command('a', 'inactive', None), 10)
    assert guard.admits('b')


def test_silence_frees_the_robot():
    """A target must not outlive its sender; damping may."""
    guard = SessionGuard(100)
    guard.note_command(command('a'), 0)
    assert not guard.expired(99)
    assert not guard.expired(100), 'the first call only raises a suspicion'
    assert guard.expired(101)
    assert guard.admits('b')
    guard.note_command(command('b', 'damp', None), 200)
    assert not guard.expired(300)
    assert not guard.expired(301)
    assert guard.holder == ''


def test_own_sleep_is_not_the_senders_silence():
    """After a hiccup of the bridge the missed command waits to be read: read it first."""
    guard = SessionGuard(100)
    guard.note_command(command('a'), 0)
    assert not guard.expired(500)
    guard.note_command(command('a'), 500)
    assert not guard.expired(599)
    assert guard.holder == 'a'
