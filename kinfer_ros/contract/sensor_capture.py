"""Sensor messages as data: what a check heard of a running robot, without ROS."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from kinfer_ros.arrays import Float64

MAX_COUNT = 20000
"""Samples of one topic that are kept."""


@dataclass(frozen=True)
class JointSample:
    """One joint_states message."""

    stamp_ns: int
    age_ns: int
    names: tuple[str, ...]
    position: Float64
    velocity: Float64


@dataclass(frozen=True)
class ImuSample:
    """One imu/data message, in the order of its fields."""

    stamp_ns: int
    age_ns: int
    frame_id: str
    xyzw: Float64
    gyro: Float64
    accel: Float64
    has_orientation: bool = True


@dataclass(frozen=True)
class OdomSample:
    """One odom message."""

    stamp_ns: int
    age_ns: int
    child_frame_id: str
    linear: Float64


@dataclass
class SensorCapture:
    """What came in while we listened."""

    seconds: float = 0.0
    clocked: bool = True
    """False: ages say nothing (the listener has no clock of the stamps)."""
    running: bool = True
    """False: time stands still (a simulation in lockstep, before it starts)."""
    joints: list[JointSample] = field(default_factory=list)
    imu: list[ImuSample] = field(default_factory=list)
    odom: list[OdomSample] = field(default_factory=list)
