"""Command sequences: commands of a policy over time, from a file (YAML), played by name.

A file has keyframes: a time and values of named entries. Between the keyframes that name it, an
entry is interpolated; before the first and after the last it stays.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.ranges import clip
from kinfer_ros.commands.ranges import neutral
from kinfer_ros.control.command import MAX_VALUE
from kinfer_ros.control.command import own_name
from kinfer_ros.errors import ConfigError
from kinfer_ros.share import share_dir
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_file import did_you_mean

LINEAR, SMOOTH, HOLD = 'linear', 'smooth', 'hold'
KINDS = (LINEAR, SMOOTH, HOLD)
MAX_KEYFRAMES = 1000
MAX_ENTRIES = 64
MAX_FILES = 200
"""Files of a folder."""
MAX_S = 600.0
MAX_BLEND_S = 5.0
DEFAULT_BLEND_S = 0.3
TIME = 'time'


@dataclass(frozen=True)
class Track:
    """One entry over time: the times (s) and values of the keyframes that name it."""

    times: tuple[float, ...]
    values: tuple[float, ...]
    kind: str

    def at(self, time: float) -> float:
        """Return the value at a time."""
        after = bisect_right(self.times, time)
        if after == 0:
            return self.values[0]
        if after == len(self.times) or self.kind == HOLD:
            return self.values[after - 1]
        begin, end = self.times[after - 1], self.times[after]
        share = (time - begin) / (end - begin)
        if self.kind == SMOOTH:
            share = share * share * (3.0 - 2.0 * share)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])


@dataclass(frozen=True)
class CommandSequence:
    """
    One sequence.

    :ivar tracks: by entry of the command.
    :ivar seconds: duration: the time of the last keyframe.
    :ivar blend: s in which the command moves over to the sequence, and back.
    """

    name: str
    description: str
    tracks: Mapping[str, Track]
    seconds: float
    blend: float

    def refusal(self, ranges: Ranges) -> str:
        """Return why a policy cannot play it, or ''."""
        missing = [name for name in self.tracks if own_name(name, ranges) not in ranges]
        if not missing:
            return ''
        return (
            f'sequence {self.name} needs {", ".join(missing)}; the command of the policy has '
            f'{", ".join(ranges) or "no entries"}'
        )


class Playback:
    """
    Plays a sequence for a policy: blended in from the present command, and out to neutral.

    :ivar entries: the policy's entries that it moves.
    """

    def __init__(
        self, sequence: CommandSequence, ranges: Ranges, present: Mapping[str, float]
    ) -> None:
        """
        :param present: the command by entry; neutral where it has none.
        :raises ConfigError: the policy lacks an entry.
        """
        if refusal := sequence.refusal(ranges):
            raise ConfigError(refusal)
        self._sequence = sequence
        self._tracks = {own_name(name, ranges): each for name, each in sequence.tracks.items()}
        self._ranges = ranges
        self.entries = tuple(self._tracks)
        self._from = {name: present.get(name, neutral(ranges[name])) for name in self.entries}
        self._end = sequence.seconds
        self._last: dict[str, float] | None = None

    @property
    def name(self) -> str:
        """Name of the sequence."""
        return self._sequence.name

    def stop(self, time: float) -> None:
        """Blend out from now on, s since the start."""
        if time < self._end:
            self._last = self._playing(time)
            self._end = time

    def at(self, time: float) -> dict[str, float] | None:
        """Return the command of its entries, within their ranges; None when it is over."""
        if time < self._end:
            return self._playing(time)
        share = _share(time - self._end, self._sequence.blend)
        if share >= 1.0:
            return None
        if self._last is None:
            self._last = self._playing(self._end)
        return {
            name: value + share * (neutral(self._ranges[name]) - value)
            for name, value in self._last.items()
        }

    def _playing(self, time: float) -> dict[str, float]:
        share = _share(time, self._sequence.blend)
        found = {}
        for name, track in self._tracks.items():
            value = clip(track.at(time), self._ranges[name])
            found[name] = self._from[name] + share * (value - self._from[name])
        return found


def _share(time: float, blend: float) -> float:
    return 1.0 if time >= blend else time / blend


# Files ----------------------------------------------------------------------------------


def load_sequence(path: Path) -> CommandSequence:
    """
    Read a file.

    :raises ConfigError: with every problem and its line.
    """
    file = YamlFile(path, 'command sequence')
    root = file.root
    name = root.string('name')
    description = root.string('description', '')
    blend = root.number('blend', 's', 0.0, MAX_BLEND_S, DEFAULT_BLEND_S)
    points, seconds = _read_keyframes(root)
    kinds = _read_kinds(root, tuple(points))
    file.finish()
    tracks = {
        entry: Track(
            tuple(time for time, _ in found), tuple(value for _, value in found), kinds[entry]
        )
        for entry, found in points.items()
    }
    return CommandSequence(name, description, tracks, seconds, blend)


def _read_keyframes(root: Section) -> tuple[dict[str, list[tuple[float, float]]], float]:
    """:return: time and value of each entry's keyframes, and the time of the last keyframe."""
    keyframes = root.each('keyframes')
    if len(keyframes) > MAX_KEYFRAMES:
        root.problem(f'found {len(keyframes)}, expected at most {MAX_KEYFRAMES}', 'keyframes')
        keyframes = keyframes[:1]
    points: dict[str, list[tuple[float, float]]] = {}
    last = -1.0
    for frame in keyframes:
        time = frame.number(TIME, 's', 0.0, MAX_S)
        if time <= last:
            frame.problem(f'found {time:g}, expected more than {last:g}, the one before', TIME)
        last = time if math.isfinite(time) else last
        for entry in frame.keys():  # noqa: SIM118 - a Section is no dict
            if entry != TIME:
                value = frame.number(entry, 'of the command', -MAX_VALUE, MAX_VALUE)
                points.setdefault(entry, []).append((time, value))
    if keyframes and not points:
        root.problem('found no entry of a command, expected one at least', 'keyframes')
    if len(points) > MAX_ENTRIES:
        root.problem(f'found {len(points)} entries, expected at most {MAX_ENTRIES}', 'keyframes')
    return points, max(last, 0.0)


