"""What the policies that hold a posture see, remember and do: stand, and crouch.

As interface.py is for the walk, this is the one place where the simulator (posture_env.py), the
network (ppo.py) and the ONNX graph (export.py) find these numbers. The observation:

=====================  ====  =====================================================
gyroscope                 3  rad/s, base frame
gravity direction         3  unit vector, base frame
joint angles             12  rad, less the posture's
joint velocities         12  rad/s
last action              12  from the carry
clock                     2  sine and cosine of the gait phase; zero unless it steps
offset                   12  from the carry: what is left of the way to the posture
=====================  ====  =====================================================

A posture is entered from wherever the legs are. The first tick keeps how far they are off, and the
target goes from there to the posture in a straight line; the network adds its corrections to that.

A push that would throw the robot over makes it step: the clock of the walk runs for half a cycle,
which is one step, and on as long as the body sways. It is the pattern of the walk, with no stride.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training import interface as io

# A power of two of ticks, so that progress is exact in float32.
ENTRY_TICKS = 32

# Last action, offset at the first tick, progress (0 before the first tick, 1 once there), phase,
# sway.
CARRY_PARTS = (io.JOINTS, io.JOINTS, 1, 1, 2)
CARRY_SIZE = sum(CARRY_PARTS)

OBSERVATION: io.Layout = (
    ('gyroscope', 3, 1.0),
    ('gravity', 3, 8.0),
    ('joint_angles', io.JOINTS, 3.0),
    ('joint_velocities', io.JOINTS, 0.25),
    ('last_action', io.JOINTS, 0.7),
    ('clock', 2, 1.4),
    ('offset', io.JOINTS, 3.0),
)

# Sway is how fast the body moves over its feet, plus how far it is off them times this: where an
# inverted pendulum of that height would end (its capture point), as a speed, m/s.
PENDULUM_RATE = 4.5
SWAY_SMOOTHING = 0.2  # of each tick; sensors are noisy
SIDEWAYS = 0.5  # the feet stand apart: a body that sways sideways needs a step later
KNEES = [io.JOINT_NAMES.index(f'{side}_knee') for side in io.SIDES]


@dataclass(frozen=True)
class Posture:
    """A pose of both legs, and what the training for it is like."""

    hip_pitch: float  # rad
    knee: float
    ankle_pitch: float
    base_height: float  # m, with servos that give way a little
    step_at: float  # m/s of sway; infinite: it never steps
    push_speed: float  # m/s, the largest of the training
    walking_starts: float  # share of the episodes that begin in the middle of a walk
    near_home: float  # rad; which moments of it: all joints at most this from home
    bent_starts: float  # share that begins between home and crouch

    def joints(self) -> np.ndarray:
        """Return the pose, rad, in the order of JOINT_NAMES."""
        bend = {'hip_pitch': self.hip_pitch, 'knee': self.knee, 'ankle_pitch': self.ankle_pitch}
        return np.array([bend.get(joint, 0.0) for joint in io.LEG_JOINTS] * len(io.SIDES))


POSTURES = {
    'stand': Posture(
        -0.35, 0.7, -0.35, 0.480, step_at=0.24, push_speed=0.75, walking_starts=0.45,
        near_home=math.inf, bent_starts=0.2,
    ),
    # Ankles bend less than knees: the hips lean the body forward, over the feet.
    'crouch': Posture(
        -1.20, 1.74, -0.75, 0.350, step_at=math.inf, push_speed=0.40, walking_starts=0.2,
        near_home=0.3, bent_starts=0.2,
    ),
}  # fmt: skip


def sway_matrix() -> np.ndarray:
    """Return sway (forward, left) per gyroscope, gravity, joint angle and joint velocity: [30, 2].

    Thigh and shank are two sticks on a foot that stands; both legs count half. What one leg does
    against the other, as in a step, is no sway.
    """
    half = 0.5 * io.LEG_LENGTH
    forward = {'hip_pitch': 0.5 * io.LEG_LENGTH, 'knee': 0.5 * half}
    left = {'hip_roll': -0.5 * SIDEWAYS * io.LEG_LENGTH}
    joints = [[row.get(name, 0.0) for name in io.LEG_JOINTS * 2] for row in (forward, left)]
    turning = np.array([[0.0, io.LEG_LENGTH, 0.0], [-SIDEWAYS * io.LEG_LENGTH, 0.0, 0.0]])
    # Gravity in the base frame: forward when the robot leans forward, right when it leans right.
    leaning = np.array([[io.LEG_LENGTH, 0.0, 0.0], [0.0, SIDEWAYS * io.LEG_LENGTH, 0.0]])
    parts = [turning, PENDULUM_RATE * leaning, PENDULUM_RATE * np.array(joints), joints]
    return np.concatenate(parts, 1).T
