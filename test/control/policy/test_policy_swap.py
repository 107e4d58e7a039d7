"""One policy taking over from another while the robot is live, and every way that fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import SessionSettings

BLEND_TICKS = 10
BREAKS = [(-1.0, 0.0, 0.0), (1e4, 0.0, 0.0), (0.0, 0.0, 5.0)]
"""Commands that make a breakable policy give NaN, explode, fail."""


def running(folder: Path, *, blend_ticks: int = BLEND_TICKS, breakable: bool = False) -> Rig:
    """A policy that asks for 0 rad, in mode run."""
    settings = SessionSettings(period_ns=PERIOD_NS, blend_ns=blend_ticks * PERIOD_NS)
    policy = level_policy(folder, 0.0, breakable=breakable)
    rig = Rig(policy, small_robot(folder, home=0.0), settings)
    rig.run()
    return rig


def test_the_share_of_the_new_policy_grows_and_both_carries_advance(tmp_path: Path) -> None:
    """No jump at the beginning, none at the end; the old one stays ready to take back."""
    rig = running(tmp_path)
    new = level_policy(tmp_path, 0.4)
    old_steps = float(rig.policy.carry[0])
    answers = rig.swap(new)
    for tick in range(BLEND_TICKS):
        assert rig.tick() is Mode.RUN
        assert rig.runner.swapping
        assert rig.controller.target == pytest.approx([0.4 * tick / BLEND_TICKS] * 2)
        assert rig.policy.carry[0] == old_steps + tick + 1
        assert new.carry[0] == tick + 1
        assert rig.runner.action == pytest.approx([0.4] * 2), 'the record has the new one'
    assert answers == []
    rig.tick()
    assert answers == ['']
    assert not rig.runner.swapping
    assert rig.controller.target == pytest.approx([0.4] * 2)
    assert rig.policy.carry[0] == old_steps + BLEND_TICKS
    assert rig.controller._swap.count == 1
    assert any('has taken over' in event for event in rig.controller.events)


def test_a_new_policy_starts_from_a_fresh_carry(tmp_path: Path) -> None:
    """Whatever was done with it before it was handed over."""
    rig = running(tmp_path)
    new = level_policy(tmp_path, 0.4)
    new.set_carry([7.0])
    rig.swap(new)
    rig.tick()
    assert new.carry[0] == 1.0


def test_a_blend_of_no_time_takes_over_in_one_tick(tmp_path: Path) -> None:
    """`blend_time` 0."""
    rig = running(tmp_path, blend_ticks=0)
    answers = rig.swap(level_policy(tmp_path, 0.4))
    rig.tick()
    assert answers == ['']
    assert rig.controller.target == pytest.approx([0.4] * 2)


@pytest.mark.parametrize('command', BREAKS)
def test_a_broken_new_policy_is_rolled_back_without_a_lost_tick(
    tmp_path: Path, command: tuple[float, float, float]
) -> None:
    """The old policy answers in the same tick; nothing is refused and nothing held."""
    rig = running(tmp_path)
    answers = rig.swap(level_policy(tmp_path, 0.4, breakable=True))
    rig.tick(5)
    steps = float(rig.policy.carry[0])
    rig.command(*command)
    assert rig.tick() is Mode.RUN
    assert rig.controller.ran
    assert len(answers) == 1
    assert answers[0]
    assert rig.runner.bound.policy is rig.policy
    assert rig.policy.carry[0] == steps + 1
    assert rig.controller.target == pytest.approx([0.0] * 2)
    assert rig.controller.counts['refused_outputs'] == rig.controller._swap.count == 0
    assert any('rolled back' in event for event in rig.controller.events)
    rig.tick(3)
    assert len(answers) == 1, 'answered once'


def test_a_swap_that_is_rolled_back_leaves_the_policy_its_time(tmp_path: Path) -> None:
    """The seconds that it sees count from where it began, not from the swap."""
    rig = running(tmp_path)
    began = rig.runner.began_ns
    rig.tick(5)
    rig.swap(level_policy(tmp_path, 0.4, breakable=True))
    rig.tick()
    assert rig.runner.began_ns == rig.now
    rig.command(*BREAKS[0])
    rig.tick()
    assert rig.runner.bound.policy is rig.policy
    assert rig.runner.began_ns == began


@pytest.mark.parametrize('command', BREAKS)
def test_an_old_policy_that_breaks_during_a_blend_is_refused_as_ever(
    tmp_path: Path, command: tuple[float, float, float]
) -> None:
    """Neither carry advances, the last target is held, and the blend goes on."""
    rig = running(tmp_path, breakable=True)
    new = level_policy(tmp_path, 0.4)
    answers = rig.swap(new)
    rig.tick(5)
    before = (rig.policy.carry.copy(), new.carry.copy(), rig.controller.target.copy())
    rig.command(*command)
    assert rig.tick() is Mode.RUN
    assert not rig.controller.ran
    after = (rig.policy.carry, new.carry, rig.controller.target)
    for old, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, now)
    rig.command()
    rig.tick(BLEND_TICKS)
    assert answers == ['']
    assert rig.controller.target == pytest.approx([0.4] * 2)


def test_a_swap_during_a_swap_ends_the_first_one(tmp_path: Path) -> None:
    """Each caller gets its own answer, and the third policy blends with the first."""
    rig = running(tmp_path)
    first = rig.swap(level_policy(tmp_path, 0.4))
    rig.tick(5)
    third = level_policy(tmp_path, 0.8)
    second = rig.swap(third)
    rig.tick()
    assert first == ['another swap came']
    assert rig.controller.target == pytest.approx([0.0] * 2)
    rig.tick(BLEND_TICKS)
    assert second == ['']
    assert rig.runner.bound.policy is third
    assert rig.controller._swap.count == 1


def test_two_swaps_between_two_ticks_are_both_answered(tmp_path: Path) -> None:
    """A service call without an answer hangs for ever."""
    rig = running(tmp_path, blend_ticks=0)
    first = rig.swap(level_policy(tmp_path, 0.4))
    second = rig.swap(level_policy(tmp_path, 0.8))
    rig.tick()
    assert (first, second) == (['another swap came'], [''])


@pytest.mark.parametrize('end', ['stop', 'fault', 'fade', 'abandon'])
def test_the_end_of_the_run_rolls_a_swap_back(tmp_path: Path, end: str) -> None:
    """What is loaded and what would run next must be the same policy."""
    rig = running(tmp_path)
    answers = rig.swap(level_policy(tmp_path, 0.4))
    rig.tick(5)
    if end == 'abandon':
        rig.controller.abandon()
    else:
        {
            'stop': lambda: rig.controller.request_stop('stop requested'),
            'fault': lambda: rig.controller.request_fault('the bridge is damping'),
            'fade': rig.controller.request_fade,
        }[end]()
        rig.tick()
    assert len(answers) == 1
    assert answers[0]
    assert not rig.runner.swapping
    assert rig.runner.bound.policy is rig.policy
    assert end == 'fade' or rig.controller.send is not Send.POSITION


def test_a_swap_while_nothing_runs_is_done_at_once(tmp_path: Path) -> None:
    """In hold there is nothing to blend with; the next run starts with the new one."""
    rig = Rig(level_policy(tmp_path, 0.0), small_robot(tmp_path))
    rig.activate()
    rig.tick_until(Mode.HOLD)
    new = level_policy(tmp_path, 0.4, command_ranges={'xvel': [-0.5, 0.5]})
    answers = rig.swap(new)
    rig.tick()
    assert answers == ['']
    rig.controller.request_run()
    rig.command(x=2.0)
    rig.tick()
    assert rig.runner.action == pytest.approx([0.4] * 2)
    assert rig.controller.inputs.command.value[0] == 0.5, 'its own ranges hold'


@pytest.mark.parametrize('when', ['with the fade', 'in the fade', 'while inactive'])
def test_a_swap_at_the_end_of_a_session_is_refused(tmp_path: Path, when: str) -> None:
    """Its caller is told that the session has ended; it must not come true in the next one."""
    rig = running(tmp_path)
    if when == 'while inactive':
        rig.controller.abandon()
        answers = rig.swap(level_policy(tmp_path, 0.4))
    else:
        rig.controller.request_fade()
        if when == 'in the fade':
            rig.tick()
        answers = rig.swap(level_policy(tmp_path, 0.4))
        rig.tick(100)
    assert rig.controller.mode is Mode.INACTIVE
    rig.activate()
    rig.tick(2)
    assert len(answers) == 1
    assert answers[0]
    assert rig.runner.bound.policy is rig.policy
