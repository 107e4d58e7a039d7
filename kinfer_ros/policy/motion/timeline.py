"""The reference of every tick, made at load: a motion resampled at the control rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.motion.motion import MAX_FRAMES
from kinfer_ros.policy.motion.motion import Motion
from kinfer_ros.policy.motion.motion import fastest
from kinfer_ros.policy.motion.motion import too_fast
from kinfer_ros.policy.motion.spec_motion import ChainJoint
from kinfer_ros.policy.motion.spec_motion import MotionSpec
from kinfer_ros.rotations import Quaternion
from kinfer_ros.rotations import multiply

FAST = 35.0
"""rad/s that no joint of a legged robot reaches: `inspect` takes more for a jump of the motion."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """
    Rows by tick since the start of the motion.

    :ivar positions: [ticks, joints] rad.
    :ivar velocities: [ticks, joints] rad/s.
    :ivar anchor: w x y z by tick, in the world of the motion; empty where it is not known.
    :ivar sha256: of the motion.
    """

    spec: MotionSpec
    motion: Motion
    positions: Float64
    velocities: Float64
    anchor: Sequence[Quaternion]
    sha256: str

    @property
    def ticks(self) -> int:
        """Number of rows."""
        return len(self.positions)


def describe(timeline: Timeline, joints: Sequence[str]) -> dict[str, Any]:
    """Return what a person wants to know of a motion, for `inspect`."""
    spec, motion = timeline.spec, timeline.motion
    speeds, times = fastest(motion)
    worst = int(speeds.argmax())
    return {
        'from': motion.where,
        'sha256': timeline.sha256,
        'frames': f'{motion.frames} at {motion.rate_hz:g} Hz, {motion.duration_s:.2f} s',
        'plays': f'{spec.start_s:g} s on, {timeline.ticks} ticks; then {spec.end}',
        'begins': 'when it is started' if spec.wait else 'with the policy',
        'velocities': f'{spec.velocity}, {spec.sampling} between frames, {spec.lag} ticks late',
        'anchor': ', '.join(joint.name for joint in spec.anchor) or 'the base',
        'heading': "the robot's at the start" if spec.align else "the motion's",
        'fastest': f'{joints[worst]}, {speeds[worst]:.1f} rad/s at {times[worst]:.2f} s',
        'warnings': too_fast(motion, joints, [FAST] * len(joints)),
    }


def make_timeline(
    spec: MotionSpec, motion: Motion, joints: Sequence[str], rate_hz: float, sha256: str
) -> Timeline:
    """
    Resample a motion, from its start to its end.

    :param joints: of the policy, in its order. :param rate_hz: control rate.
    :raises ModelError: the spec asks for a part of the motion, or for velocities, that it lacks.
    """
    left = motion.duration_s - spec.start_s
    duration = left if spec.duration_s is None else spec.duration_s
    if left < 0.0 or duration > left + 0.5 / motion.rate_hz:
        raise ModelError(
            f'{motion.where}: the motion is {motion.duration_s:g} s long; expected motion.start '
            f'({spec.start_s:g} s) and duration ({duration:g} s) within it'
        )
    ticks = math.floor(duration * rate_hz + 1e-6) + 1
    if ticks > MAX_FRAMES:
        raise ModelError(f'{motion.where}: found {ticks} ticks, expected at most {MAX_FRAMES}')
    at = (spec.start_s + np.arange(ticks) / rate_hz) * motion.rate_hz
    at = np.minimum(at, motion.frames - 1)
    if spec.sampling == 'nearest':
        at = np.floor(at + 0.5)
    positions = _interpolate(motion.positions, at)
    return Timeline(
        spec=spec,
        motion=motion,
        positions=positions,
        velocities=_interpolate(_velocities(spec, motion), at),
        anchor=_anchor(spec, motion, joints, positions, at),
        sha256=sha256,
    )


def _interpolate(rows: Float64, at: Float64) -> Float64:
    before = np.floor(at).astype(np.intp)
    after = np.minimum(before + 1, len(rows) - 1)
    share = (at - before)[:, None]
    return np.asarray(rows[before] * (1.0 - share) + rows[after] * share)


def _velocities(spec: MotionSpec, motion: Motion) -> Float64:
    if spec.velocity == 'stored':
        if motion.velocities is None:
            raise ModelError(
                f'{motion.where}: has no joint velocities; expected motion.velocity to be forward '
                'or central'
            )
        return motion.velocities
    if spec.velocity == 'central':
        return np.asarray(np.gradient(motion.positions, axis=0) * motion.rate_hz)
    steps = np.diff(motion.positions, axis=0) * motion.rate_hz
    return np.concatenate([steps, steps[-1:]])


def _anchor(
    spec: MotionSpec, motion: Motion, joints: Sequence[str], positions: Float64, at: Float64
) -> Sequence[Quaternion]:
    given = motion.anchor_quaternion
    quaternions = motion.root_quaternion if given is None else given
    if quaternions is None:
        return ()
    sampled = _slerp(quaternions, at)
    if given is not None:
        return [_tuple(row) for row in sampled.tolist()]
    places = [list(joints).index(joint.name) for joint in spec.anchor]
    chain = [
        chain_rotation(spec.anchor, [row[place] for place in places]) for row in positions.tolist()
    ]
    return [multiply(_tuple(row), each) for row, each in zip(sampled.tolist(), chain, strict=True)]


def _tuple(values: list[float]) -> Quaternion:
    w, x, y, z = values
    return w, x, y, z


def _slerp(quaternions: Float64, at: Float64) -> Float64:
    """Interpolate unit quaternions on the shorter arc."""
    unit = quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)
    before = np.floor(at).astype(np.intp)
    first, second = unit[before], unit[np.minimum(before + 1, len(unit) - 1)]
    cosine = np.einsum('ij,ij->i', first, second)
    second = np.where(cosine[:, None] < 0.0, -second, second)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    share = at - before
    with np.errstate(invalid='ignore', divide='ignore'):
        weights = np.stack([np.sin((1.0 - share) * angle), np.sin(share * angle)]) / np.sin(angle)
    near = angle < 1e-6
    weights[:, near] = np.stack([1.0 - share, share])[:, near]
    mixed = weights[0][:, None] * first + weights[1][:, None] * second
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True))


def chain_rotation(chain: Sequence[ChainJoint], angles: Sequence[float]) -> Quaternion:
    """Return the orientation of a chain's end in its beginning, w x y z."""
    whole: Quaternion = (1.0, 0.0, 0.0, 0.0)
    for joint, angle in zip(chain, angles, strict=True):
        sine = math.sin(0.5 * angle)
        x, y, z = joint.axis
        whole = multiply(whole, (math.cos(0.5 * angle), sine * x, sine * y, sine * z))
    return whole