def _read_kinds(root: Section, entries: tuple[str, ...]) -> dict[str, str]:
    """Read the interpolation: one for all, or by entry."""
    kinds = dict.fromkeys(entries, LINEAR)
    if not root.has('interpolation'):
        return kinds
    if not isinstance(root.plain('interpolation'), dict):
        return dict.fromkeys(entries, root.choice('interpolation', KINDS))
    section = root.section('interpolation')
    for name in kinds:
        if section is not None and section.has(name):
            kinds[name] = section.choice(name, KINDS)
    return kinds


def shipped_folder() -> Path:
    """Return the folder of the sequences that ship with the package."""
    return share_dir() / 'config' / 'sequences'


def load_folder(folder: Path | None = None) -> dict[str, CommandSequence]:
    """
    Read all sequences of a folder, by name; default: those that ship with the package.

    :raises ConfigError: it is no folder, a file is wrong, or two have one name.
    """
    folder = folder or shipped_folder()
    if not folder.is_dir():
        raise ConfigError(f'command sequences: {folder} is no folder')
    found: dict[str, CommandSequence] = {}
    files = sorted(folder.glob('*.yaml'))
    if len(files) > MAX_FILES:
        raise ConfigError(f'command sequences: {folder} has over {MAX_FILES} files')
    for path in files:
        sequence = load_sequence(path)
        if sequence.name in found:
            raise ConfigError(f'command sequence {path}: {sequence.name} is the name of two files')
        found[sequence.name] = sequence
    return found


def find_sequence(name_or_path: str, folder: Path | None = None) -> CommandSequence:
    """
    Read a sequence by its name in a folder, or by the path of its file.

    :raises ConfigError: there is none, or its file is wrong.
    """
    if name_or_path.endswith(('.yaml', '.yml')) or '/' in name_or_path:
        return load_sequence(Path(name_or_path).expanduser())
    found = load_folder(folder)
    if name_or_path not in found:
        raise ConfigError(
            f'there is no command sequence {name_or_path!r}{did_you_mean(name_or_path, found)}: '
            f'found {", ".join(found) or "none"} in {folder or shipped_folder()}'
        )
    return found[name_or_path]
