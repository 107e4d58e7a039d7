"""Which joints are of a leg: nobody but the policy moves them, unless it is allowed.

The robot file's `legs` says it. Without that key a joint counts as a leg's unless its name has a
word of an arm, a hand or a head: a joint of unknown use is no arm.
"""

import re
from collections.abc import Sequence

from kinfer_ros.robot.robot import Robot

UPPER = ('shoulder', 'elbow', 'wrist', 'arm', 'hand', 'finger', 'thumb', 'gripper', 'head', 'neck')
LOWER = (
    'hip', 'thigh', 'knee', 'shin', 'calf', 'ankle', 'foot', 'feet', 'toe', 'leg', 'wheel', 'haa',
    'hfe', 'kfe', 'front', 'rear', 'hind', 'back',
)  # fmt: skip
FOUR_LEGGED = (
    'fl', 'fr', 'rl', 'rr', 'hl', 'hr', 'bl', 'br', 'lf', 'rf', 'lr', 'lh', 'rh', 'lb', 'rb',
)  # fmt: skip
"""Legs of quadrupeds, whose joints are called shoulder and elbow, too; as words of their own."""

_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+')


def joints_of_legs(robot: Robot, names: Sequence[str]) -> list[str]:
    """Return those of the robot's joints `names` that are of a leg, or may be."""
    if robot.legs is not None:
        return [name for name in names if name in robot.legs]
    return [name for name in names if not _is_upper(name)]


def _is_upper(name: str) -> bool:
    lower = name.lower().replace('forearm', 'arm')  # not a rear one
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in lower for word in LOWER) or any(word in FOUR_LEGGED for word in words):
        return False
    return any(word in lower for word in UPPER)
