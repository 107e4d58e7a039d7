"""Guesses which terms an observation may hold, from the number of its numbers alone.

A guess is for a person to confirm: sizes of other observations can be the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

EXTRAS: tuple[dict[str, int], ...] = (
    {},
    {'linear_velocity': 3},
    {'phase': 2},
    {'phase': 4},
    {'height_scan': 187},
    {'linear_velocity': 3, 'height_scan': 187},
)
"""What observations have beside the usual terms; 187 points are Isaac Lab's and legged_gym's."""
MAX_FRAMES = 25
MAX_GUESSES = 4


@dataclass(frozen=True)
class Guess:
    """Numbers of each term of a frame, by source, and how many frames there are."""

    terms: dict[str, int]
    frames: int

    def __str__(self) -> str:
        parts = ' + '.join(f'{source} {size}' for source, size in self.terms.items())
        return parts if self.frames == 1 else f'{self.frames} frames of {parts}'


def guess_terms(size: int, joints: int, actions: int, frames: int | None = None) -> list[Guess]:
    """
    Return the observations of the usual terms that have this size, the likeliest first.

    :param joints: joints of the policy; `actions` numbers of its action.
    :param frames: number of frames, where the shape of the input gives it.
    """
    counts = range(1, MAX_FRAMES + 1) if frames is None else (frames,)
    found = [
        Guess(terms, count)
        for count in counts
        for terms in _frames(joints, actions)
        if count * sum(terms.values()) == size
    ]
    return found[:MAX_GUESSES]


def _frames(joints: int, actions: int) -> Iterator[dict[str, int]]:
    for extra in EXTRAS:
        for command in ({'command': 3}, {}):
            yield {
                **{name: n for name, n in extra.items() if name == 'linear_velocity'},
                'gyroscope': 3,
                'gravity': 3,
                **command,
                'joint_positions': joints,
                'joint_velocities': joints,
                'last_action': actions,
                **{name: n for name, n in extra.items() if name != 'linear_velocity'},
            }
