"""A robot in MuJoCo with the interface of a real one: targets and gains in, joints and IMU out.

Arrays are in the joint order of the robot YAML. The same calls give the same bits: no clock is
read here, and reading a sensor does not change the physics.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.body_errors import BodyErrors
from kinfer_ros.bridges.mujoco.disturbance import UNDISTURBED
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.disturbance import Disturbed
from kinfer_ros.bridges.mujoco.disturbance import disturb_model
from kinfer_ros.bridges.mujoco.drive import JointDrive
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.joint_warnings import joint_warnings
from kinfer_ros.bridges.mujoco.model import FittedModel
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.bridges.mujoco.scene import ON_THE_GROUND
from kinfer_ros.bridges.mujoco.scene import STILL_NOISE
from kinfer_ros.bridges.mujoco.scene import STILL_VELOCITY_NOISE
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.bridges.mujoco.start_pose import check_start
from kinfer_ros.bridges.mujoco.start_pose import place_base
from kinfer_ros.bridges.mujoco.stepper import Stepper
from kinfer_ros.bridges.mujoco.views import Views
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import told_apart

_log = logging.getLogger(__name__)

SAME_POSE = 0.01
"""rad from the home pose up to which a keyframe's height is right for it."""


class MujocoRobot:
    """
    A simulated robot; at first its base is held, at home, with the YAML's gains.

    :param robot: the description; its `mjcf` is simulated.
    :param seed: of all random numbers; the same seed and the same calls give the same bits.
    :param imu_noise: none by default; where the base cannot move, `STILL_NOISE`.
    :param disturbance: deviations from the model; none by default, but for a noise of the joints'
        velocities where the base cannot move.
    :param timestep: physics step in s; the MJCF's by default.
    :param scene: how it starts; on the ground by default.
    :param fitted: its compiled model, which this changes; compiled here by default.
    :ivar errors: of its body against the model.
    :ivar after_step: called after every physics step; while it is set, steps cost a little more.
    :raises RobotError: the MJCF is missing, or does not fit the description.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        seed: int = 0,
        imu_noise: ImuNoise | None = None,
        disturbance: Disturbance = UNDISTURBED,
        timestep: float | None = None,
        scene: Scene = ON_THE_GROUND,
        fitted: FittedModel | None = None,
    ) -> None:
        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(_log.warning)  # instead of ./MUJOCO_LOG.TXT
        self.robot = robot
        self.fitted = fitted or fit_model(robot, timestep)
        check_start(self.fitted, scene)
        self.model = self.fitted.model
        disturb_model(self.model, self.fitted.base, disturbance)
        self._scene = scene
        if not scene.gravity:
            self.model.opt.gravity[:] = 0.0
        self.errors = BodyErrors.draw(disturbance, seed, self.fitted)
        self.errors.apply(self.fitted)
        self.data = mujoco.MjData(self.model)
        self.timestep_ns: int = round(self.model.opt.timestep * 1e9)
        if self.timestep_ns <= 0:
            raise RobotError(f'timestep of {self.model.opt.timestep} s, expected at least 1e-9 s')
        self._noise = imu_noise or ImuNoise()
        if self.base_stays:
            disturbance = self._with_still_noise(disturbance)
        self._rng = np.random.default_rng(seed)
        self._inverse = np.empty(4)
        self.after_step: Callable[[], None] | None = None
        self._start_warning = ''
        self._disturbed = Disturbed(disturbance, seed, len(robot.joints), self.model.opt.timestep)
        self._drive = JointDrive(robot, self.fitted, self.data, self._disturbed.motors)
        self._stepper = Stepper(self.model, self.data)
        self._views = Views(self.fitted, self.data)
        self.reset()

    def _with_still_noise(self, disturbance: Disturbance) -> Disturbance:
        """Let no sensor repeat itself, where no noise is asked for; see `STILL_NOISE`."""
        if self._noise == ImuNoise():
            self._noise = STILL_NOISE
        if disturbance.joint_position_noise or disturbance.joint_velocity_noise:
            return disturbance
        return replace(disturbance, joint_velocity_noise=STILL_VELOCITY_NOISE)

    @property
    def time_ns(self) -> int:
        """Simulated time since the start in ns: an exact count of steps."""
        return self._stepper.steps * self.timestep_ns

    @property
    def base_is_free(self) -> bool:
        """Whether the MJCF lets the base move."""
        return self.fitted.hold >= 0

    @property
    def base_stays(self) -> bool:
        """Whether the base is fixed to the world for the whole run."""
        return self._scene.fixed_base or not self.base_is_free

    @property
    def base_is_held(self) -> bool:
        """Whether the base is fixed to the world now."""
        return not self.base_is_free or bool(self.data.eq_active[self.fitted.hold])

    def warnings(self) -> dict[str, str]:
        """Say, by subject, what is not as it is meant, with the gains in force."""
        kp, kd, _ = self.gains()
        found = {'IMU site': self.fitted.imu.warning(), 'start height': self._start_warning}
        found |= {'IMU mounting': self.fitted.mounting_warning}
        found |= joint_warnings(self.fitted, self.data, self.robot.joint_names, kp, kd)
        return {subject: text for subject, text in found.items() if text}

    def start_refusal(self, max_tilt: float) -> str:
        """Return why no policy node would start on this robot while it stands, or ''."""
        lean = self.fitted.seeming_lean
        if lean <= max_tilt:
            return ''
        found, most = told_apart(math.degrees(lean), math.degrees(max_tilt))
        return (
            f'with this IMU mounting an upright base seems to lean by {found} deg, '
            f'at most {most} deg are accepted (max_tilt): expected '
            "another mounting; imu_mounting:=mjcf (--imu-mounting mjcf) takes the model's"
        )

    @property
    def damped(self) -> bool:
        """Whether the joints are damped, without a target."""
        return self._drive.damped

    def hold_base(self, on: bool) -> None:
        """Weld the base to the world at its present pose, or release it; idempotent."""
        if self.base_stays or on == self.base_is_held:
            return
        self.data.eq_active[self.fitted.hold] = on
        if on:
            start = self.fitted.free_dof
            self.data.qvel[start : start + 6] = 0.0
            self._weld_here()

    def set_gains(
        self, kp: ArrayLike, kd: ArrayLike, torque_limit: ArrayLike
    ) -> tuple[Float64, Float64, Float64]:
        """
        Set stiffness (Nm/rad), damping (Nms/rad) and torque limit (Nm), each [N].

        :return: gains in force: reduced to the limits of the YAML and of the MJCF.
        :raises BridgeError: for a wrong size, or a number that is negative or not finite.
        """
        self._drive.set_gains(kp, kd, torque_limit)
        return self._drive.gains()

    def gains(self) -> tuple[Float64, Float64, Float64]:
        """Return copies of the kp, kd and torque limits [N] in force."""
        return self._drive.gains()

    def target(self) -> Float64:
        """Return a copy of the last targets [N] rad, which are not in force while damped."""
        target = self._drive.target()
        target += self._disturbed.zero_error
        return target

    def target_velocity(self) -> Float64 | None:
        """Return a copy of the last target velocities [N] rad/s; None where there were none."""
        return self._drive.target_velocity()

    def set_target(self, position: ArrayLike, velocity: ArrayLike | None = None) -> None:
        """
        Set the targets [N], which stay until the next; ends damping.

        The torque of a joint is kp (position - q) + kd (velocity - qd), within its limit.

        :param position: rad.
        :param velocity: rad/s, as wheels need it; None: 0 for every joint.
        :raises BridgeError: for a wrong size or a number that is not finite; nothing is changed.
        """
        target = self._drive.check_target(position)
        target -= self._disturbed.zero_error
        speed = None if velocity is None else self._drive.check_velocity(velocity)
        line = self._disturbed.line
        if line is None:
            self._drive.set_target(target, speed)
        else:
            line.send(target, self._stepper.steps, speed)

    def damp(self) -> None:
        """Drop the targets: torque = -kd qd within the torque limits, until the next target."""
        if self._disturbed.line is not None:
            self._disturbed.line.clear()
        self._drive.damp()

    def step(self, n: int = 1) -> None:
        """
        Advance by n physics steps; the sensors are then those of the new state.

        :raises BridgeError: the simulation became unstable.
        """
        before = self._arrive if self._disturbed.line is not None else None
        if before is None and self._drive.has_motors:
            before = self._drive.write_motors
        self._stepper.step(n, before, self.after_step)
        self._refresh()
        if self._stepper.unstable:
            raise BridgeError(
                f'the simulation of {self.robot.mjcf} became unstable after '
                f'{self.time_ns / 1e9:.3f} s: check time step, gains and armatures'
            )

    def _arrive(self) -> None:
        """Obey the command that arrives with the next physics step, if one does."""
        line = self._disturbed.line
        arrived = line.due(self._stepper.steps) if line is not None else None
        if line is not None and arrived is not None:
            self._drive.set_target(arrived, line.velocity)
        if self._drive.has_motors:
            self._drive.write_motors()

    def joint_state(
        self, position_out: Float64, velocity_out: Float64, effort_out: Float64
    ) -> None:
        """Fill in rad, rad/s and the actuators' torques in Nm, each [N]."""
        fitted, views = self.fitted, self._views
        # mode='clip' is numpy's fastest; every index is in range.
        views.qpos.take(fitted.qpos, None, position_out, 'clip')
        views.qvel.take(fitted.dof, None, velocity_out, 'clip')
        views.torque.take(fitted.dof, None, effort_out, 'clip')
        self._disturbed.measure(position_out, velocity_out)

    def imu(self, quat_wxyz_out: Float64, gyro_out: Float64, accel_out: Float64) -> None:
        """
        Fill in a reading of the IMU, in its own frame.

        :param quat_wxyz_out: orientation in the world [4].
        :param gyro_out: rad/s [3].
        :param accel_out: specific force, m/s^2 [3]: +9.81 upwards when still.
        """
        views = self._views
        quat_wxyz_out[:] = views.quat
        gyro_out[:] = views.gyro
        accel_out[:] = views.accel
        if self.fitted.imu_is_fixed:
            mujoco.mju_negQuat(self._inverse, quat_wxyz_out)
            mujoco.mju_rotVecQuat(accel_out, -self.model.opt.gravity, self._inverse)
        self.errors.turn_imu(quat_wxyz_out, gyro_out, accel_out)
        self._noise.add(self._rng, quat_wxyz_out, gyro_out, accel_out)

    def base(
        self,
        position_out: Float64,
        quat_wxyz_out: Float64,
        linear_out: Float64,
        angular_out: Float64,
    ) -> None:
        """Fill in the base's true pose in the world, and its twist (m/s, rad/s) in its frame."""
        views = self._views
        position_out[:] = views.base_position
        quat_wxyz_out[:] = views.base_quat
        if views.base_linear is None or views.base_angular is None:
            linear_out[:] = 0.0
            angular_out[:] = 0.0
            return
        np.dot(views.base_linear, views.base_matrix, out=linear_out)
        angular_out[:] = views.base_angular

    def push(self, velocity: ArrayLike) -> bool:
        """
        Add a velocity (world, m/s [3]) to the base.

        :return: False if the base is held or fixed: it cannot be pushed.
        :raises BridgeError: for a wrong size or a number that is not finite.
        """
        added = np.asarray(velocity, np.float64)
        if added.shape != (3,) or not np.isfinite(added).all():
            raise BridgeError(f'push of {added.tolist()}, expected 3 finite numbers in m/s')
        if self.base_is_held:
            return False
        start = self.fitted.free_dof
        self.data.qvel[start : start + 3] += added
        return True

    def reset(self) -> None:
        """Go back to the start: home pose, base held, targets at home; time and gains stay."""
        time = self.data.time
        if self.fitted.home_key >= 0:
            mujoco.mj_resetDataKeyframe(self.model, self.data, self.fitted.home_key)
        else:
            mujoco.mj_resetData(self.model, self.data)
        self.data.time = time
        self.data.qvel[:] = 0.0
        of_key = self.data.qpos[self.fitted.qpos]
        same_pose = np.abs(of_key - self.robot.home).max() <= SAME_POSE
        self.data.qpos[self.fitted.qpos] = self.robot.home
        if self.base_is_free:
            keeps = self.fitted.home_key >= 0 and bool(same_pose)
            self._start_warning = place_base(self.fitted, self.data, self._scene, keeps)
            self.data.eq_active[self.fitted.hold] = True
            self._weld_here()
        if self._disturbed.line is not None:
            self._disturbed.line.clear()
        self._drive.set_target(self.robot.home - self._disturbed.zero_error)
        self._refresh()

    def _refresh(self) -> None:
        """Compute forces, accelerations and sensors of the present state."""
        if self._drive.has_motors:
            self._drive.write_motors()
        self._stepper.refresh()

    def _weld_here(self) -> None:
        """Set the weld to the present pose: that of the world in the base."""
        start = self.fitted.free_qpos
        position = self.data.qpos[start : start + 3]
        inverse = np.empty(4)
        mujoco.mju_negQuat(inverse, self.data.qpos[start + 3 : start + 7])
        world = np.empty(3)
        mujoco.mju_rotVecQuat(world, -position, inverse)
        weld = self.model.eq_data[self.fitted.hold]
        weld[:3] = 0.0
        weld[3:6] = world
        weld[6:10] = inverse
        weld[10] = 1.0
