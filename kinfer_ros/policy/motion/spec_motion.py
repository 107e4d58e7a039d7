"""Reads the section `motion` of a policy spec. Format: docs/motions.md."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import read_names

SAMPLING = ('linear', 'nearest')
VELOCITY = ('forward', 'central', 'stored')
HOLD, LOOP, STOP = 'hold', 'loop', 'stop'
ENDS = (HOLD, LOOP, STOP)
AXES = {'x': (1.0, 0.0, 0.0), 'y': (0.0, 1.0, 0.0), 'z': (0.0, 0.0, 1.0)}
MAX_LAG = 100
MAX_SECONDS = 1e5
POSITIONS, VELOCITIES, ORIENTATION = 'joint_positions', 'joint_velocities', 'anchor_orientation'


@dataclass(frozen=True)
class ChainJoint:
    """One joint between the base and the anchor."""

    name: str
    axis: tuple[float, float, float]
    """Unit vector in the frame before it."""


@dataclass(frozen=True)
class NetworkMotion:
    """A motion in the network: the input of its frame, and the outputs that are the reference."""

    step: str
    positions: str
    velocities: str | None
    orientation: str | None


@dataclass(frozen=True, eq=False)
class MotionSpec:
    """
    What a spec says of its motion.

    :ivar joints: names of the columns, in the file's order.
    :ivar order: index of each of the policy's joints among them.
    :ivar body: index of the anchor among the bodies of an NPZ; None: the anchor is computed.
    :ivar anchor: joints from the base to the anchor; none: the base is the anchor.
    :ivar start_s: time of the file at which the policy begins.
    :ivar duration_s: time that is played; None: to the end of the file.
    :ivar lag: ticks by which the policy sees the reference late.
    :ivar wait: whether the first frame is held until the motion is started.
    :ivar align: whether the reference is turned to the robot's heading at the start.
    """

    file: str | None
    network: NetworkMotion | None
    rate_hz: float | None
    joints: tuple[str, ...]
    order: Indices
    quaternion: str
    body: int | None
    anchor: tuple[ChainJoint, ...]
    start_s: float
    duration_s: float | None
    sampling: str
    velocity: str
    lag: int
    wait: bool
    end: str
    align: bool


def read_motion(root: Section, joints: tuple[str, ...]) -> MotionSpec | None:
    """Read the section, where the spec has one."""
    section = root.section('motion') if root.has('motion') else None
    if section is None:
        return None
    network = _read_network(section)
    if (network is None) == (not section.has('file')):
        section.problem('found both or neither of file and network, expected one of them')
    columns = read_names(section, 'joints') if section.has('joints') else joints
    missing = [name for name in joints if name not in columns]
    if missing:
        section.problem(
            f'found no column for {", ".join(missing)}, expected all joints of the policy',
            'joints',
        )
        columns = joints
    return MotionSpec(
        file=section.string('file') if section.has('file') else None,
        network=network,
        rate_hz=section.number('rate', 'Hz', 0.1, MAX_RATE_HZ) if section.has('rate') else None,
        joints=columns,
        order=np.array([columns.index(name) for name in joints], np.intp),
        quaternion=section.choice('quaternion', ('wxyz', 'xyzw'), _usual_order(section, network)),
        body=section.integer('body', 0, 1000) if section.has('body') else None,
        anchor=_read_anchor(section, joints),
        start_s=section.number('start', 's', 0.0, MAX_SECONDS) if section.has('start') else 0.0,
        duration_s=(
            section.number('duration', 's', 0.0, MAX_SECONDS) if section.has('duration') else None
        ),
        sampling=section.choice('sampling', SAMPLING, 'linear'),
        velocity=section.choice('velocity', VELOCITY, _usual_velocity(section, network)),
        lag=section.integer('lag', 0, MAX_LAG, default=0),
        wait=section.boolean('wait', False),
        end=section.choice('end', ENDS),
        align=section.choice('align', ('yaw', 'none')) == 'yaw',
    )


def _usual_order(section: Section, network: NetworkMotion | None) -> str | None:
    """Only an NPZ has a convention; half of the others are the one, half the other."""
    if network is not None:
        return None if network.orientation else 'wxyz'
    return 'wxyz' if _is_npz(section) else None


def _is_npz(section: Section) -> bool:
    file = section.plain('file')
    return isinstance(file, str) and file.lower().endswith('.npz')


def _usual_velocity(section: Section, network: NetworkMotion | None) -> str | None:
    """A network and an NPZ hold velocities; of a CSV it has to be said how they are made."""
    stored = network is not None and network.velocities
    return 'stored' if stored or _is_npz(section) else None


def _read_network(section: Section) -> NetworkMotion | None:
    if not section.has('network'):
        return None
    entry = section.section('network')
    if entry is None:
        return None

    def output(name: str) -> str | None:
        return entry.string(name) if entry.has(name) else None

    return NetworkMotion(
        entry.string('step'), entry.string(POSITIONS), output(VELOCITIES), output(ORIENTATION)
    )


def _read_anchor(section: Section, joints: tuple[str, ...]) -> tuple[ChainJoint, ...]:
    if not section.has('anchor'):
        return ()
    chain = []
    for entry in section.each('anchor'):
        name = entry.string('joint')
        if name not in joints:
            entry.problem(f'found {name!r}, expected a joint of the policy', 'joint')
        chain.append(ChainJoint(name, _read_axis(entry)))
    return tuple(chain)


def _read_axis(entry: Section) -> tuple[float, float, float]:
    axis: Any = entry.plain('axis')
    if isinstance(axis, str) and axis in AXES:
        return AXES[axis]
    if isinstance(axis, list) and len(axis) == 3:
        try:
            vector: Float64 = np.array([float(value) for value in axis])
        except (TypeError, ValueError):
            vector = np.zeros(3)
        norm = float(np.linalg.norm(vector))
        if 0.0 < norm < np.inf:
            x, y, z = (vector / norm).tolist()
            return x, y, z
    entry.problem(f'found {axis!r}, expected x, y, z or a vector [x, y, z]', 'axis')
    return AXES['z']
