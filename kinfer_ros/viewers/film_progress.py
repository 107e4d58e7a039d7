"""Says how long a film takes, and how far it is."""

import time
from collections.abc import Callable

FIRST_PICTURES = 10
"""Pictures after which the time that the film takes is known well enough."""
PERIOD_S = 10.0
"""s between lines on the progress."""

Say = Callable[[str], None]


class FilmProgress:
    """
    Counts the pictures of a film, and says what they mean.

    :param fps: pictures in a second of film.
    :param seconds: length of the film, None where nobody knows it.
    :param clock: a wall clock, s.
    """

    def __init__(
        self,
        say: Say,
        fps: float,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._fps = fps
        self._seconds = seconds
        self._clock = clock
        self._begin = self._said = clock()
        self._drawn = 0

    def picture(self) -> None:
        """Count a picture, and say something where it is due."""
        if not self._drawn:
            self._begin = self._said = self._clock()  # the first one has to compile shaders
        self._drawn += 1
        now = self._clock()
        if self._drawn == FIRST_PICTURES + 1:
            self._said = now
            self._say(self._estimate(now))
        elif self._drawn > FIRST_PICTURES and now - self._said >= PERIOD_S:
            self._said = now
            self._say(self._progress(now))

    def _rate(self, now: float) -> float:
        """Return the seconds that a second of film takes."""
        return (now - self._begin) / (self._drawn - 1) * self._fps

    def _estimate(self, now: float) -> str:
        rate = self._rate(now)
        if self._seconds is None:
            return f'film: a second of it takes about {rate:.1f} s here'
        return f'film: {self._seconds:g} s of it take about {_duration(rate * self._seconds)} here'

    def _progress(self, now: float) -> str:
        done = self._drawn / self._fps
        if self._seconds is None or done >= self._seconds:
            return f'film: {done:.1f} s drawn'
        left = _duration(self._rate(now) * (self._seconds - done))
        return f'film: {done:.1f} of {self._seconds:g} s drawn, about {left} left'


def _duration(seconds: float) -> str:
    if seconds < 90.0:
        return f'{max(1, round(seconds))} s'
    return f'{round(seconds / 60.0)} min'
