"""Flat policies trained by others, with specs and robot files of ours; where they are at hand.

The networks and MJCF files are not part of the repository: see helpers/shared.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.shared import shared_path
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.controller import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

DATA = Path(__file__).resolve().parents[2] / 'data'


@dataclass(frozen=True)
class Walk:
    """A walk without ROS that has ended."""

    simulation: Simulation
    targets: np.ndarray
    """[ticks, joints] of the run, float32."""


@dataclass(frozen=True)
class Flat:
    """One policy: its own files, the test's command, and how far it should go in 10 s."""

    name: str
    folder: str
    model: str
    speed: float
    """m/s forward."""
    distance: float
    """m in 10 s, of a plain MuJoCo loop."""

    @property
    def spec(self) -> Path:
        """The policy spec."""
        return DATA / 'specs' / f'{self.name}.yaml'

    @property
    def path(self) -> Path | None:
        """The ONNX file, or None where it is not here."""
        return shared_path(f'policies/{self.folder}/{self.model}')

    def golden(self) -> dict[str, np.ndarray]:
        """150 ticks of recorded sensors and targets."""
        path = shared_path(f'policies/{self.folder}/golden.npz')
        assert path is not None
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    def robot_yaml(self, folder: Path) -> Path:
        """Write the robot file with the place of its MJCF; :return: its path."""
        mjcf = shared_path(f'policies/{self.folder}/scene.xml')
        text = (DATA / 'robots' / f'{self.name}.yaml').read_text()
        path = folder / f'{self.name}.yaml'
        path.write_text(f'{text}mjcf: {mjcf}\n')
        return path

    def inputs(self, golden: dict[str, np.ndarray], tick: int) -> dict[str, np.ndarray]:
        """One recorded tick as the arrays that the policy takes."""
        frame = '' if self.name == 'g1' else '_imu'
        found = {
            'joint_angles': golden['q'][tick],
            'joint_angular_velocities': golden['qd'][tick],
            f'gyroscope{frame}': golden['gyro'][tick],
            f'projected_gravity{frame}': 9.81 * golden['gravity'][tick],
            'command': golden['command'][tick],
        }
        if 'linvel' in golden:
            found['base_linear_velocity_imu'] = golden['linvel'][tick]
        return found

    def walk(self, folder: Path, seconds: float) -> Walk:
        """Walk without ROS; :return: how it went."""
        robot = load_robot(self.robot_yaml(folder))
        assert self.path is not None
        policy = load_model(self.path, spec=self.spec)
        settings = SessionSettings(
            period_ns=20_000_000,
            auto_run=True,
            duration_ns=round(seconds * 1e9),
            ramp_speed=0.5,
            default_command=(self.speed, 0.0, 0.0),
        )
        controller = assemble(policy, robot, settings)
        simulation = Simulation(controller, MujocoRobot(robot))
        targets: list[np.ndarray] = []

        def keep(s: Simulation) -> None:
            if s.controller.mode is Mode.RUN:
                targets.append(s.controller.target[s.outcome.step.bound.joints].astype(np.float32))

        simulation.run(seconds + 5.0, keep)
        return Walk(simulation, np.array(targets))


FLAT = (
    Flat('go1', 'go1', 'go1_policy.onnx', 1.0, 9.9),
    Flat('berkeley_humanoid', 'berkeley_humanoid', 'bh_policy.onnx', 0.5, 4.3),
    Flat('g1', 'g1_unitree_rl_lab', 'policy.onnx', 0.5, 5.9),
)
