"""The biped held in a posture: what differs from the walk in env.py.

An episode begins at home, between home and crouch, or in a state recorded from the shipped
policies: in the middle of a walk, or in a stand after its steps. The posture takes over there,
and is pushed about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

import mujoco
import numpy as np
import torch
from torch import nn

from training import interface as io
from training.env import LESSONS
from training.env import PUSH_EVERY_S
from training.env import Array
from training.env import Log
from training.env import WalkEnv
from training.env import mean_of
from training.env import rotate_inverse
from training.posture import ENTRY_TICKS
from training.posture import KNEES
from training.posture import OBSERVATION
from training.posture import POSTURES
from training.posture import SWAY_SMOOTHING
from training.posture import sway_matrix
from training.ppo import Layers
from training.ppo import actor_network
from training.ppo import adopt

BENT_STARTS = 64
RECORDED_ROBOTS = 128  # at most
RECORDED_TICKS = 400
WALK_SETTLES = 60  # ticks; the first steps from standing are few
KEEP_EVERY = 3  # ticks
RESTS = 1.5  # rad/s, of each joint

# The stand first learns to stay on its feet, then not to twitch with the noise of the sensors. The
# crouch first learns to get down, then to do so with the feet wherever a stand leaves them.
POSTURE_LESSONS = {
    'stand': (LESSONS[-1], replace(LESSONS[-1], calm=0.1), replace(LESSONS[-1], calm=0.5)),
    'crouch': (LESSONS[-1], replace(LESSONS[-1], standing_starts=0.55)),
}


@dataclass(frozen=True)
class Starts:
    """States to begin an episode in, one a row."""

    physics: Array
    sensors: Array
    target: Array


def record(env: WalkEnv, actor: nn.Sequential, wanted: Callable[[Array], Array]) -> Starts:
    """Let a policy run for a while, and keep the states that are wanted.

    :param wanted: which robots, by how upright they are (1: upright).
    """
    kept: list[tuple[Array, Array, Array]] = []
    for tick in range(RECORDED_TICKS):
        with torch.no_grad():
            action = actor(torch.from_numpy(env.observe()[0])).numpy().astype(np.float64)
        _, fallen, timeout, _ = env.step(action)
        env.reset_where(fallen | timeout)
        up = -rotate_inverse(env.qpos[:, 3:7], np.array([[0.0, 0.0, -1.0]]))[:, 2]
        rows = wanted(up)
        if tick % KEEP_EVERY == 0:
            kept.append((env.physics[rows], env.sensors[rows], env.target[rows]))
    return Starts(*(np.concatenate(column) for column in zip(*kept, strict=True)))


def walking_starts(robots: int, seed: int, threads: int, layers: Layers, within: float) -> Starts:
    """Let the shipped policy walk at all commands, noisy, late and pushed, and keep its states.

    :param within: rad; only states whose joints are all this near to home.
    """
    env = WalkEnv(min(robots, RECORDED_ROBOTS), seed, threads)
    env.lesson = LESSONS[-1]
    actor = actor_network()
    adopt(actor, layers, io.OBSERVATION)

    def walks(up: Array) -> Array:
        near: Array = (np.abs(env.qpos[:, 7:] - env.home) < within).all(1)
        return near & (env.ticks > WALK_SETTLES) & io.is_moving(env.command) & (up > 0.95)

    return record(env, actor, walks)


def standing_starts(robots: int, seed: int, threads: int, walk: Layers, stand: Layers) -> Starts:
    """Let the shipped stand catch walks and pushes, and keep the states in which it rests.

    Its feet then stand where its steps have put them.
    """
    env = PostureEnv('stand', min(robots, RECORDED_ROBOTS), seed, walk, threads)
    actor = actor_network(OBSERVATION)
    adopt(actor, stand, OBSERVATION, OBSERVATION)

    def rests(up: Array) -> Array:
        slow: Array = (np.abs(env.qvel[:, 6:]) < RESTS).all(1)
        return slow & (env.progress == 1.0) & (up > 0.98)

    return record(env, actor, rests)


class PostureEnv(WalkEnv):
    """A batch of bipeds that hold a posture."""

    OBSERVATION = OBSERVATION
    lowest = 0.26
    _STATE = (*WalkEnv._STATE, 'offset', 'progress', 'sway', 'stepping')

    def __init__(
        self,
        name: str,
        robots: int,
        seed: int,
        layers: Layers,
        threads: int = 2,
        stand: Layers | None = None,
    ) -> None:
        """Make the robots, and record where they begin.

        :param layers: the network of the walk.
        :param stand: that of the stand, for lessons that begin with it.
        """
        self.posture = POSTURES[name]
        self.lessons = POSTURE_LESSONS[name]
        self.base_height = self.posture.base_height
        self._walking = walking_starts(robots, seed + 1, threads, layers, self.posture.near_home)
        self._standing = None
        if stand is not None:
            self._standing = standing_starts(robots, seed + 2, threads, layers, stand)
        super().__init__(robots, seed, threads)

    def _allocate(self) -> None:
        super()._allocate()
        self.home = self.posture.joints()
        self.offset = np.zeros((self.robots, io.JOINTS))
        self.progress = np.zeros(self.robots)
        self.sway = np.zeros((self.robots, 2))
        self.stepping = np.zeros(self.robots, bool)
        self._bent = self._bent_starts()

    def _bent_starts(self) -> Starts:
        """Place the robot with its feet flat on the floor, from home to crouch."""
        model, data = self.model, self._data[0]
        home, crouch = (POSTURES[name].joints() for name in ('stand', 'crouch'))
        rows = []
        for share in np.linspace(0.0, 1.0, BENT_STARTS):
            joints = home + share * (crouch - home)
            mujoco.mj_resetDataKeyframe(model, data, 0)
            lean = -joints[2:5].sum()  # hip, knee and ankle
            data.qpos[3:7] = np.cos(lean / 2), 0.0, np.sin(lean / 2), 0.0
            data.qpos[7:] = joints
            mujoco.mj_forward(model, data)
            sole = data.sensor('left_sole_pos').data[2]
            data.qpos[2] -= sole - self._home_sensors[self._columns['left_sole_pos']][2]
            mujoco.mj_forward(model, data)
            physics = np.concatenate([[0.0], data.qpos, data.qvel])
            rows.append((physics, data.sensordata.copy(), joints))
        return Starts(*(np.array(column) for column in zip(*rows, strict=True)))

    def _new_commands(self, rows: Array) -> None:
        """A posture takes no command."""
        self.command[rows] = 0.0

    def _reset(self, rows: Array) -> None:
        """Begin at home, bent, or in a walk."""
        super()._reset(rows)
        n, rng = len(rows), self.rng
        self.target[rows] = POSTURES['stand'].joints()
        kind, posture = rng.random(n), self.posture
        bent = rows[kind < posture.bent_starts]
        self._begin(bent, self._bent)
        self.qpos[bent, 7:] += rng.uniform(-0.05, 0.05, (len(bent), io.JOINTS))
        self.qpos[bent, 2] += rng.uniform(0.0, 0.02, len(bent))
        self.qvel[bent] = rng.normal(0.0, 0.1, (len(bent), self.model.nv))
        self._begin(rows[kind > 1.0 - posture.walking_starts], self._walking)
        if self._standing is not None and self.lesson.standing_starts:
            within = kind - posture.bent_starts
            stands = (within >= 0.0) & (within < self.lesson.standing_starts)
            self._begin(rows[stands], self._standing)
        self.progress[rows] = 0.0
        self.sway[rows] = 0.0
        self.stepping[rows] = False
        self.offset[rows] = self.qpos[rows, 7:] - self.home

    def _begin(self, rows: Array, starts: Starts) -> None:
        chosen = self.rng.integers(0, len(starts.physics), len(rows))
        self.physics[rows] = starts.physics[chosen]
        self.sensors[rows] = starts.sensors[chosen]
        self.target[rows] = starts.target[chosen]

    def observe(self) -> tuple[Array, Array]:
        """Read the sensors, and advance what the policy remembers.

        The first tick keeps how far the joints are off; the foot that is up steps first.
        """
        measured = self._measure()
        first, angles = self.progress == 0.0, measured['joint_angles']
        self.offset = np.where(first[:, None], angles, self.offset)
        left, right = angles[:, KNEES].T
        self.phase = np.where(first, np.where(left < right, 0.5, 0.0), self.phase)
        sway = np.concatenate(list(measured.values()), 1) @ sway_matrix()
        self.sway = self.sway + SWAY_SMOOTHING * (sway - self.sway)
        between = self.phase % 0.5 == 0.0  # steps
        self.stepping = ~between | (np.linalg.norm(self.sway, axis=1) > self.posture.step_at)
        return self._compose(**measured), self.critic_observation()

    def _moving(self) -> Array:
        return self.stepping

    def _gait_pattern(self) -> Array:
        """Return the lift of a step, and what is left of the way to the posture."""
        pattern: Array = np.maximum(self._swing(), 0.0) @ io.lift_pattern() + self._left()
        return pattern

    def _left(self) -> Array:
        left: Array = (1.0 - self.progress)[:, None] * self.offset
        return left

    def _compose(
        self,
        gyroscope: Array,
        gravity: Array,
        joint_angles: Array,
        joint_velocities: Array,
    ) -> Array:
        """Lay out an observation as posture.py says."""
        angle = 2.0 * np.pi * self.phase[:, None]
        clock = np.concatenate([np.sin(angle), np.cos(angle)], 1) * self.stepping[:, None]
        parts = [gyroscope, gravity, joint_angles, joint_velocities, self.action, clock,
                 self._left()]  # fmt: skip
        observation: Array = np.concatenate(parts, 1) * io.scales(OBSERVATION)
        return observation.astype(np.float32)

    def _advance_clock(self) -> None:
        self.progress = np.minimum(self.progress + 1.0 / ENTRY_TICKS, 1.0)
        self.phase = (self.phase + self.stepping / io.GAIT_TICKS) % 1.0

    def _disturb(self) -> None:
        """Push some robots, from any side."""
        pushed = np.flatnonzero(self.rng.random(self.robots) < io.CONTROL_DT / PUSH_EVERY_S)
        angle = self.rng.uniform(-np.pi, np.pi, len(pushed))
        speed = self.rng.uniform(0.0, self.posture.push_speed, len(pushed))
        self.qvel[pushed, 0] += speed * np.cos(angle)
        self.qvel[pushed, 1] += speed * np.sin(angle)

    def _away(self) -> Array:
        return super()._away() - self._left()

    def _reward(self, action: Array) -> tuple[Array, Log]:
        """Pay as the walk does for standing and for stepping in place; best is to need no step."""
        reward, log = super()._reward(action)
        still = (self.progress == 1.0) & ~self.stepping
        log |= {'stepping': self.stepping.mean(), 'height': mean_of(self.qpos[:, 2], still)}
        change = ((action - self.action) ** 2).sum(1)
        return reward + 0.1 * ~self.stepping - 0.1 * self.lesson.calm * change, log
