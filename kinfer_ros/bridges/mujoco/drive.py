"""Turns targets and gains into commands of an MJCF's actuators, servos and motors alike.

A servo, of positions or of velocities, computes its torque inside MuJoCo's integrator: its gains
are written into the model. A motor has no target: its PD torque is written before every physics
step.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.command import check_values
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.gains import limit_gains
from kinfer_ros.bridges.mujoco.disturbance import MotorFactors
from kinfer_ros.bridges.mujoco.model import FittedModel
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot


class JointDrive:
    """
    Targets, gains and torque limits of all joints, in the order of the robot YAML.

    :param factors: on the gains and torques of the motors (disturbance).
    :ivar has_motors: `write_motors` is needed before every physics step.
    """

    def __init__(
        self, robot: Robot, fitted: FittedModel, data: Any, factors: MotorFactors
    ) -> None:
        self._robot = robot
        self._fitted = fitted
        self._factors = factors
        self._model = fitted.model
        self._data = data
        self._motors = np.flatnonzero(~fitted.servo)
        self.has_motors = self._motors.size > 0
        self._motor_qpos = fitted.qpos[self._motors]
        self._motor_dof = fitted.dof[self._motors]
        self._motor_actuator = fitted.actuator[self._motors]
        self._motor_gain = fitted.motor_gain[self._motors]
        self._servos = np.flatnonzero(fitted.servo)
        self._servo_actuator = fitted.actuator[self._servos]
        self._servo_gear = fitted.gear[self._servos]
        self.damped = False
        self._target = robot.home.copy()
        self._velocity: Float64 | None = None
        self.set_gains(robot.kp, robot.kd, robot.torque_limit)

    def set_gains(self, kp: ArrayLike, kd: ArrayLike, torque_limit: ArrayLike) -> None:
        """See MujocoRobot.set_gains."""
        stiffness = self._check('kp', kp, 0.0)
        damping = self._check('kd', kd, 0.0)
        torque = self._check('torque limit', torque_limit, 0.0)
        limited = limit_gains(Gains(stiffness, damping, torque), self._robot)
        self._refuse_stiff_wheels(limited.kp)
        self._kp, self._kd = limited.kp, limited.kd
        self._torque_limit = np.minimum(limited.torque_limit, self._fitted.torque_cap)
        self._write_servos()
        index, factors = self._motors, self._factors
        self._motor_kp = self._kp[index] * factors.kp[index]
        self._motor_kd = self._kd[index] * factors.kd[index]
        self._motor_limit = self._torque_limit[index] * factors.torque[index]

    def gains(self) -> tuple[Float64, Float64, Float64]:
        """Return copies of the kp, kd and torque limits [N] in force."""
        return self._kp.copy(), self._kd.copy(), self._torque_limit.copy()

    def target(self) -> Float64:
        """Return a copy of the targets [N] rad."""
        return self._target.copy()

    def target_velocity(self) -> Float64 | None:
        """Return a copy of the target velocities [N] rad/s; None where there are none."""
        return None if self._velocity is None else self._velocity.copy()

    def set_target(self, position: Float64, velocity: Float64 | None = None) -> None:
        """Set targets [N] that were checked before; see MujocoRobot.set_target."""
        same = velocity is None and self._velocity is None
        self._target[:], self._velocity = position, velocity
        if self.damped:
            self.damped = False
            self._write_servos()
        elif not same:
            self._write_servo_velocities()
        self._data.ctrl[self._servo_actuator] = self._target[self._servos] * self._servo_gear

    def check_target(self, position: ArrayLike) -> Float64:
        """Return a copy [N] rad; :raises BridgeError: wrong size or numbers not finite."""
        return self._check('target', position).copy()

    def check_velocity(self, velocity: ArrayLike) -> Float64:
        """Return a copy [N] rad/s; :raises BridgeError: wrong size or numbers not finite."""
        return self._check('target velocity', velocity).copy()

    def damp(self) -> None:
        """See MujocoRobot.damp."""
        if not self.damped:
            self.damped = True
            self._write_servos()

    def write_motors(self) -> None:
        """Write the motors' PD torques for the present state."""
        torque = -self._motor_kd * self._data.qvel[self._motor_dof]
        if not self.damped:
            error = self._target[self._motors] - self._data.qpos[self._motor_qpos]
            torque += self._motor_kp * error
            if self._velocity is not None:
                torque += self._motor_kd * self._velocity[self._motors]
        np.maximum(torque, -self._motor_limit, out=torque)
        np.minimum(torque, self._motor_limit, out=torque)
        self._data.ctrl[self._motor_actuator] = torque / self._motor_gain

    def _refuse_stiff_wheels(self, kp: Float64) -> None:
        """A stiffness would make a position servo of what the MJCF drives by velocity."""
        stiff = np.flatnonzero(kp * self._fitted.by_velocity)
        found = [f'{self._robot.joint_names[i]} (kp {kp[i]:g})' for i in stiff]
        if found:
            raise BridgeError(
                f'found {", ".join(found)}, expected kp 0: {self._robot.mjcf} drives them by '
                'velocity (<velocity>). Use target: velocity in the policy spec, with kp 0, or '
                '<position> actuators'
            )

    def _write_servos(self) -> None:
        """Write the gains into the MJCF's own servos."""
        index, actuator, gear = self._servos, self._servo_actuator, self._servo_gear
        kp = np.zeros(index.size) if self.damped else self._kp[index] / gear**2
        kp *= self._factors.kp[index]
        limit = self._torque_limit[index] * self._factors.torque[index] / np.abs(gear)
        self._model.actuator_gainprm[actuator, 0] = kp
        self._model.actuator_biasprm[actuator, 1] = -kp
        # The joint's own damping is part of the requested kd.
        requested = self._kd[index] * self._factors.kd[index]
        kd = np.maximum(requested - self._fitted.passive_kd[index], 0.0)
        self._model.actuator_biasprm[actuator, 2] = -kd / gear**2
        self._model.actuator_forcelimited[actuator] = True
        self._model.actuator_forcerange[actuator, 0] = -limit
        self._model.actuator_forcerange[actuator, 1] = limit
        self._write_servo_velocities()

    def _write_servo_velocities(self) -> None:
        """Write kd times the target velocity as a constant force into the MJCF's own servos."""
        index = self._servos
        force = np.zeros(index.size)
        if self._velocity is not None and not self.damped:
            # A joint's own damping above kd is all of its kd.
            requested = self._kd[index] * self._factors.kd[index]
            kd = np.maximum(requested, self._fitted.passive_kd[index])
            force = kd * self._velocity[index] / self._servo_gear
        self._model.actuator_biasprm[self._servo_actuator, 0] = force

    def _check(self, name: str, values: ArrayLike, minimum: float = -np.inf) -> Float64:
        array = np.asarray(values, np.float64)
        if array.ndim != 1:
            raise BridgeError(f'{name} has shape {array.shape}, expected {self._target.shape}')
        check_values(name, array, self._robot.joint_names, minimum)
        return array
