"""What a film says while it is drawn: how long it takes, and how far it is."""

from __future__ import annotations

import pytest

from kinfer_ros.viewers.film_progress import FilmProgress


def drawn(count: int, picture_s: float, seconds: float | None) -> list[str]:
    """Draw pictures, the first of which takes 5 s more; return what was said."""
    said: list[str] = []
    now = 100.0
    progress = FilmProgress(said.append, 30.0, seconds, clock=lambda: now)
    for number in range(count):
        now += picture_s + 5.0 * (number == 0)
        progress.picture()
    return said


def test_the_time_is_known_after_a_third_of_a_second_of_film():
    """0.2 s a picture, 30 a second: 6 s for each. The first picture compiles, and is left out."""
    assert drawn(10, 0.2, 10.0) == []
    assert drawn(11, 0.2, 10.0) == ['film: 10 s of it take about 60 s here']
    assert drawn(11, 0.2, 60.0) == ['film: 60 s of it take about 6 min here']
    assert drawn(11, 0.2, None) == ['film: a second of it takes about 6.0 s here']


def test_every_ten_seconds_it_says_how_far_it_is():
    """61 pictures are 2.03 s of film, and 50 pictures take 10 s."""
    assert drawn(62, 0.2, 10.0)[1:] == ['film: 2.0 of 10 s drawn, about 48 s left']
    assert drawn(62, 0.2, None)[1:] == ['film: 2.0 s drawn']
    assert drawn(62, 0.2, 1.0)[1:] == ['film: 2.0 s drawn'], 'a start pose takes its time'


@pytest.mark.parametrize('seconds', [None, 10.0])
def test_a_fast_film_says_little(seconds):
    """With a GPU: one line, not one a second."""
    assert len(drawn(300, 0.005, seconds)) == 1
