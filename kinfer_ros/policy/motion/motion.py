"""A reference motion: joints and root of a robot over time, at an even rate.

It comes from a CSV file of a retargeting tool, an NPZ file of Isaac Lab or mjlab, or a network
that holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ModelError

MAX_FRAMES = 1_000_000
MAX_NORM_ERROR = 0.01
"""Of the length of a quaternion."""


@dataclass(frozen=True, eq=False)
class Motion:
    """
    The frames of a motion; joints in the order of the spec.

    :ivar where: file or network, for messages.
    :ivar rate_hz: frames a second.
    :ivar positions: [frames, joints] rad.
    :ivar velocities: [frames, joints] rad/s, where the motion has them.
    :ivar root_quaternion: [frames, 4] w x y z, where it has a root.
    :ivar anchor_quaternion: [frames, 4] w x y z, where it has the anchor itself.
    """

    where: str
    rate_hz: float
    positions: Float64
    velocities: Float64 | None = None
    root_quaternion: Float64 | None = None
    anchor_quaternion: Float64 | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.positions)

    @property
    def duration_s(self) -> float:
        """From the first frame to the last."""
        return (self.frames - 1) / self.rate_hz


def check_motion(motion: Motion) -> None:
    """:raises ModelError: it has too few frames, or numbers that none can have."""
    if motion.frames < 2:
        raise ModelError(f'{motion.where}: found {motion.frames} frames, expected at least 2')
    if motion.frames > MAX_FRAMES:
        raise ModelError(
            f'{motion.where}: found {motion.frames} frames, expected at most {MAX_FRAMES}'
        )
    parts = {
        'joint positions': motion.positions,
        'joint velocities': motion.velocities,
        'root orientation': motion.root_quaternion,
        'anchor orientation': motion.anchor_quaternion,
    }
    for what, values in parts.items():
        if values is None:
            continue
        if len(values) != motion.frames:
            raise ModelError(
                f'{motion.where}: {what}: found {len(values)} frames, expected {motion.frames}'
            )
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise ModelError(
                f'{motion.where}: {what}: frame {bad[0]} is not finite, and {bad.size - 1} more'
            )
        if what.endswith('orientation'):
            _check_norms(motion.where, what, values)


def _check_norms(where: str, what: str, quaternions: Float64) -> None:
    norms = np.linalg.norm(quaternions, axis=1)
    wrong = np.flatnonzero(np.abs(norms - 1.0) > MAX_NORM_ERROR)
    if wrong.size:
        raise ModelError(
            f'{where}: {what}: frame {wrong[0]} has a norm of {norms[wrong[0]]:.4g}, expected 1: '
            'are these the columns of a quaternion?'
        )


def fastest(motion: Motion) -> tuple[Float64, Float64]:
    """Return the largest speed of each joint between two frames, rad/s, and its time, s."""
    speeds = np.abs(np.diff(motion.positions, axis=0)) * motion.rate_hz
    return speeds.max(axis=0), speeds.argmax(axis=0) / motion.rate_hz


def too_fast(motion: Motion, names: Sequence[str], limits: Sequence[float] | Float64) -> list[str]:
    """Name the joints that jump: faster between two frames than their limit, rad/s."""
    return [
        f'{name} moves at {speed:.1f} rad/s at {time:.2f} s, over {float(limit):g} rad/s'
        for name, speed, time, limit in zip(names, *fastest(motion), limits, strict=True)
        if speed > limit
    ]
