"""A small policy's layout, and a producer that fills records as the policy node's tick does."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfer_ros.run.record import HAS_CARRY
from kinfer_ros.run.record import HAS_INPUTS
from kinfer_ros.run.record import HAS_OUTPUT
from kinfer_ros.run.record import HAS_SAMPLE
from kinfer_ros.run.record import HAS_TARGET
from kinfer_ros.run.record import RecordFormat
from kinfer_ros.run.ring import StepRing

JOINTS = ('left_hip', 'left_knee', 'right_hip')
SIZES = {
    'joint_angles': 3,
    'joint_angular_velocities': 3,
    'projected_gravity': 3,
    'accelerometer': 3,
    'gyroscope': 3,
    'command': 2,
    'quaternion': 4,
    'time': 1,
}
STAGES = ('sensors', 'infer')
ALL = HAS_INPUTS | HAS_OUTPUT | HAS_TARGET | HAS_CARRY | HAS_SAMPLE


def small_format() -> RecordFormat:
    """Return the layout of a policy with three joints, most inputs and a carry of five."""
    return RecordFormat(JOINTS, SIZES, 5, STAGES)


def produce(ring: StepRing, step: int, flags: int = ALL, **arrays: Any) -> bool:
    """Fill and publish one record; True when the ring took it."""
    slot = ring.claim()
    if slot < 0:
        return False
    for number, (name, rows) in enumerate(ring.f32.items()):
        rows[slot] = arrays.get(name, np.float32(step + number / 10))
    ring.i64['step_id'][slot] = step
    ring.i64['t_us'][slot] = 1_700_000_000_000_000 + step
    ring.i64['stamp_ns'][slot] = 20_000_000 * step
    ring.i64['age_us'][slot] = 300
    ring.i64['late_us'][slot] = 12
    ring.i64['activation'][slot] = 1
    ring.i64['flags'][slot] = flags
    ring.obj['mode'][slot] = 'run'
    ring.publish()
    return True
