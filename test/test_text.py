"""Text of files and messages that reaches a terminal."""

from __future__ import annotations

import pytest

from kinfer_ros.errors import KinferRosError
from kinfer_ros.text import MAX_SHOWN
from kinfer_ros.text import is_name
from kinfer_ros.text import printable


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
