"""Gains and the commands that were computed for them meet, in whatever order they come."""

from __future__ import annotations

import numpy as np
import pytest

from kinfer_ros.bridges.gain_versions import MAX_EARLY
from kinfer_ros.bridges.gain_versions import GainVersions
from kinfer_ros.bridges.gain_versions import format_gains_sender
from kinfer_ros.bridges.gain_versions import parse_gains_sender
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.errors import BridgeError


def gains(kp: float) -> Gains:
    return Gains(np.array([kp]), np.array([1.0]), np.array([9.0]))


@pytest.mark.parametrize(
    ('text', 'expected'),
    [('', ('', 0)), ('abcd', ('abcd', 0)), ('abcd 0', ('abcd', 0)), ('abcd 12', ('abcd', 12))],
)
def test_sender_of_gains(text: str, expected: tuple[str, int]) -> None:
    """Senders that know no versions send version 0."""
    assert parse_gains_sender(text) == expected


@pytest.mark.parametrize(
    'text',
    ['a b', 'a 1 2', 'a -1', 'a 01', 'a +1', 'a 1.0', 'a 9999999999', 'a \N{SUPERSCRIPT TWO}'],
)
def test_bad_sender_of_gains(text: str) -> None:
    """Gains whose version is unknown must not be taken for those of version 0."""
    with pytest.raises(BridgeError, match='found'):
        parse_gains_sender(text)


def test_version_0_is_left_away() -> None:
    """So that messages of a session without a switch are as they were."""
    assert format_gains_sender('abcd', 0) == 'abcd'
    assert format_gains_sender('abcd', 3) == 'abcd 3'


def test_early_gains_are_taken_once() -> None:
    """And with them those of older versions go, which no command will ask for."""
    found = GainVersions()
    found.keep('a', 1, gains(1.0))
    found.keep('a', 2, gains(2.0))
    assert found.in_force('a') == 0
    taken = found.take('a', 2)
    assert taken is not None
    assert taken.kp[0] == 2.0
    assert (found.in_force('a'), found.in_force('b'), found.frame_id) == (2, 0, 'a 2')
    assert found.take('a', 1) is None
    assert found.take('a', 2) is None


def test_early_gains_are_bounded() -> None:
    """A sender of ever new versions must not fill the memory; the newest are the likely ones."""
    found = GainVersions()
    for version in range(1, 1000):
        found.keep('a', version, gains(float(version)))
    assert found.take('a', 999 - MAX_EARLY) is None
    newest = found.newest('a', 2000)
    assert newest is not None
    assert newest.kp[0] == 999.0
    found.keep('b', 1, gains(1.0))
    assert found.newest('a', 2000) is None, 'of one session at a time'
