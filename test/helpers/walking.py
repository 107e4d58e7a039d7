"""The robot that ships, walking in the loop without ROS: what the graph is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.run.odometer import Odometer
from kinfer_ros.share import share_dir
from kinfer_ros.simulate import Simulation

MODEL = share_dir() / 'robots' / 'biped' / 'walk.kinfer'


def way_of(facts: Mapping[str, Any]) -> tuple[float, float, float]:
    """Distance m, path m and rotation rad that a run.json has."""
    return facts['distance_m'], facts['path_m'], facts['turned_rad']


def way_by(odometer: Odometer) -> tuple[float, float, float]:
    """Give the same by an odometer."""
    return round(odometer.distance, 4), round(odometer.path, 4), round(odometer.heading, 4)


def walk(
    seconds: float, command: tuple[float, float, float], seed: int = 0
) -> tuple[Simulation, np.ndarray]:
    """
    Walk for some seconds of `run`.

    :return: the simulation as it ends, and the targets [ticks, joints] of the run, float32.
    """
    robot = load_robot('biped')
    policy = load_model(MODEL)
    settings = SessionSettings(
        period_ns=20_000_000,
        auto_run=True,
        duration_ns=round(seconds * 1e9),
        ramp_speed=0.5,
        default_command=command,
    )
    controller = assemble(policy, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot, seed=seed))
    targets: list[np.ndarray] = []

    def keep(s: Simulation) -> None:
        if s.controller.mode is Mode.RUN:
            targets.append(s.controller.target[s.outcome.step.bound.joints].astype(np.float32))

    simulation.run(seconds + 5.0, keep)
    return simulation, np.array(targets)
