"""Pre-activation checks: fresh sensors, a neutral command, joints near limits and start pose."""

from __future__ import annotations

import numpy as np

from kinfer_ros.control.controller import Parts
from kinfer_ros.control.guards.sensor_samples import TickContext

MAX_LIMIT_EXCESS = 0.05
"""rad, how far a joint may be outside its limits when the robot is activated."""


def check_sensors(parts: Parts, now_ns: int, stamp_now_ns: int) -> str:
    """Return which sensor has no fresh sample yet, or ''; the caller may wait for it."""
    parts.watch.restart()
    return parts.watch.stale(TickContext(now_ns, stamp_now_ns))


def check_start(parts: Parts, now_ns: int, stamp_now_ns: int, max_ramp: float) -> str:
    """
    Return why the robot must not be activated now, or ''; waiting does not help.

    :param max_ramp: rad, how far a joint may be from the start pose.
    """
    parts.watch.restart()
    pushed = parts.command.not_neutral(now_ns)
    return (
        parts.watch.cause(TickContext(now_ns, stamp_now_ns))
        or _check_limits(parts)
        or (f'{pushed}, expected a neutral command: let go of the stick' if pushed else '')
        or _check_start_pose(parts, max_ramp)
    )


def _check_limits(parts: Parts) -> str:
    """The ramp clamps to the joint limits: a joint outside them would jump."""
    frame, limiter = parts.frame, parts.limiter
    excess = np.maximum(limiter.lower - frame.position, frame.position - limiter.upper)
    worst = int(excess.argmax())
    if excess[worst] <= MAX_LIMIT_EXCESS:
        return ''
    return (
        f'{frame.joint_names[worst]} is {excess[worst]:.2f} rad outside its limits, at most '
        f'{MAX_LIMIT_EXCESS:g} rad are accepted at the start: bring it within them by hand'
    )


def _check_start_pose(parts: Parts, max_ramp: float) -> str:
    distance = np.abs(parts.frame.position - parts.start_pose)
    worst = int(distance.argmax())
    if distance[worst] <= max_ramp:
        return ''
    return (
        f'{parts.frame.joint_names[worst]} is {distance[worst]:.2f} rad from the start pose, '
        f'at most {max_ramp:g} rad (max_ramp): bring the robot nearer to it by hand'
    )
