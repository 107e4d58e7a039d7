"""A command to a robot, and what is checked before it is obeyed: sender, joints, values.

A command is obeyed as a whole or refused as a whole.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.errors import BridgeError
from kinfer_ros.yaml_file import did_you_mean

INACTIVE = 'inactive'
RUN = 'run'
_VERSION = re.compile('0|[1-9][0-9]{0,8}')
MODES = (INACTIVE, 'ramp', 'hold', RUN, 'fade', 'damp', 'fault')
"""Modes of a sender, the second word of a command's frame_id."""


@dataclass(frozen=True, eq=False)
class Command:
    """One message on joint_commands."""

    session: str
    """Id of the sender, new at each activation."""
    mode: str
    """One of MODES, or empty where the sender has no modes."""
    stamp_ns: int
    """Stamp of the sensor sample that it answers."""
    names: Sequence[str]
    position: Float64 | None
    """Targets in rad, in the order of `names`; None asks for damping."""
    gains_version: int = 0
    """Version of the gains that it was computed for."""
    velocity: Float64 | None = None
    """Target velocities in rad/s of the same joints, as wheels need them; None where none came."""


def parse_sender(frame_id: str) -> tuple[str, str, int]:
    """
    Split '<session> <mode> <version>'; version (then 0) and mode may be left out.

    :return: session, mode, and version of the gains.
    :raises BridgeError: there is no session, the mode is unknown, or the version is none.
    """
    words = frame_id.split()
    if not 1 <= len(words) <= 3:
        raise BridgeError(
            f"found header.frame_id '{frame_id[:60]}', expected '<session> <mode>', and the "
            'version of the gains once they have changed: the session is any word that stays the '
            'same as long as the sender runs'
        )
    session, mode = words[0], words[1] if len(words) > 1 else ''
    if mode and mode not in MODES:
        raise BridgeError(f"found mode '{mode[:20]}', expected one of {', '.join(MODES)}")
    return session, mode, parse_version(words[2]) if len(words) == 3 else 0


def parse_version(word: str) -> int:
    """:raises BridgeError: the word is no version of gains: a decimal number without sign."""
    if not _VERSION.fullmatch(word):
        raise BridgeError(
            f"found version '{word[:20]}' in header.frame_id, expected a decimal number that "
            'counts up from 0, of at most 9 digits'
        )
    return int(word)


class JointMap:
    """Finds joints by name, and remembers the result for each list of names."""

    LIMIT = 16
    """Lists of names remembered."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self._index = {name: index for index, name in enumerate(joint_names)}
        self._known: dict[tuple[str, ...], Indices] = {}

    def indices(self, names: Sequence[str]) -> Indices:
        """
        Return the indices of the named joints in the robot's order.

        :raises BridgeError: no names, a joint that the robot lacks, or a joint named twice.
        """
        key = tuple(names)
        found = self._known.get(key)
        if found is None:
            self._check(key)
            found = np.array([self._index[name] for name in key], np.intp)
            if len(self._known) >= self.LIMIT:
                self._known.clear()
            self._known[key] = found
        return found

    def assign(
        self,
        target: Float64,
        what: str,
        names: Sequence[str],
        values: Float64,
        minimum: float = -math.inf,
    ) -> None:
        """
        Write the values of the named joints into an array in the robot's order.

        :raises BridgeError: wrong names, or values that `check_values` refuses.
        """
        index = self.indices(names)
        check_values(what, values, names, minimum)
        target[index] = values

    def _check(self, names: tuple[str, ...]) -> None:
        if not names:
            raise BridgeError('found no joint names, expected a name for each value')
        unknown = [name for name in names if name not in self._index]
        if unknown:
            listed = ', '.join(unknown)[:300]
            hint = did_you_mean(unknown[0], self._index)
            raise BridgeError(
                f'found the joints {listed}{hint}, which the robot lacks; '
                f'expected {", ".join(self._index)}'
            )
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise BridgeError(f'found the joints {", ".join(twice)} more than once')


def check_values(
    what: str, values: Float64, names: Sequence[str], minimum: float = -math.inf
) -> None:
    """:raises BridgeError: there is not one finite value of at least `minimum` for each name."""
    if len(values) != len(names):
        raise BridgeError(f'found {len(values)} values of {what}, expected {len(names)}')
    finite = np.isfinite(values)
    if not finite.all():
        wrong = ', '.join(name for name, fine in zip(names, finite, strict=True) if not fine)
        raise BridgeError(f'found a {what} that is not finite for {wrong}')
    if minimum > -math.inf and (values < minimum).any():
        low = [f'{n} ({v:g})' for n, v in zip(names, values, strict=True) if v < minimum]
        raise BridgeError(f'{what}: found {", ".join(low)}, expected at least {minimum:g}')
