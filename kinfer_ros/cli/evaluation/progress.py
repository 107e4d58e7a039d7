"""The progress of an evaluation, on stderr."""

import sys
import time

LINE_PERIOD = 10.0
"""s between lines, without a terminal."""
TERMINAL_PERIOD = 0.25


class EvalProgress:
    """Shows on stderr how many runs are done, and an estimate of the time left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._fallen = 0
        self._begin = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._next = 0.0 if self._tty else self._begin + LINE_PERIOD

    def job_done(self, survived: bool) -> None:
        """Count a finished run."""
        self._done += 1
        self._fallen += not survived

    def job_failed(self, text: str) -> None:
        """Count a job without a result and print why."""
        self._done += 1
        print(f'\r\x1b[K{text}' if self._tty else text, file=sys.stderr)

    def show(self) -> None:
        """Print the progress, if it is due."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (TERMINAL_PERIOD if self._tty else LINE_PERIOD)
        left = '' if not self._done else self._left(now)
        text = f'{self._done} of {self._total} runs, {self._fallen} failed{left}'
        print(f'\r\x1b[K{text}' if self._tty else text, end='' if self._tty else '\n',
              file=sys.stderr, flush=True)  # fmt: skip

    def _left(self, now: float) -> str:
        seconds = round((now - self._begin) / self._done * (self._total - self._done))
        minutes, seconds = divmod(seconds, 60)
        return f', {minutes} min {seconds:02d} s left' if minutes else f', {seconds} s left'

    def clear(self) -> None:
        """Clear the progress line."""
        if self._tty:
            print('\r\x1b[K', end='', file=sys.stderr)
