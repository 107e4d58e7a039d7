"""Messages of the node that moves joints: who owns them, what is refused, what is old."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinfer_ros.control.overrides.inbox import MAX_AGE_NS
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.control.overrides.inbox import Sender

NOW = 5_000_000_000
MS = 1_000_000
WAVE, OTHER = Sender(b'1', '/wave'), Sender(b'2', '/other')


@pytest.fixture
def inbox():
    limits = np.array([[-1.0, -1.0], [1.0, 2.0]])
    return OverrideInbox(('elbow', 'wrist'), ('knee', 'elbow', 'wrist'), limits)


def take(inbox, names=('elbow',), target=(0.5,), *, sender=WAVE, now=NOW, stamp=None, clock=None):
    clock = now if clock is None else clock
    stamp = clock if stamp is None else stamp
    return inbox.take(sender, list(names), np.array(target, float), stamp, now, clock)


def alive(inbox, now=NOW, clock=None):
    found = np.zeros(2, bool)
    inbox.alive(now, now if clock is None else clock, found)
    return found.tolist()


def test_a_message_moves_the_joints_that_it_names(inbox):
    """By name, whatever their order; the others stay the policy's."""
    assert take(inbox, ('wrist',), (0.25,)) == ''
    assert alive(inbox) == [False, True]
    assert take(inbox, ('wrist', 'elbow'), (0.5, -0.5)) == ''
    assert alive(inbox) == [True, True]
    assert inbox.target.tolist() == [-0.5, 0.5]
    assert inbox.owner == WAVE


@pytest.mark.parametrize(
    ('names', 'target', 'words'),
    [
        (['elbow'], [math.nan], 'elbow is not finite'),
        (['elbow', 'wrist'], [0.0, math.inf], 'wrist is not finite'),
        (['elbow'], [1e9], 'not finite, or absurd'),
        (['elbow', 'tail'], [0.0, 0.0], 'the robot has no joints tail'),
        (['knee'], [0.0], 'knee may not be moved, only elbow, wrist (override_joints)'),
        (['elbow', 'elbow'], [0.0, 0.0], 'names elbow twice'),
        (['elbow'], [0.0, 0.0], '1 names with 2 positions'),
        (['elbow', 'wrist'], [], '2 names with 0 positions'),
        (['elbow'] * 1025, [0.0] * 1025, 'at most 1024'),
        (['elbow', '\x1b[2J'], [0.0, 0.0], 'no joints \\x1b[2J'),
    ],
)
def test_a_message_that_cannot_be_used_is_refused_as_a_whole(inbox, names, target, words):
    """It moves nothing, names its publisher, and gives nobody the joints."""
    text = take(inbox, names, target)
    assert words in text
    assert '/wave' in text
    assert alive(inbox) == [False, False]
    assert inbox.owner is None
    assert inbox.refused == 1
    assert take(inbox, sender=OTHER) == ''


def test_refused_messages_keep_nothing_alive(inbox):
    """A publisher of NaN is silent, though it talks."""
    take(inbox)
    later = NOW + MAX_AGE_NS + 1
    take(inbox, target=(math.nan,), now=later)
    assert alive(inbox, later) == [False, False]
    assert inbox.target[0] == 0.5


def test_a_message_without_names_gives_all_back(inbox):
    """At once, without waiting for silence; the node goes on to own the joints."""
    take(inbox, ('wrist', 'elbow'), (0.5, -0.5))
    assert take(inbox, (), ()) == ''
    assert alive(inbox) == [False, False]
    assert 'only one node may' in take(inbox, sender=OTHER)


def test_a_second_publisher_is_refused_and_named(inbox):
    """Until the first has been silent."""
    take(inbox)
    text = take(inbox, target=(-0.5,), sender=OTHER, now=NOW + 50 * MS)
    assert '/other is refused: /wave moves the joints' in text
    assert inbox.target[0] == 0.5
    assert inbox.owner == WAVE
    assert take(inbox, target=(-0.5,), sender=OTHER, now=NOW + MAX_AGE_NS + 1) == ''
    assert inbox.owner == OTHER
    assert inbox.target[0] == -0.5


@pytest.mark.parametrize('of', ['stamp', 'arrival'])
def test_an_old_message_is_silence(inbox, of):
    """By its stamp and by its arrival: setting a clock does not keep it alive."""
    take(inbox)
    for age, expected in ((MAX_AGE_NS, True), (MAX_AGE_NS + 1, False)):
        now, clock = (NOW, NOW + age) if of == 'stamp' else (NOW + age, NOW)
        assert alive(inbox, now, clock)[0] is expected


@pytest.mark.parametrize(
    ('stamp', 'words'),
    [
        (0, 'header.stamp is 0'),
        (NOW - MAX_AGE_NS - 1, 'counts as silence'),
        (NOW + 200 * MS, 'in the future'),
    ],
)
def test_stamps_that_tell_no_age_are_refused(inbox, stamp, words):
    """A stamp from the future would keep a dead node's targets alive."""
    assert words in take(inbox, stamp=stamp)
    assert alive(inbox) == [False, False]


def test_a_message_that_was_overtaken_changes_nothing(inbox):
    """Best effort does not keep the order."""
    take(inbox, target=(0.5,), stamp=NOW)
    assert take(inbox, target=(0.25,), stamp=NOW - 20 * MS) == ''
    assert inbox.target[0] == 0.5


def test_targets_stay_within_the_joint_limits(inbox):
    """And it is known, to be counted as a limit."""
    take(inbox, ('elbow', 'wrist'), (5.0, 1.5))
    assert inbox.target.tolist() == [1.0, 1.5]
    assert inbox.beyond.tolist() == [True, False]


def test_a_session_begins_with_nothing(inbox):
    """Targets of the last one are forgotten, and its owner."""
    take(inbox)
    inbox.restart()
    assert alive(inbox) == [False, False]
    assert (inbox.owner, inbox.newest_ns) == (None, 0)
