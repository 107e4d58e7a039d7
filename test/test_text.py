"""Text of files and messages that reaches a terminal."""

from __future__ import annotations

import math

import pytest

from kinfer_ros.errors import KinferRosError
from kinfer_ros.text import MAX_SHOWN
from kinfer_ros.text import is_name
from kinfer_ros.text import printable
from kinfer_ros.text import told_apart


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('knee', 'knee'),
        ('Knie ä 膝', 'Knie ä 膝'),
        ('two\nlines\tand a tab', 'two\nlines\tand a tab'),
        ('\x1b]0;title\x07', '\\x1b]0;title\\x07'),
        ('a\u202eb', 'a\\u202eb'),
        ('a\ud800b', 'a\\ud800b'),
        ('a\rb\x00', 'a\\rb\\x00'),
    ],
)
def test_nothing_controls_the_terminal(text: str, shown: str) -> None:
    """Escape sequences, a turned reading direction, lone surrogates, an overwritten line."""
    assert printable(text) == shown
    assert str(KinferRosError(text)) == shown


def test_an_error_has_an_end() -> None:
    """A file of megabytes must not be its own error text."""
    text = str(KinferRosError('x' * 10_000_000))
    assert len(text) < MAX_SHOWN + 100
    assert text.endswith('more characters)')


@pytest.mark.parametrize('name', ['', 'a\nb', '\x1b[2J', 'a\u202eb', '\ud800', 'x' * 257, 5, None])
def test_what_is_no_name(name: object) -> None:
    """Of a joint, a robot, a command."""
    assert not is_name(name)


@pytest.mark.parametrize(
    ('found', 'limit', 'least', 'texts'),
    [
        (58.0, 57.3, 0, ('58', '57')),
        (57.4, 57.3, 0, ('57.4', '57.3')),
        (-3.02, 3.0, 1, ('-3.02', '3.00')),
        (0.203, 0.2, 2, ('0.203', '0.200')),
        (57.3 + 1e-9, 57.3, 0, ('57.300', '57.300')),
        (math.inf, 1.0, 0, ('inf', '1')),
        (math.nan, 1.0, 0, ('nan', '1')),
    ],
)
def test_a_number_is_told_from_the_limit_that_it_exceeds(found, limit, least, texts):
    """A size: the sign alone says nothing about a limit."""
    assert told_apart(found, limit, least) == texts
