"""Many copies of the biped, stepped together by mujoco.rollout, with rewards for walking.

Each copy differs a little (friction, masses, servo gains, command delay) and is pushed now and
then, so that the policy learns to walk on all of them, and with luck on a real one. All random
numbers come from one generator, and `state` / `load_state` hold everything: an interrupted run
goes on bit for bit as if it had not been.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from mujoco import rollout

from training import interface as io

Array = np.ndarray[Any, Any]
Log = dict[str, Any]

EPISODE_TICKS = 500
FOOT_LIFT = 0.065  # height of the middle of a swing, m
BASE_HEIGHT = 0.480  # m, with the knees bent as they are in a walk
MIN_FOOT_DISTANCE = 0.11  # m, sideways: legs do not collide in this model, but feet are 8 cm wide
MEAN_OVER_S = 0.4  # for the mean velocity errors
COMMAND_CHANGE_S = 3.0
PUSH_EVERY_S = 3.0
PUSH_SPEED = 0.35
# A little beyond the range that the policy is shipped for, so that its ends are not edges.
TRAINING_RANGE = np.array([[-0.37, 0.67], [-0.26, 0.26], [-0.72, 0.72]])
NOISE = {'gyroscope': 0.15, 'gravity': 0.03, 'joint_angles': 0.015, 'joint_velocities': 0.75}


def load_model() -> mujoco.MjModel:
    """Load the robot without its looks, and with sensors for what only the rewards need."""
    spec = mujoco.MjSpec.from_file(str(io.ROBOT_XML))
    for texture in spec.textures:  # hundreds of copies of the model: no room for pictures
        texture.width = texture.height = 4
    for side in io.SIDES:
        for name, kind in (
            ('pos', mujoco.mjtSensor.mjSENS_FRAMEPOS),
            ('vel', mujoco.mjtSensor.mjSENS_FRAMELINVEL),
            ('xaxis', mujoco.mjtSensor.mjSENS_FRAMEXAXIS),
            ('zaxis', mujoco.mjtSensor.mjSENS_FRAMEZAXIS),
        ):
            spec.add_sensor(
                name=f'{side}_sole_{name}',
                type=kind,
                objtype=mujoco.mjtObj.mjOBJ_SITE,
                objname=f'{side}_sole',
            )
    return spec.compile()


def rotate_inverse(quaternion: Array, vector: Array) -> Array:
    """Rotate world vectors into the frames with these orientations (w, x, y, z)."""
    w, u = quaternion[:, :1], -quaternion[:, 1:]
    t = 2.0 * np.cross(u, vector)
    return vector + w * t + np.cross(u, t)


def yaw_of(quaternion: Array) -> Array:
    """Return the heading of each orientation."""
    w, x, y, z = quaternion.T
    yaw: Array = np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return yaw


def turn(yaw: Array, vector: Array) -> Array:
    """Express horizontal world vectors in frames that head to `yaw`."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([c * vector[:, 0] + s * vector[:, 1], c * vector[:, 1] - s * vector[:, 0]], 1)


def mean_of(values: Array, which: Array) -> Any:
    """Return the mean over some of the robots, and zero over none."""
    return values[which].mean(0) if which.any() else values.mean(0) * 0.0


@dataclass(frozen=True)
class Lesson:
    """What is paid for in a part of the training."""

    follow: float  # the command
    form: float  # contacts as the clock asks for, and all that should be small
    lift: float  # the height of the swinging foot
    full_pay_at: float  # quality of the lift (0 to 1) from which on following is paid in full
    peak_width: tuple[float, float, float]  # of the peaks over the mean errors: m/s, m/s, rad/s
    stride_gain: io.StrideGain  # of the pattern's swing
    calm: float = 0.0  # of a posture: a cost of actions that change
    standing_starts: float = 0.0  # of a posture: share of the episodes that begin in a stand


