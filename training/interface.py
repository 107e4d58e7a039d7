"""What the walking policy sees, remembers and does.

The simulator it is trained in (env.py), the ONNX graph it is shipped as (export.py) and the
network (ppo.py) must agree on every number here; this file is the one place where they are.

The observation, in this order, is what any robot with joint encoders and an IMU has:

=====================  ====  =====================================================
gyroscope                 3  rad/s, base frame
gravity direction         3  unit vector, base frame
command                   3  vx, vy (m/s), yaw rate (rad/s)
joint angles             12  rad, less the home pose
joint velocities         12  rad/s
last action              12  from the carry
clock                     2  sine and cosine of the gait phase; zero while standing
heading error             1  from the carry: integral of (asked - measured yaw rate), leaking
=====================  ====  =====================================================

Two of the entries are memory. The clock tells the legs whose turn it is, and the heading error
lets the robot hold its course: without it, no policy can know that it has drifted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROBOT_XML = Path(__file__).resolve().parent.parent / 'robots' / 'biped' / 'biped.xml'

SIDES = ('left', 'right')
LEG_JOINTS = ('hip_yaw', 'hip_roll', 'hip_pitch', 'knee', 'ankle_pitch', 'ankle_roll')
JOINT_NAMES = tuple(f'{side}_{joint}' for side in SIDES for joint in LEG_JOINTS)
JOINTS = len(JOINT_NAMES)
COMMAND_NAMES = ('xvel', 'yvel', 'yawrate')
COMMAND_RANGES = {'xvel': (-0.3, 0.45), 'yvel': (-0.15, 0.15), 'yawrate': (-0.5, 0.5)}

PHYSICS_DT = 0.004
SUBSTEPS = 5
CONTROL_DT = PHYSICS_DT * SUBSTEPS
GRAVITY = 9.81

# One gait cycle is a power of two of ticks, so that the phase is exact in float32 forever.
GAIT_TICKS = 32
# Below this norm a command means "stand": the clock stops, and starts again from phase zero.
STAND_BELOW = 0.05

# Target = home pose + gait pattern + ACTION_SCALE * action, clipped to the joint's limits. The
# pattern lifts the leg whose turn it is by the clock, and swings both as a robot with that command
# would if it weighed nothing. Alone that is no walk, and not even balance, but it shows the
# training from its first minute what a step is.
LIFT_ANGLE = 0.25  # rad at the hip, the ankle, and twice at the knee
LEG_LENGTH = 0.4
# How much further the legs swing than geometry says, for commands above and below zero: servos
# lag and the body sways. Measured, so that the robot goes about as fast as it is asked to.
STRIDE_GAIN = ((2.2, 1.4, 1.12), (1.5, 1.4, 1.12))
# The swing follows the command with this delay (a first-order lag), so that no leg jumps.
STRIDE_LAG_S = 0.3
ACTION_SCALE = 0.3
ACTION_LIMIT = 6.0

HEADING_LEAK = 1.0 - CONTROL_DT / 4.0
HEADING_LIMIT = 0.5

# Last action, phase, heading error, stride command.
CARRY_SIZE = JOINTS + 1 + 1 + 3

# Name, size and a fixed scale that brings each entry near unit variance. Fixed scales instead of
# running statistics keep the network exactly symmetric and the training state small.
OBSERVATION = (
    ('gyroscope', 3, 1.0),
    ('gravity', 3, 8.0),
    ('command', 3, 3.0),
    ('joint_angles', JOINTS, 3.0),
    ('joint_velocities', JOINTS, 0.25),
    ('last_action', JOINTS, 0.7),
    ('clock', 2, 1.4),
    ('heading_error', 1, 4.0),
)
# What the critic sees besides: truth that only a simulator has.
PRIVILEGED = (
    ('velocity', 3, 3.0),
    ('mean_error', 3, 4.0),
    ('height', 1, 20.0),
    ('foot_contact', 2, 1.0),
    ('foot_height', 2, 25.0),
    ('foot_position', 4, 6.0),
    ('friction', 1, 3.0),
    ('delay', 1, 0.4),
)

StrideGain = tuple[tuple[float, float, float], tuple[float, float, float]]
Layout = tuple[tuple[str, int, float], ...]


def size(layout: Layout) -> int:
    """Return the length of a vector that is laid out so."""
    return sum(width for _, width, _ in layout)


def scales(layout: Layout) -> np.ndarray:
    """Return the scale of each entry."""
    return np.concatenate([np.full(width, scale, np.float32) for _, width, scale in layout])


def _joint_mirror() -> tuple[list[int], list[float]]:
    """Mirroring swaps the legs and turns yaw and roll round."""
    half = JOINTS // 2
    indices = [*range(half, JOINTS), *range(half)]
    signs = [-1.0 if name.endswith(('yaw', 'roll')) else 1.0 for name in JOINT_NAMES]
    return indices, signs


def _part_mirror(name: str) -> tuple[list[int], list[float]]:
    """Return where each entry of one part comes from in a mirror, and its sign."""
    signs = {
        'gyroscope': [-1.0, 1.0, -1.0],  # an axial vector: the other way round from the polar ones
        'gravity': [1.0, -1.0, 1.0],
        'velocity': [1.0, -1.0, 1.0],
        'command': [1.0, -1.0, -1.0],
        'mean_error': [1.0, -1.0, -1.0],
        'clock': [-1.0, -1.0],  # half a cycle later, the other leg does what this one did
        'heading_error': [-1.0],
        'height': [1.0],
        'friction': [1.0],
        'delay': [1.0],
    }
    if name in ('joint_angles', 'joint_velocities', 'last_action', 'offset'):
        return _joint_mirror()
    if name in ('foot_contact', 'foot_height'):
        return [1, 0], [1.0, 1.0]
    if name == 'foot_position':
        return [2, 3, 0, 1], [1.0, -1.0, 1.0, -1.0]
    return list(range(len(signs[name]))), signs[name]


def mirror(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return (indices, signs) such that x[indices] * signs is what a mirror shows of x."""
    indices: list[int] = []
    signs: list[float] = []
    for name, _, _ in layout:
        part_indices, part_signs = _part_mirror(name)
        indices += [len(signs) + index for index in part_indices]
        signs += part_signs
    return np.array(indices, np.int64), np.array(signs, np.float32)


