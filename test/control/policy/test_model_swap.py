"""A call of ~/load_model while the robot walks: loaded on a thread, answered once."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from helpers.processes import wait_until
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.policy.model_swap import ModelSwap
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.run.setup import PolicySetup


@pytest.fixture
def made(tmp_path):
    robot, policy = small_robot(tmp_path), level_policy(tmp_path, 0.1)
    rig = Rig(policy, robot, tunables=LiveSettings(frozen_timeout=0.0))
    rig.run()
    setup = PolicySetup(policy, robot, rig.controller, gains(policy.contract, robot), 50.0, [])
    found = SimpleNamespace(rig=rig, setup=setup, folder=tmp_path, begun=[], taken=[], answers=[])

    def swap(load) -> ModelSwap:
        return ModelSwap(
            lambda: LoadedSet.of_one(load()),
            setup,
            Swaps(found.begun),
            found.taken.append,
            found.answers.append,
        )

    found.swap = swap
    return found


class Swaps:
    """In place of run.json: the policies that were noted before they ran."""

    def __init__(self, begun: list) -> None:
        self.begun = begun
        self.taken: list[int] = []

    def begin_swap(self, policy, bound) -> int:
        self.begun.append(policy)
        return len(self.begun)

    def take_over(self, numbers) -> None:
        self.taken += numbers


def settle(made, swap: ModelSwap) -> None:
    """Poll as the node does, until there is an answer."""

    def poll() -> bool:
        swap.poll()
        made.rig.tick()
        return swap.done

    assert wait_until(poll, 20.0)


def test_a_policy_takes_over_and_the_call_is_answered_once(made):
    """run.json has to know it before it runs, or a killed run could not be replayed."""
    other = level_policy(made.folder, 0.2)
    swap = made.swap(lambda: other)
    settle(made, swap)
    swap.finish('too late')
    assert made.answers == ['']
    assert made.begun == [other]
    assert [setup.policy for setup in made.taken] == [other]


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (ModelError('no such file'), 'no such file'),
        (ZeroDivisionError('x'), 'by a bug of kinfer_ros'),
    ],
)
def test_what_cannot_be_loaded_leaves_the_old_policy(made, error, expected):
    """Not even a bug of ours takes a walking robot down."""

    def load():
        raise error

    settle(made, made.swap(load))
    assert expected in made.answers[0]
    assert not made.taken


def test_a_policy_that_does_not_fit_is_refused(made):
    """Its other start pose would be a jump of the robot."""
    other = level_policy(made.folder, 0.2, joint_biases=[0.3, 0.3])
    settle(made, made.swap(lambda: other))
    assert 'cannot take over' in made.answers[0]
    assert not made.begun


def test_the_end_of_the_session_answers_a_call_that_still_loads(made):
    """A caller must not wait for ever."""
    hold = threading.Event()
    swap = made.swap(lambda: hold.wait(20.0) and level_policy(made.folder, 0.2))
    swap.poll()
    swap.finish('the session has ended')
    hold.set()
    assert made.answers == ['the session has ended']


def test_other_gains_come_with_the_policy(made):
    """The setup that takes over has them, for the factors and for the next session."""
    other = level_policy(made.folder, 0.2, joint_kp=[30.0, 30.0])
    settle(made, made.swap(lambda: other))
    assert made.answers == ['']
    assert made.taken[0].gains.kp.tolist() == [30.0, 30.0]
    assert made.rig.controller.gains.version == 1
    assert made.rig.controller.gains.now().kp.tolist() == [30.0, 30.0]


def test_gains_that_the_operators_factor_makes_too_high_are_refused(made):
    """kp_max holds for the product, and the factor may have been set while the policy loaded."""
    other = level_policy(made.folder, 0.2, joint_kp=[30.0, 30.0])
    made.rig.tune(kp_factor=1.5)
    settle(made, made.swap(lambda: other))
    assert 'kp_factor: found 1.5, which makes kp of joint_0 45' in made.answers[0]
    assert made.rig.controller.gains.version <= 1
