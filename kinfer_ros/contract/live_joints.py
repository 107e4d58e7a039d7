"""Checks captured joint states against the robot, as a policy node would put them together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import CapturedJointState
from kinfer_ros.control.sensors import MAX_SPREAD_NS
from kinfer_ros.robot.robot import Robot

MAX_LIMIT_EXCESS = 0.5
"""rad outside its limits that a joint position may measure."""


def whole_samples(
    samples: Sequence[CapturedJointState], robot: Robot
) -> Sequence[CapturedJointState]:
    """
    Return the samples with every joint that can be had, oldest first.

    Those with none of the robot's joints, as a gripper's, are passed over. Where no message has
    all, the newest of each other joint before it is added, if its stamp is at most MAX_SPREAD_NS
    older, as control/sensors.py does it.
    """
    wanted = set(robot.joint_names)
    found = [sample for sample in samples if wanted.intersection(sample.names)]
    whole = [sample for sample in found if wanted.issubset(sample.names)]
    if whole or not found:
        return whole
    # One driver's alone, or the rate would be the sum of all.
    like = [at for at, sample in enumerate(found) if sample.names == found[-1].names]
    together = [_with_others(at, found, wanted) for at in like]
    most = max(len(wanted.intersection(sample.names)) for sample in together)
    return [each for each in together if len(wanted.intersection(each.names)) == most]


def _with_others(
    at: int, samples: Sequence[CapturedJointState], wanted: set[str]
) -> CapturedJointState:
    """Add to one sample the joints that it lacks, from those just before it."""
    made = samples[at]
    for before in range(at - 1, -1, -1):
        other = samples[before]
        if made.stamp_ns - other.stamp_ns > MAX_SPREAD_NS or wanted.issubset(made.names):
            break
        new = [i for i, name in enumerate(other.names) if name in wanted - set(made.names)]
        if not new or not len(other.names) == len(other.position) == len(other.velocity):
            continue
        made = replace(
            made,
            names=made.names + tuple(other.names[i] for i in new),
            position=np.concatenate([made.position, other.position[new]]),
            velocity=np.concatenate([made.velocity, other.velocity[new]]),
        )
    return made


def check_joints(sample: CapturedJointState, robot: Robot) -> list[Row]:
    """Check names, lengths and units of one sample."""
    names = sample.names
    missing = [name for name in robot.joint_names if name not in names]
    extra = sorted({name for name in names if name not in robot.joint_names})
    twice = [name for name in robot.joint_names if names.count(name) > 1]
    if missing or twice:
        what = f'lacks {", ".join(missing)}' if missing else f'has {", ".join(twice)} twice'
        found = f'joint_states {what}; it has {", ".join(names) or "none"}'
        remedy = f'use the same joint names in the driver and in {robot.path}'
        return [Row('joint names', FAIL, found, f'each of {", ".join(robot.joint_names)}', remedy)]
    ignored = f'; ignored: {", ".join(extra)}' if extra else ''
    row = Row('joint names', OK, f'{len(robot.joint_names)}, matched by name{ignored}')
    position, velocity = sample.position, sample.velocity
    if len(position) != len(names) or len(velocity) != len(names):
        found = f'{len(names)} names, {len(position)} positions, {len(velocity)} velocities'
        remedy = 'the driver has to publish position and velocity of every joint'
        return [row, Row('joint states', FAIL, found, 'equal numbers of each', remedy)]
    index = [names.index(name) for name in robot.joint_names]
    return [row, _check_joint_units(position[index], velocity[index], robot)]


def _check_joint_units(position: Float64, velocity: Float64, robot: Robot) -> Row:
    if not (np.isfinite(position).all() and np.isfinite(velocity).all()):
        return Row('joint units', FAIL, 'a position or velocity is not finite', 'numbers')
    excess = np.maximum(robot.lower - position, position - robot.upper)
    worst = int(excess.argmax())
    name = robot.joint_names[worst]
    found = f'{name} at {position[worst]:.3f}'
    limits = f'{robot.lower[worst]:.3f} to {robot.upper[worst]:.3f} rad'
    if excess[worst] > MAX_LIMIT_EXCESS:
        radians = np.radians(position)
        low, high = robot.lower - MAX_LIMIT_EXCESS, robot.upper + MAX_LIMIT_EXCESS
        if ((radians >= low) & (radians <= high)).all():
            found += ': probably in degrees'
            return Row('joint units', FAIL, found, limits, 'publish radians (and rad/s)')
        remedy = 'wrong unit, zero position, sign or limits?'
        return Row('joint units', FAIL, found, limits, remedy)
    too_fast = np.abs(velocity) - 2.0 * robot.velocity_limit
    if too_fast.max() > 0.0:
        at = int(too_fast.argmax())
        found = f'{robot.joint_names[at]} at {velocity[at]:.1f} rad/s'
        expected = f'at most {robot.velocity_limit[at]:g} rad/s'
        return Row('joint units', WARN, found, expected, 'are the velocities in degrees?')
    if not velocity.any() and not position.any():
        found = 'every position and velocity is exactly zero'
        remedy = 'is the driver connected to the robot?'
        return Row('joint units', WARN, found, 'measurements', remedy)
    return Row('joint units', OK, f'radians; {found} is nearest to its limits')
