"""Plays command sequences one at a time: the core of the node `command_sequences`, without ROS."""

from collections.abc import Mapping

from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.ranges import neutral
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Playback
from kinfer_ros.yaml_file import did_you_mean


class SequencePlayer:
    """
    Plays sequences by name on the policy that is heard.

    :ivar playing: name of the sequence, or ''.
    """

    def __init__(self, sequences: Mapping[str, CommandSequence]) -> None:
        self.playing = ''
        self._sequences = sequences
        self._ranges: Ranges | None = None
        self._playback: Playback | None = None
        self._began_s = 0.0

    def set_ranges(self, ranges: Ranges | None) -> None:
        """Take the entries of the policy's command; another policy ends what is played."""
        if ranges != self._ranges:
            self._ranges = ranges
            self._playback, self.playing = None, ''

    def refusal(self, name: str) -> str:
        """Return why a sequence cannot be played now, or ''; the name '' ends one."""
        if not name:
            return ''
        if name not in self._sequences:
            listed = ', '.join(self._sequences) or 'none'
            return f'there is no sequence {name!r}{did_you_mean(name, self._sequences)}: {listed}'
        if self._ranges is None:
            return 'no policy node is heard'
        return self._sequences[name].refusal(self._ranges)

    def play(self, name: str, now_s: float) -> None:
        """
        Play a sequence in place of another; '' blends out what is played.

        :param name: one that is not refused.
        """
        if not name:
            if self._playback is not None:
                self._playback.stop(now_s - self._began_s)
        elif self._ranges is not None:
            present = self._values(now_s) or {}
            self._playback = Playback(self._sequences[name], self._ranges, present)
            self._began_s = now_s
            self.playing = name

    def message(self, now_s: float) -> dict[str, float] | None:
        """Return the command to send now; when it is over, neutral once, and then None."""
        if self._playback is None or self._ranges is None:
            return None
        found = self._values(now_s)
        if found is None:
            found = {name: neutral(self._ranges[name]) for name in self._playback.entries}
            self._playback, self.playing = None, ''
        return found

    def end(self) -> dict[str, float] | None:
        """Return the last command to send: neutral, where something is played."""
        if self._playback is None or self._ranges is None:
            return None
        return {name: neutral(self._ranges[name]) for name in self._playback.entries}

    def _values(self, now_s: float) -> dict[str, float] | None:
        return None if self._playback is None else self._playback.at(now_s - self._began_s)