# First to step without falling, and to lift the feet well. Then to go where it is told, with the
# lift no longer what pays most: a robot that is paid for it goes at half the speed asked for,
# because a fast step is never as clean. The peaks are wide then, so as to show above the noise.
SHARP = (0.08, 0.06, 0.12)
WIDE = (0.15, 0.10, 0.20)
SHORT = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
LONG_AHEAD = ((2.2, 1.4, 1.12), (1.3, 1.4, 1.12))
LESSONS = (
    Lesson(1.0, form=1.0, lift=1.5, full_pay_at=1.0, peak_width=SHARP, stride_gain=SHORT),
    Lesson(1.5, form=0.6, lift=1.5, full_pay_at=1.0, peak_width=SHARP, stride_gain=SHORT),
    Lesson(2.0, form=0.6, lift=0.3, full_pay_at=0.4, peak_width=WIDE, stride_gain=SHORT),
    Lesson(2.0, form=0.6, lift=0.3, full_pay_at=0.4, peak_width=WIDE, stride_gain=LONG_AHEAD),
    Lesson(2.0, form=0.6, lift=0.3, full_pay_at=0.4, peak_width=WIDE, stride_gain=io.STRIDE_GAIN),
)


class WalkEnv:
    """A batch of bipeds. Call `observe` and `step` by turns.

    Arrays have one row a robot; `physics` holds MuJoCo's full state (time, qpos, qvel).
    """

    # Everything that changes from tick to tick, for checkpoints.
    _STATE = (
        'physics', 'sensors', 'command', 'action', 'previous_action', 'target', 'phase',
        'heading_error', 'true_heading_error', 'ticks', 'delay', 'mean_error', 'bias',
        'stride_command',
    )  # fmt: skip

    OBSERVATION: io.Layout = io.OBSERVATION
    lessons = LESSONS
    base_height = BASE_HEIGHT
    lowest = 0.36  # m; a base below this has fallen

    def __init__(self, robots: int, seed: int, threads: int = 2) -> None:
        """Make the variants of the robot and reset them all, at different ages."""
        self.robots = robots
        self.rng = np.random.default_rng(seed)
        self.lesson = self.lessons[0]
        self.model = load_model()
        self.home = self.model.key('home').qpos[7:].copy()
        self.lower, self.upper = self.model.jnt_range[1:].T
        self._rollout = rollout.Rollout(nthread=threads)
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._find_columns()
        self.friction = np.zeros(robots)
        self._models = [self._variant(index) for index in range(robots)]
        self._allocate()
        self._reset(np.arange(robots))
        self.ticks[:] = self.rng.integers(0, EPISODE_TICKS, robots)

    def _find_columns(self) -> None:
        """Look up where each sensor's values are, and what they read in the home pose."""
        model = self.model
        self._columns = {
            model.sensor(i).name: slice(
                model.sensor_adr[i], model.sensor_adr[i] + model.sensor_dim[i]
            )
            for i in range(model.nsensor)
        }
        data = self._data[0]
        mujoco.mj_resetDataKeyframe(model, data, 0)
        mujoco.mj_forward(model, data)
        self._home_sensors = data.sensordata.copy()
        self._home_qpos = data.qpos.copy()

    def _variant(self, index: int) -> mujoco.MjModel:
        """Make one robot that differs from the drawing as robots do."""
        rng, model = self.rng, copy.copy(self.model)
        self.friction[index] = rng.uniform(0.5, 1.1)
        model.geom_friction[:, 0] = self.friction[index]
        base = model.body('base').id
        model.body_mass[base] += rng.uniform(-0.5, 1.0)
        model.body_ipos[base] += rng.uniform(-0.015, 0.015, 3)
        stiffness = rng.uniform(0.85, 1.15, io.JOINTS)
        model.actuator_gainprm[:, 0] *= stiffness
        model.actuator_biasprm[:, 1] *= stiffness
        model.actuator_biasprm[:, 2] *= rng.uniform(0.8, 1.2, io.JOINTS)
        return model

    def _allocate(self) -> None:
        n = self.robots
        width = mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        self.physics = np.zeros((n, width))
        self.sensors = np.zeros((n, self.model.nsensordata))
        self.command = np.zeros((n, 3))
        self.action = np.zeros((n, io.JOINTS))
        self.previous_action = np.zeros((n, io.JOINTS))
        self.target = np.zeros((n, io.JOINTS))
        self.phase = np.zeros(n)
        self.heading_error = np.zeros(n)
        self.true_heading_error = np.zeros(n)
        self.ticks = np.zeros(n, int)
        self.delay = np.zeros(n, int)
        self.mean_error = np.zeros((n, 3))
        self.stride_command = np.zeros((n, 3))
        self.bias = np.zeros((n, 6 + io.JOINTS))
        self._no_warmstart = np.zeros((n, self.model.nv))

    def state(self) -> dict[str, Any]:
        """Return a copy of all that changes."""
        arrays = {name: getattr(self, name).copy() for name in self._STATE}
        return {'arrays': arrays, 'rng': self.rng.bit_generator.state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken (by an environment made with the same seed)."""
        for name in self._STATE:
            getattr(self, name)[...] = state['arrays'][name]
        self.rng.bit_generator.state = state['rng']

    @property
    def qpos(self) -> Array:
        """Position of the base, its orientation (w, x, y, z), and the joints."""
        return self.physics[:, 1 : 1 + self.model.nq]

    @property
    def qvel(self) -> Array:
        """Velocity of the base (world), its angular velocity (base frame), and the joints'."""
        return self.physics[:, 1 + self.model.nq :]

    def _sensor(self, name: str) -> Array:
        return self.sensors[:, self._columns[name]]

    def _feet(self, name: str) -> Array:
        """Return one of the soles' readings as [robot, foot, value]."""
        return np.stack([self._sensor(name.format(side)) for side in io.SIDES], 1)

    def _new_commands(self, rows: Array) -> None:
        """Ask for something else: often one thing alone, at times nothing or all at once."""
        n, rng = len(rows), self.rng
        low, high = TRAINING_RANGE.T
        command = rng.uniform(low, high, (n, 3))
        kind = rng.random(n)
        corner = np.where(rng.random((n, 3)) < 0.5, low, high)
        command = np.where((kind < 0.15)[:, None], corner, command)
        for axis in range(3):  # one axis alone
            alone = (kind >= 0.15 + 0.14 * axis) & (kind < 0.29 + 0.14 * axis)
            command[alone] *= np.arange(3) == axis
        command[kind > 0.90] = 0.0
        command[~io.is_moving(command)] = 0.0
        self.command[rows] = command

    def _reset(self, rows: Array) -> None:
        """Put robots back near the home pose, feet at or a little above the floor."""
        n, rng = len(rows), self.rng
        qpos = np.tile(self._home_qpos, (n, 1))
        qpos[:, 2] += rng.uniform(0.0, 0.02, n)
        yaw = rng.uniform(-np.pi, np.pi, n)
        qpos[:, 3], qpos[:, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        qpos[:, 4:6] = rng.normal(0.0, 0.02, (n, 2))
        qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
        qpos[:, 7:] += rng.uniform(-0.05, 0.05, (n, io.JOINTS))
        self.physics[rows] = 0.0
        self.qpos[rows] = qpos
        self.qvel[rows] = rng.normal(0.0, 0.1, (n, self.model.nv))
        self.sensors[rows] = self._home_sensors
        self.target[rows] = self.home
        for name in ('action', 'previous_action', 'heading_error', 'true_heading_error',
                     'ticks', 'mean_error', 'stride_command'):  # fmt: skip
            getattr(self, name)[rows] = 0
        self.phase[rows] = rng.integers(0, io.GAIT_TICKS, n) / io.GAIT_TICKS
        self.phase[rows[rng.random(n) < 0.5]] = 0.0  # as a fresh carry has it
        self.delay[rows] = rng.integers(0, io.SUBSTEPS + 1, n)
        spread = np.concatenate([np.full(3, 0.02), np.full(3, 0.015), np.full(io.JOINTS, 0.01)])
        self.bias[rows] = rng.uniform(-spread, spread, (n, len(spread)))
        self._new_commands(rows)

    def observe(self) -> tuple[Array, Array]:
        """Read the sensors, as the robot would, and advance what the policy remembers.

        :return: the actor's observation (noisy) and the critic's (true).
        """
        measured = self._measure()
        moving = io.is_moving(self.command)
        rate_error = self.command[:, 2] - measured['gyroscope'][:, 2]
        heading = self.heading_error * io.HEADING_LEAK + rate_error * io.CONTROL_DT
        self.heading_error = moving * np.clip(heading, -io.HEADING_LIMIT, io.HEADING_LIMIT)
        self.phase = self.phase * moving
        towards = (self.command - self.stride_command) * io.CONTROL_DT / io.STRIDE_LAG_S
        self.stride_command = (self.stride_command + towards) * moving[:, None]
        actor = self._compose(**measured)
        return actor, self.critic_observation()

    def _measure(self) -> dict[str, Array]:
        """Read the sensors with their biases and noise."""
        gravity = rotate_inverse(self.qpos[:, 3:7], np.array([[0.0, 0.0, -1.0]]))
        measured = {
            'gyroscope': self.qvel[:, 3:6] + self.bias[:, :3],
            'gravity': gravity + self.bias[:, 3:6],
            'joint_angles': self.qpos[:, 7:] - self.home + self.bias[:, 6:],
            'joint_velocities': self.qvel[:, 6:],
        }
        for name, spread in NOISE.items():
            measured[name] = measured[name] + self.rng.uniform(
                -spread, spread, measured[name].shape
            )
        return measured

    def _compose(
        self,
        gyroscope: Array,
        gravity: Array,
        joint_angles: Array,
        joint_velocities: Array,
    ) -> Array:
        """Lay out an observation as interface.py says."""
        moving = io.is_moving(self.command)[:, None]
        angle = 2.0 * np.pi * self.phase[:, None]
        clock = np.concatenate([np.sin(angle), np.cos(angle)], 1) * moving
        parts = [gyroscope, gravity, self.command, joint_angles, joint_velocities, self.action,
                 clock, self.heading_error[:, None]]  # fmt: skip
        observation: Array = np.concatenate(parts, 1) * io.scales(io.OBSERVATION)
        return observation.astype(np.float32)

    def critic_observation(self) -> Array:
        """Return the true state, with what explains the rewards to come."""
        quaternion = self.qpos[:, 3:7]
        yaw = yaw_of(quaternion)
        gravity = rotate_inverse(quaternion, np.array([[0.0, 0.0, -1.0]]))
        actor = self._compose(
            self.qvel[:, 3:6], gravity, self.qpos[:, 7:] - self.home, self.qvel[:, 6:]
        )
        soles = self._feet('{}_sole_pos')
        centre = soles.mean(1)[:, :2]
        feet = [turn(yaw, soles[:, foot, :2] - centre) for foot in range(2)]
        velocity = np.concatenate([turn(yaw, self.qvel[:, :2]), self.qvel[:, 2:3]], 1)
        parts = [velocity, self.mean_error, self.qpos[:, 2:3] - self.base_height,
                 self._feet('{}_foot_touch')[:, :, 0] > 1.0, soles[:, :, 2], *feet,
                 self.friction[:, None], self.delay[:, None]]  # fmt: skip
        privileged = np.concatenate(parts, 1) * io.scales(io.PRIVILEGED)
        return np.concatenate([actor, privileged.astype(np.float32)], 1)

    def step(self, action: Array) -> tuple[Array, Array, Array, Log]:
        """Apply one action for one tick.

        :return: reward, which robots fell, which ran out of time, and means for the log. Call
            `critic_observation` for the value of the last state, then `reset_where`.
        """
        action = np.clip(action, -io.ACTION_LIMIT, io.ACTION_LIMIT)
        pattern = self._gait_pattern()
        target = np.clip(self.home + pattern + io.ACTION_SCALE * action, self.lower, self.upper)
        late = np.arange(io.SUBSTEPS) < self.delay[:, None]
        control = np.where(late[:, :, None], self.target[:, None], target[:, None])
        states, sensors = self._rollout.rollout(
            self._models, self._data, self.physics, control,
            initial_warmstart=self._no_warmstart, chunk_size=32,
        )  # fmt: skip
        self.physics, self.sensors = states[:, -1].copy(), sensors[:, -1].copy()
        self.target = target
        self._advance_clock()
        self.ticks += 1
        reward, log = self._reward(action)
        self.previous_action, self.action = self.action, action

        gravity_z = rotate_inverse(self.qpos[:, 3:7], np.array([[0.0, 0.0, -1.0]]))[:, 2]
        fallen = (gravity_z > -0.7) | (self.qpos[:, 2] < self.lowest)
        fallen |= ~np.isfinite(self.physics).all(1)
        reward = np.where(fallen, -1.0, reward)
        timeout = (self.ticks >= EPISODE_TICKS) & ~fallen
        log['falls_per_s'] = fallen.mean() / io.CONTROL_DT
        self._disturb()
        return reward, fallen, timeout, log

    def _advance_clock(self) -> None:
        self.phase = (self.phase + 1.0 / io.GAIT_TICKS) % 1.0

    def _disturb(self) -> None:
        """Push some robots, and ask something else of others."""
        pushed = np.flatnonzero(self.rng.random(self.robots) < io.CONTROL_DT / PUSH_EVERY_S)
        self.qvel[pushed, :2] += self.rng.uniform(-PUSH_SPEED, PUSH_SPEED, (len(pushed), 2))
        changed = np.flatnonzero(self.rng.random(self.robots) < io.CONTROL_DT / COMMAND_CHANGE_S)
        self._new_commands(changed)

    def reset_where(self, done: Array) -> None:
        """Begin new episodes."""
        rows = np.flatnonzero(done)
        if len(rows):
            self._reset(rows)

    def _track_errors(self, yaw: Array) -> Array:
        """Return the velocity errors (vx, vy, yaw rate) of now, and update their running means.

        In the robot's own frame, because a robot that has turned still walks forward; the means,
        because a body sways within each step and should.
        """
        quaternion = self.qpos[:, 3:7]
        up = rotate_inverse(quaternion, np.array([[0.0, 0.0, 1.0]]))
        yaw_rate = (up * self.qvel[:, 3:6]).sum(1)
        velocity = np.concatenate([turn(yaw, self.qvel[:, :2]), yaw_rate[:, None]], 1)
        error: Array = self.command - velocity
        self.mean_error += (error - self.mean_error) * io.CONTROL_DT / MEAN_OVER_S
        heading = self.true_heading_error * io.HEADING_LEAK + error[:, 2] * io.CONTROL_DT
        limit = io.HEADING_LIMIT
        self.true_heading_error = np.clip(heading, -limit, limit) * io.is_moving(self.command)
        return error

    def _reward(self, action: Array) -> tuple[Array, Log]:
        """Add up what is wanted: follow the command, take real steps, and be gentle."""
        yaw = yaw_of(self.qpos[:, 3:7])
        moving = self._moving()
        error = self._track_errors(yaw)
        mean_error, lesson = self.mean_error, self.lesson
        # The wide bells over the errors of now lead the way there; the sharp peaks over the mean
        # errors never flatten, and so leave none.
        tracking = (
            1.5 * np.exp(-(error[:, :2] ** 2).sum(1) / 0.06)
            + 1.0 * np.exp(-(error[:, 2] ** 2) / 0.25)
            + np.exp(-np.abs(mean_error) / lesson.peak_width).sum(1)
            + 0.6 * np.exp(-np.abs(self.true_heading_error) / 0.15)
        )
        matched, lift, log = self._step_quality(moving)
        # Tracking pays in full only with the feet lifted: a shuffle follows commands as well.
        gate = np.where(moving, 0.2 + 0.8 * np.minimum(lift / lesson.full_pay_at, 1.0), 1.0)
        costs = self._costs(action, yaw, moving)
        steps, form = matched + lesson.lift * lift, lesson.form
        total = lesson.follow * tracking * gate + form * steps - form * costs + form * 0.3
        names = ('error_x', 'error_y', 'error_yaw')
        log.update(zip(names, mean_of(np.abs(mean_error), moving), strict=True))
        return 0.1 * np.maximum(total, 0.0), log

    def _gait_pattern(self) -> Array:
        """Return what the clock alone would have the joints do."""
        lift = np.maximum(self._swing(), 0.0) @ io.lift_pattern()
        stride = io.lengthen(self.stride_command, self.lesson.stride_gain)
        stride = np.cos(2.0 * np.pi * self.phase)[:, None] * stride
        pattern: Array = lift + stride @ io.stride_pattern()
        return pattern

    def _moving(self) -> Array:
        """Tell which robots are to step."""
        return io.is_moving(self.command)

    def _swing(self) -> Array:
        """Return for each foot where the clock wants it: positive in the air, negative down."""
        swing = np.sin(2.0 * np.pi * self.phase)[:, None] * np.array([1.0, -1.0])
        return np.where(self._moving()[:, None], swing, 0.0)

    def _step_quality(self, moving: Array) -> tuple[Array, Array, Log]:
        """Compare the feet with the clock: which should be down, and how high the other."""
        swing = self._swing()
        contact = self._feet('{}_foot_touch')[:, :, 0] > 1.0
        matched = (contact == (swing <= 0.15)).mean(1)
        wanted = FOOT_LIFT * np.maximum(swing, 0.0)
        height = self._feet('{}_sole_pos')[:, :, 2]
        lift = np.exp(-np.abs(height - wanted).sum(1) / 0.03)
        log = {'matched': matched.mean(), 'lift': mean_of(lift, moving)}
        return 2.0 * (matched - 0.5), lift, log

    def _away(self) -> Array:
        """Return how far the joints are from where they should be while the robot stands."""
        away: Array = self.qpos[:, 7:] - self.home
        return away

    def _costs(self, action: Array, yaw: Array, moving: Array) -> Array:
        """Add up what should be small: sway, effort, jerk, slipping and crossing feet."""
        qpos, qvel = self.qpos, self.qvel
        gravity = rotate_inverse(qpos[:, 3:7], np.array([[0.0, 0.0, -1.0]]))
        stiffness, limit = self.model.actuator_gainprm[:, 0], self.model.actuator_forcerange[:, 1]
        torque = np.minimum(np.abs(stiffness * (self.target - qpos[:, 7:])), limit) / limit
        contact = self._feet('{}_foot_touch')[:, :, 0] > 1.0
        slip = (np.linalg.norm(self._feet('{}_sole_vel')[:, :, :2], axis=2) * contact).sum(1)
        soles = self._feet('{}_sole_pos')
        apart = turn(yaw, soles[:, 0, :2] - soles[:, 1, :2])[:, 1]
        tilt = (1.0 - self._feet('{}_sole_zaxis')[:, :, 2]).sum(1)
        toes = sum(
            1.0 - turn(yaw, self._feet('{}_sole_xaxis')[:, foot, :2])[:, 0] for foot in range(2)
        )
        body = (
            1.0 * qvel[:, 2] ** 2
            + 0.06 * (qvel[:, 3:5] ** 2).sum(1)
            + 5.0 * (gravity[:, :2] ** 2).sum(1)
            + 15.0 * (qpos[:, 2] - self.base_height) ** 2
        )
        feet = (
            0.3 * slip
            + 1.0 * tilt
            + 0.5 * toes
            + 5.0 * np.maximum(MIN_FOOT_DISTANCE - apart, 0.0)
            + 4.0 * (apart - 0.16) ** 2
        )
        jerk = action - 2.0 * self.action + self.previous_action
        effort = (
            0.012 * ((action - self.action) ** 2).sum(1)
            + 0.006 * (jerk**2).sum(1)
            + 0.03 * (torque**2).sum(1)
            + 0.15 * (qpos[:, [7, 8, 13, 14]] ** 2).sum(1)
        )
        away = np.abs(self._away()).sum(1) + 0.1 * np.abs(qvel[:, 6:]).sum(1)
        total: Array = body + feet + effort + np.where(moving, 0.0, 0.12 * away)
        return total