ACTION: Layout = (('joint_angles', JOINTS, 1.0),)


def lift_pattern() -> np.ndarray:
    """Return what lifting the left and the right foot means for each joint, rad: [2, joints]."""
    bend = {'hip_pitch': -LIFT_ANGLE, 'knee': 2.0 * LIFT_ANGLE, 'ankle_pitch': -LIFT_ANGLE}
    leg = [bend.get(joint, 0.0) for joint in LEG_JOINTS]
    return np.kron(np.eye(2), leg)


def stride_pattern() -> np.ndarray:
    """Return each joint's swing, rad per (m/s or rad/s) of each command: [3, joints].

    In the half cycle that a foot is down, it has to fall behind by half a cycle's way: from a
    quarter ahead to a quarter behind. The pattern is that amplitude, times the clock's cosine.
    """
    quarter = GAIT_TICKS * CONTROL_DT / 4.0
    angle = quarter / LEG_LENGTH
    swings = (
        {'hip_pitch': angle, 'ankle_pitch': -angle},
        {'hip_roll': -angle, 'ankle_roll': angle},
        {'hip_yaw': -quarter},
    )
    leg = np.array([[swing.get(joint, 0.0) for joint in LEG_JOINTS] for swing in swings])
    return np.concatenate([leg, -leg], 1)


def lengthen(stride: np.ndarray, gain: StrideGain) -> np.ndarray:
    """Apply gains for stride commands above and below zero."""
    longer: np.ndarray = np.where(stride > 0.0, gain[0], gain[1]) * stride
    return longer


def is_moving(command: np.ndarray) -> np.ndarray:
    """Tell for each command whether it asks for steps."""
    moving: np.ndarray = np.linalg.norm(command, axis=-1) > STAND_BELOW
    return moving
