"""Whether a robot may be activated as it is: what its sensors and its operator say.

Without this module a robot that lies, that is pushed, or that stands far from where its policy
begins would be pulled to the start pose.
"""

from __future__ import annotations

import numpy as np

from kinfer_ros.control.controller import Parts
from kinfer_ros.control.guards.sensor_samples import TickContext

START_MARGIN = 0.05
"""rad outside its limits at which a joint may rest when the robot is activated."""


def not_sensed(parts: Parts, now_ns: int, stamp_now_ns: int) -> str:
    """Say which sensor has no fresh sample yet, or ''; worth waiting for."""
    parts.watch.restart()
    return parts.watch.stale(TickContext(now_ns, stamp_now_ns))


def not_ready(parts: Parts, now_ns: int, stamp_now_ns: int, max_ramp: float) -> str:
    """
    Say why the robot must not be activated now, or ''; not to be waited for.

    :param max_ramp: rad, how far a joint may be from the start pose.
    """
    parts.watch.restart()
    pushed = parts.command.not_neutral(now_ns)
    return (
        parts.watch.cause(TickContext(now_ns, stamp_now_ns))
        or _outside(parts)
        or (f'{pushed}, expected a neutral command: let go of the stick' if pushed else '')
        or _far(parts, max_ramp)
    )


def _outside(parts: Parts) -> str:
    """A ramp begins at the joint limits at the latest: a joint beyond them would jump."""
    frame, limiter = parts.frame, parts.limiter
    beyond = np.maximum(limiter.lower - frame.position, frame.position - limiter.upper)
    worst = int(beyond.argmax())
    if beyond[worst] <= START_MARGIN:
        return ''
    return (
        f'{frame.joint_names[worst]} is {beyond[worst]:.2f} rad outside its limits, at most '
        f'{START_MARGIN:g} rad are accepted at the start: bring it within them by hand'
    )


def _far(parts: Parts, max_ramp: float) -> str:
    away = np.abs(parts.frame.position - parts.start_pose)
    worst = int(away.argmax())
    if away[worst] <= max_ramp:
        return ''
    return (
        f'{parts.frame.joint_names[worst]} is {away[worst]:.2f} rad from the start pose, '
        f'at most {max_ramp:g} rad (max_ramp): bring the robot nearer to it by hand'
    )
