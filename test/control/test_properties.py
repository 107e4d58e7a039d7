"""What holds of a controller whatever is done to it: any sensors, stamps, commands, settings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.drive import Step
from helpers.drive import ask
from helpers.drive import measure
from helpers.drive import steps
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot

PERIOD_S = PERIOD_NS / 1e9
SESSION = SessionSettings(
    period_ns=PERIOD_NS, ramp_speed=5.0, fade_ns=5 * PERIOD_NS, blend_ns=4 * PERIOD_NS
)

LIMITS = ('slew', 'torque', 'limit', 'slew_broken')


@dataclass(frozen=True)
class World:
    """What all drives share; a run resets the policies."""

    robot: Robot
    policy: Policy
    other: Policy


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp('world')
    return World(
        small_robot(folder, ('joint_0', 'joint_1')),
        level_policy(folder, 0.8, breakable=True),
        level_policy(folder, -0.8, breakable=True),
    )


class Drive:
    """One controller through many steps, and what has to hold after each."""

    def __init__(self, world: World, *, running: bool, tunables: LiveSettings) -> None:
        self.world = world
        self.rig = Rig(world.policy, world.robot, SESSION, tunables)
        if running:
            self.rig.run()
        self.sent = self.rig.controller.target.copy()
        self.seen: Counter[str] = Counter()

    def go(self, step: Step) -> None:
        """Ask, measure, tick, and hold the outcome against every promise."""
        rig, controller = self.rig, self.rig.controller
        ask(rig, step.request, self.world.other)
        if step.request == 'activate':
            # The first target of a session is compared with the pose it began at.
            self.sent = controller.target.copy()
        measure(rig, step)
        before, counts = controller.mode, self.counts()
        carries = {id(each): each.carry.copy() for each in (self.world.policy, self.world.other)}
        controller.tick(rig.now, rig.now + step.stamp_offset_ns, step.missed)
        now = self.counts()
        assert all(now[key] >= count for key, count in counts.items())
        more = now - counts
        self.check_send(step, more)
        policy = rig.runner.bound.policy
        if more['refused_outputs'] and before is Mode.RUN and step.request != 'swap':
            np.testing.assert_array_equal(policy.carry, carries[id(policy)])
            self.seen['refused'] += 1
        self.seen[str(controller.mode)] += 1

    def check_send(self, step: Step, more: Counter[str]) -> None:
        """What is sent fits the mode, and a target the robot."""
        controller = self.rig.controller
        if controller.mode in (Mode.DAMP, Mode.FAULT):
            assert controller.send is Send.DAMPING
        if controller.mode is Mode.INACTIVE:
            assert controller.send is not Send.POSITION
        if step.request in ('stop', 'fault', 'abandon'):
            assert controller.send is not Send.POSITION
        if controller.send is not Send.POSITION:
            return
        target = controller.target
        assert np.isfinite(target).all()
        assert (target >= self.world.robot.lower).all()
        assert (target <= self.world.robot.upper).all()
        assert np.isfinite(self.rig.frame.joint_values).all(), 'never from a broken sample'
        self.seen.update(name for name in LIMITS if more[name])
        if not more['slew_broken']:
            way = controller.live.target_slew * PERIOD_S
            assert (target >= self.sent - way).all()
            assert (target <= self.sent + way).all()
        self.sent = target.copy()
        self.seen['sent'] += 1

    def counts(self) -> Counter[str]:
        """Everything that is counted, by name."""
        counts = Counter(self.rig.controller.counts)
        for name in GUARDS:
            counts[name] = sum(self.rig.count(name, level) for level in Level)
        return counts


def test_whatever_is_done_to_it_a_controller_keeps_its_promises(world: World) -> None:
    """
    Targets finite, within limits and slew; carry kept; faults latched; stops obeyed at once.

    The slew limit may be broken by a later limit alone, and then it is counted in that tick. The
    drives have to come by everything: a property of a robot that never walked holds of a stone.
    """
    seen: Counter[str] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        running=st.booleans() | st.just(True),
        tunables=st.builds(
            LiveSettings,
            target_slew=st.sampled_from((60.0, 2.0)),
            torque_band=st.sampled_from((1.0, 0.0)),
        ),
        todo=st.lists(steps, min_size=8, max_size=40),
    )
    def drives(running: bool, tunables: LiveSettings, todo: list[Step]) -> None:
        drive = Drive(world, running=running, tunables=tunables)
        with np.errstate(all='ignore'):
            for step in todo:
                drive.go(step)
        seen.update(drive.seen)

    drives()
    for what in (*Mode, *LIMITS, 'sent', 'refused'):
        assert seen[str(what)] > 0, f'{what}: {seen}'
