"""The loop without ROS: what lockstep over ROS is held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import metadata
from helpers.policies.models import mlp_policy
from helpers.policies.models import write_kinfer
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation


def run(path: Path) -> np.ndarray:
    robot = load_robot('biped')
    policy = load_model(path)
    settings = SessionSettings(period_ns=20_000_000, auto_run=True)
    controller = assemble(policy, robot, settings, LiveSettings(max_tilt=3.0))
    simulation = Simulation(controller, MujocoRobot(robot, seed=3))
    seen: list[np.ndarray] = []
    simulation.run(1.0, lambda s: seen.append(s.controller.target.copy()))
    return np.array(seen)


def test_the_same_run_twice_is_equal_to_the_bit(tmp_path: Path) -> None:
    """Replay and evaluation stand on it; an untrained policy flails, which is all the better."""
    robot = load_robot('biped')
    init, step = mlp_policy()
    meta = metadata(12, COMMANDS_3, carry_size=[12]) | {'joint_names': list(robot.joint_names)}
    path = write_kinfer(tmp_path / 'mlp.kinfer', init, step, meta)
    first, second = run(path), run(path)
    assert len(first) == 50
    assert first.tobytes() == second.tobytes()
    assert np.ptp(first, axis=0).max() > 0.01, 'the policy has to move for this to mean anything'
