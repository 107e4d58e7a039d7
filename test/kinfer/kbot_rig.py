"""K-Bot as this package sees and simulates it, for test_kinfer_sim_peer.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.cli.robot import robot as robot_command
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.policy.inputs import Observation
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

PERIOD_NS = 20_000_000
RAW = (1.0, 0.0, 0.0, 0.0)
"""imu_mounting:=raw, as kinfer-sim takes its sensors."""


class PolicySide:
    """From sensor samples to the policy's inputs, by the code of the policy node."""

    def __init__(self, policy: Policy) -> None:
        contract = policy.contract
        robot = change_robot(load_robot('kbot'), imu_mounting=RAW)
        # The order of a driver, which is neither the policy's nor the robot file's.
        self._names = list(reversed(contract.joint_names))
        self._frame = SensorFrame(robot)
        self._command = CommandVector(contract.command_names, {}, live=LiveSettings())
        sizes = {name: each.size for name, each in policy.inputs.items()}
        self.inputs = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
        self._observation = Observation(
            self.inputs,
            self._frame,
            np.array([robot.joint_names.index(name) for name in contract.joint_names]),
            self._command,
            MotionControl(),
            entries=contract.command_names,
        )
        self._now_ns = 0

    def fill(self, sample: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """:return: the policy's inputs for what the sensors read."""
        self._now_ns += PERIOD_NS
        quaternion, gyro, accel = (
            tuple(sample[f'imu_{name}'].tolist()) for name in ('quat', 'gyro', 'accel')
        )
        self._frame.update_joints(
            self._names, sample['position'], sample['velocity'], self._now_ns
        )
        self._frame.update_imu(quaternion, gyro, accel, self._now_ns)
        names = self._command.names
        assert not self._command.set_named(names, sample['command'].tolist(), self._now_ns)
        self._command.update(self._now_ns, PERIOD_NS / 1e9)
        self._observation.fill(float(sample['time'][0]))
        return self.inputs


def joints_over_time(model: Path, folder: Path, scene: Scene, steps: int) -> np.ndarray:
    """
    Run a policy in the simulation, as `walk` does.

    :param folder: robot.mjcf and metadata.json, as kinfer-sim takes them.
    :return: joint angles [steps, N] at each tick of `run`, in the policy's order.
    """
    file = folder / 'kbot.yaml'
    words = ['from-kos-metadata', str(folder / 'metadata.json'), '--name', 'kbot', '--force']
    assert (
        robot_command.main([*words, '--mjcf', str(folder / 'robot.mjcf'), '--out', str(file)]) == 0
    )
    policy, robot = load_model(model), load_robot(str(file))
    settings = SessionSettings(
        period_ns=PERIOD_NS, auto_run=True, duration_ns=steps * PERIOD_NS, ramp_speed=0.5
    )
    simulation = Simulation(
        assemble(policy, robot, settings), MujocoRobot(robot, timestep=0.001, scene=scene)
    )
    order = [robot.joint_names.index(name) for name in policy.contract.joint_names]
    found = []

    def keep(each: Simulation) -> None:
        if each.controller.mode is Mode.RUN:
            found.append(each.controller.inputs.frame.position[order])

    simulation.run(steps * PERIOD_NS / 1e9 + 5.0, keep)
    return np.array(found)
