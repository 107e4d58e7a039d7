"""Sensor messages captured from a running robot, as plain data without ROS."""

from dataclasses import dataclass
from dataclasses import field

from kinfer_ros.arrays import Float64

MAX_SAMPLES = 20000
"""Samples of one topic that are kept."""


@dataclass(frozen=True)
class CapturedJointState:
    """One joint_states message."""

    stamp_ns: int
    age_ns: int
    names: tuple[str, ...]
    position: Float64
    velocity: Float64


@dataclass(frozen=True)
class CapturedImu:
    """One imu/data message, in the order of its fields."""

    stamp_ns: int
    age_ns: int
    frame_id: str
    xyzw: Float64
    gyro: Float64
    accel: Float64
    has_orientation: bool = True


@dataclass(frozen=True)
class CapturedOdometry:
    """One odom message."""

    stamp_ns: int
    age_ns: int
    child_frame_id: str
    linear: Float64


@dataclass(frozen=True)
class CapturedScan:
    """One height_scan message."""

    stamp_ns: int
    age_ns: int
    shape: tuple[int, int]
    """Rows and columns."""
    heights: Float64
    problem: str = ''
    """Why it cannot be read."""


@dataclass
class SensorCapture:
    """All messages received in a span of time."""

    seconds: float = 0.0
    has_clock: bool = True
    """False: ages mean nothing (the listener does not have the clock of the stamps)."""
    time_runs: bool = True
    """False: time stands still (a simulation in lockstep, before it starts)."""
    joints: list[CapturedJointState] = field(default_factory=list)
    imu: list[CapturedImu] = field(default_factory=list)
    odom: list[CapturedOdometry] = field(default_factory=list)
    scan: list[CapturedScan] = field(default_factory=list)
