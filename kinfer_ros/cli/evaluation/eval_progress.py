"""How far an evaluation is, on stderr; without it an hour of jobs would look like a hang."""

from __future__ import annotations

import sys
import time

LINE_PERIOD = 10.0
"""s between two lines, where there is no terminal to write over one."""
PICTURE_PERIOD = 0.25


class Progress:
    """Says on stderr how far it is, and how long it may take."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._fallen = 0
        self._begin = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._next = 0.0 if self._tty else self._begin + LINE_PERIOD

    def count(self, survived: bool) -> None:
        """Count a run that has ended."""
        self._done += 1
        self._fallen += not survived

    def say(self, text: str) -> None:
        """Say why a job has no result, and count it."""
        self._done += 1
        print(f'\r\x1b[K{text}' if self._tty else text, file=sys.stderr)

    def show(self) -> None:
        """Say how far it is, if that is due."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (PICTURE_PERIOD if self._tty else LINE_PERIOD)
        left = '' if not self._done else self._left(now)
        text = f'{self._done} of {self._total} runs, {self._fallen} did not stay up{left}'
        print(f'\r\x1b[K{text}' if self._tty else text, end='' if self._tty else '\n',
              file=sys.stderr, flush=True)  # fmt: skip

    def _left(self, now: float) -> str:
        seconds = round((now - self._begin) / self._done * (self._total - self._done))
        minutes, seconds = divmod(seconds, 60)
        return f', {minutes} min {seconds:02d} s left' if minutes else f', {seconds} s left'

    def end(self) -> None:
        """Leave no half line behind."""
        if self._tty:
            print('\r\x1b[K', end='', file=sys.stderr)
