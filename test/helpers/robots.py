"""Small robots for tests, and a controller on one of them with a clock that tests advance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import breakable_step
from helpers.policies.models import init_fn
from helpers.policies.models import leaky_step
from helpers.policies.models import metadata
from helpers.policies.models import sqrt_step
from helpers.policies.models import write_kinfer
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tick import Tick
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot

PERIOD_NS = 20_000_000
START_NS = 5_000_000_000


def small_robot(
    folder: Path, joints: tuple[str, ...] = ('joint_0', 'joint_1'), home: float = 0.1
) -> Robot:
    """Write and load a robot YAML without an MJCF; limits are -1..1 rad."""
    entries = '\n'.join(
        f'  {name}: {{lower: -1.0, upper: 1.0, home: {home}, kp: 20.0, kd: 1.0, kp_max: 40.0,'
        f' kd_max: 4.0, torque_limit: 10.0, velocity_limit: 8.0}}'
        for name in joints
    )
    path = folder / 'small.yaml'
    path.write_text(
        'name: small\nbase_frame: base_link\n'
        'imu: {frame: imu_link, mounting: [1, 0, 0, 0]}\n'
        f'joints:\n{entries}\n'
    )
    return load_robot(path)


def leaky_policy(folder: Path, **more: object) -> Policy:
    """A policy of two joints whose carry matters: see models.leaky_step."""
    meta = metadata(2, COMMANDS_3, carry_size=[2], **more)
    return load_model(write_kinfer(folder / 'leaky.kinfer', init_fn([0, 0]), leaky_step(), meta))


def sqrt_policy(folder: Path) -> Policy:
    """A policy that gives NaN for a negative command: see models.sqrt_step."""
    meta = metadata(2, COMMANDS_3, carry_size=[1])
    return load_model(write_kinfer(folder / 'sqrt.kinfer', init_fn([0]), sqrt_step(), meta))


def level_policy(folder: Path, level: float, *, breakable: bool = False, **more: object) -> Policy:
    """A policy that asks for `level` rad and counts its steps: see models.breakable_step."""
    meta = metadata(2, COMMANDS_3, carry_size=[1], **more)
    step = breakable_step(level, breakable=breakable)
    return load_model(write_kinfer(folder / f'level_{level}.kinfer', init_fn([0]), step, meta))


class Rig:
    """A controller whose clock and sensors the test moves; sensors are fresh by default."""

    def __init__(
        self,
        policy: Policy,
        robot: Robot,
        settings: SessionSettings | None = None,
        tunables: LiveSettings | None = None,
    ) -> None:
        self.controller: Controller = assemble(
            policy,
            robot,
            settings or SessionSettings(period_ns=PERIOD_NS),
            tunables or LiveSettings(),
        )
        self.policy = policy
        self.robot = robot
        self.runner = self.controller._parts.runner
        self.frame = self.controller.inputs.frame
        self.now = START_NS
        self.outcome: Tick | None = None
        self.set_pose(0.0)
        self.sense()

    def set_pose(self, angle: float) -> None:
        """Put every joint at an angle, rad, upright."""
        self.frame.position[:] = angle

    def sense(self) -> None:
        """A fresh sample, stamped now."""
        self.frame.joint_stamp_ns = self.now
        self.frame.imu_stamp_ns = self.now

    def activate(self) -> None:
        """Start the session now."""
        self.controller.activate(self.now)

    def tick(
        self, count: int = 1, *, fresh: bool = True, missed: int = 0, stamp_offset: int = 0
    ) -> Mode:
        """
        Let periods pass, a tick each.

        :param missed: ticks that were skipped before each.
        :param stamp_offset: ns by which the clock of the stamps is ahead.
        :return: the mode after the last.
        """
        for _ in range(count):
            self.now += PERIOD_NS
            if fresh:
                self.sense()
            self.outcome = self.controller.tick(self.now, self.now + stamp_offset, missed)
        return self.controller.mode

    def command(self, x: float = 0.0, y: float = 0.0, yaw_rate: float = 0.0) -> None:
        """Send a velocity command now."""
        assert self.controller.inputs.command.set_twist(x, y, yaw_rate, self.now)

    def swap(self, policy: Policy) -> list[str]:
        """Ask for another policy; :return: the answers, one when all is well, as they come."""
        answers: list[str] = []
        bound = bind(policy, self.robot, self.controller.inputs)
        self.controller.request_swap(bound, answers.append)
        return answers

    def tune(self, **changes: Any) -> None:
        """Ask for other live settings."""
        self.controller.request_live_settings(replace(self.controller.live, **changes))

    def count(self, guard: str, level: Level) -> int:
        """How often a guard gave a verdict of that level."""
        return self.controller.stats.count(guard, level)

    def tick_until(self, mode: Mode) -> None:
        """Let periods pass until a mode is reached, at most 200."""
        for _ in range(200):
            if self.tick() is mode:
                return
        raise AssertionError(f'still {self.controller.mode}, expected {mode}')

    def run(self) -> None:
        """Activate and go on to mode run."""
        self.activate()
        self.tick_until(Mode.HOLD)
        assert self.controller.request_run() == ''
        assert self.tick() is Mode.RUN

    def tilt(self, angle: float) -> None:
        """Tilt the base around x by an angle, rad."""
        half = angle / 2
        self.frame.update_imu(
            (float(np.cos(half)), float(np.sin(half)), 0.0, 0.0),
            (0.0, 0.0, 0.0),
            (0.0, 0.0, 9.81),
            self.now,
        )
