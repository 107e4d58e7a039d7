"""Reads `via_pose` of a transition: a way from one policy to another through a pose."""

from collections.abc import Mapping
from dataclasses import dataclass

from kinfer_ros.yaml_file import Section

MIN_DURATION_S = 0.1
MAX_DURATION_S = 30.0
MAX_DAMP_S = 10.0
MAX_ANGLE = 7.0
"""rad; a larger one is likely to be in degrees."""


@dataclass(frozen=True)
class Via:
    """
    What happens between two policies.

    :ivar duration_s: of the straight line from the measured pose.
    :ivar damp_s: of the damping before it; 0: none.
    :ivar pose: rad, by joint of the entered policy; other joints go to its start pose.
    """

    duration_s: float
    damp_s: float
    pose: Mapping[str, float]


def read_via(transition: Section) -> Via | None:
    """Return what stands under `via_pose`, or None."""
    section = transition.section('via_pose') if transition.has('via_pose') else None
    if section is None:
        return None
    return Via(
        duration_s=section.number('duration_s', 's', MIN_DURATION_S, MAX_DURATION_S),
        damp_s=section.number('damp_s', 's', 0.0, MAX_DAMP_S, 0.0),
        pose=_read_pose(section),
    )


def _read_pose(via: Section) -> dict[str, float]:
    section = via.section('pose') if via.has('pose') else None
    if section is None:
        return {}
    names = section.keys()
    if not names:
        via.problem('found no joint, expected {joint: rad}; without pose: the start pose', 'pose')
    return {name: section.number(name, 'rad', -MAX_ANGLE, MAX_ANGLE) for name in names}
