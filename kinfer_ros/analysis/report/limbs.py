"""Puts joints into small groups by limb, so that the curves of one plot can be told apart."""

import re
from collections.abc import Sequence

MAX_TOGETHER = 8
"""Curves of one plot that have colours of their own."""

SIDES = {
    'front left': ('fl', 'lf'), 'front right': ('fr', 'rf'), 'rear left': ('rl', 'lh', 'hl', 'lr'),
    'rear right': ('rr', 'rh', 'hr'), 'left': ('left', 'l'), 'right': ('right', 'r'),
}  # fmt: skip
PARTS = {
    'leg': ('leg', 'hip', 'thigh', 'knee', 'calf', 'shank', 'ankle', 'foot', 'toe', 'haa', 'hfe',
            'kfe', 'wheel'),
    'hand': ('finger', 'thumb', 'gripper', 'hand'),
    'arm': ('arm', 'shoulder', 'elbow', 'wrist', 'forearm'),
    'trunk': ('waist', 'torso', 'trunk', 'spine', 'chest', 'neck', 'head', 'abdomen'),
}  # fmt: skip
OTHERS = 'other joints'


def limb_of(joint: str) -> str:
    """Return the limb that a joint's name speaks of, such as `left leg`; '' where it does not."""
    spaced = re.sub(r'(?<=[a-z])(?=[A-Z])', '_', joint).lower()
    words = re.split(r'[^a-z]+', spaced)
    side = _first(SIDES, words)
    part = _first(PARTS, words)
    if side and ' ' in side:  # of a quadruped, which has no arms
        return f'{side} leg'
    return f'{side} {part}'.strip()


def _first(table: dict[str, tuple[str, ...]], words: Sequence[str]) -> str:
    return next((name for name, known in table.items() if {*known} & {*words}), '')


def grouped(names: Sequence[str]) -> dict[str, list[str]]:
    """Return groups of at most MAX_TOGETHER names by title; one, untitled, if they are few."""
    if len(names) <= MAX_TOGETHER:
        return {'': list(names)}
    limbs: dict[str, list[str]] = {}
    for name in names:
        limbs.setdefault(limb_of(name) or OTHERS, []).append(name)
    groups = {}
    for limb, joints in limbs.items():
        title = limb
        for part in range(0, len(joints), MAX_TOGETHER):
            chosen = joints[part : part + MAX_TOGETHER]
            if len(joints) > MAX_TOGETHER:
                last = part + len(chosen)
                title = f'{limb} {part + 1} to {last}' if last > part + 1 else f'{limb} {last}'
            groups[title] = chosen
    return groups
