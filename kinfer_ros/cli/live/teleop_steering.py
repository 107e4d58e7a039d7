"""How keys change a policy's command, by name; without ROS and without a terminal."""

from collections.abc import Iterable
from dataclasses import dataclass

from kinfer_ros.commands.ranges import Range
from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.ranges import neutral
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Playback

DIGITS = '123456789'
"""Keys that play a sequence."""
STEPS = 10
"""Key presses from neutral to the end of an entry's range."""
FREE_STEP = 0.05
"""Step per press of an entry without a range, in its unit."""

UP, DOWN, LEFT, RIGHT = '\x1b[A', '\x1b[B', '\x1b[D', '\x1b[C'
DRIVE = {
    'w': ('xvel', 1), 's': ('xvel', -1),
    'a': ('yawrate', 1), 'd': ('yawrate', -1),
    'q': ('yvel', 1), 'e': ('yvel', -1),
}  # fmt: skip
"""Keys that change a fixed entry, if the policy has it."""


@dataclass
class Entry:
    """One entry of the command; `value` is sent."""

    name: str
    bounds: Range
    value: float = 0.0

    @property
    def neutral(self) -> float:
        """0, or the nearest value in the range."""
        return neutral(self.bounds)

    def press(self, sign: int) -> None:
        """Move one step up or down, within the range."""
        if self.bounds is None:
            self.value = round(self.value + sign * FREE_STEP, 6)
            return
        low, high = self.bounds
        step = max(abs(low - self.neutral), abs(high - self.neutral)) / STEPS
        moved = self.value + sign * step
        # Snap to neutral, so that up and down again is exactly neutral.
        if abs(moved - self.neutral) < 0.01 * step:
            moved = self.neutral
        self.value = round(min(max(moved, low), high), 6)


class Steering:
    """
    All entries of a policy's command, and the selected one.

    :ivar entries: in the policy's order.
    :ivar selected: index of the entry that left and right change.
    :ivar sequences: command sequences by their key.
    """

    def __init__(self, ranges: Ranges, sequences: Iterable[CommandSequence] = ()) -> None:
        """:param sequences: those that the policy lacks an entry for are left out."""
        self.ranges = dict(ranges)
        self.entries = [Entry(name, bounds) for name, bounds in ranges.items()]
        fitting = [each for each in sequences if not each.refusal(ranges)]
        self.sequences = dict(zip(DIGITS, fitting, strict=False))
        self.selected = 0
        self._now_s = self._began_s = 0.0
        self._playback: Playback | None = None
        self.stop()

    @property
    def playing(self) -> str:
        """Name of the sequence that is played, or ''."""
        return self._playback.name if self._playback is not None else ''

    def stop(self) -> None:
        """Set all entries to neutral, at once."""
        self._playback = None
        for entry in self.entries:
            entry.value = entry.neutral

    def advance(self, now_s: float) -> None:
        """Move on to a time, s: a sequence that plays sets its entries."""
        self._now_s = now_s
        if self._playback is None:
            return
        found = self._playback.at(now_s - self._began_s)
        for entry in self.entries:
            if entry.name in self._playback.entries:
                entry.value = entry.neutral if found is None else found[entry.name]
        if found is None:
            self._playback = None

    def play(self, sequence: CommandSequence) -> None:
        """
        Play a sequence from now on, in place of another one.

        :raises ConfigError: the policy lacks an entry.
        """
        present = {entry.name: entry.value for entry in self.entries}
        before = self._playback.entries if self._playback is not None else ()
        playback = Playback(sequence, self.ranges, present)
        for entry in self.entries:
            if entry.name in before and entry.name not in playback.entries:
                entry.value = entry.neutral
        self._playback, self._began_s = playback, self._now_s

    def end_sequence(self) -> None:
        """Let the sequence that plays blend out."""
        if self._playback is not None:
            self._playback.stop(self._now_s - self._began_s)

    def _press(self, entry: Entry, sign: int) -> None:
        """Change an entry, unless a sequence moves it."""
        if self._playback is None or entry.name not in self._playback.entries:
            entry.press(sign)

    def key(self, key: str) -> bool:
        """Process a key; :return: whether it was used."""
        if not self.entries:
            return False
        if key == ' ':
            self.stop()
        elif key in self.sequences:
            if self.playing == self.sequences[key].name:
                self.end_sequence()
            else:
                self.play(self.sequences[key])
        elif key in (UP, DOWN):
            self.selected = (self.selected + (1 if key == DOWN else -1)) % len(self.entries)
        elif key in (LEFT, RIGHT):
            self._press(self.entries[self.selected], 1 if key == RIGHT else -1)
        elif key in DRIVE:
            name, sign = DRIVE[key]
            found = [entry for entry in self.entries if entry.name == name]
            for entry in found:
                self._press(entry, sign)
            return bool(found)
        else:
            return False
        return True


def split_keys(text: str) -> list[str]:
    """Split terminal input into keys; an arrow is a three-character sequence, of two kinds."""
    keys = []
    text = text.replace('\x1bO', '\x1b[')
    while text:
        size = 3 if text.startswith('\x1b[') else 1
        keys.append(text[:size])
        text = text[size:]
    return keys
