"""The policy in the tick: what is refused, and what a refusal leaves as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies import models
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.mode_targets import ACCEPTED_TO_RESET
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings

BREAKS = {
    'nan': ((-1.0, 0.0, 0.0), 'non-finite target'),
    'explodes': ((1e4, 0.0, 0.0), 'max_action'),
    'fails': ((0.0, 0.0, 5.0), 'the policy failed'),
}
"""Commands that break a breakable policy, and what the refusal says."""


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A breakable policy that asks for 0.3 rad, in mode run."""
    rig = Rig(level_policy(tmp_path, 0.3, breakable=True), small_robot(tmp_path))
    rig.run()
    return rig


@pytest.mark.parametrize('kind', BREAKS)
def test_a_refused_output_holds_the_last_target_then_faults(rig: Rig, kind: str) -> None:
    """However it is broken: the carry stays, and the robot is not left to it for long."""
    command, text = BREAKS[kind]
    held, carry = rig.controller.target.copy(), rig.policy.carry.copy()
    for _ in range(LiveSettings().max_refused):
        rig.command(*command)
        assert rig.tick() is Mode.RUN
        assert rig.controller.send is Send.POSITION
        assert not rig.controller.ran
        np.testing.assert_array_equal(rig.controller.target, held)
        np.testing.assert_array_equal(rig.policy.carry, carry)
    rig.command(*command)
    assert rig.tick() is Mode.FAULT
    assert rig.controller.send is Send.DAMPING
    assert text in rig.controller.reason
    np.testing.assert_array_equal(rig.policy.carry, carry)
    assert rig.controller.counts['refused_outputs'] == LiveSettings().max_refused + 1
    assert rig.count('output', Level.WARN) == LiveSettings().max_refused
    assert rig.count('output', Level.FAULT) == 1


def test_good_outputs_begin_the_count_anew_and_the_carry_goes_on(rig: Rig) -> None:
    """A policy that stumbles now and then is held up, not thrown down."""
    rig.tune(frozen_timeout=0.0)
    steps = float(rig.policy.carry[0])
    for _ in range(5):
        for _ in range(LiveSettings().max_refused):
            rig.command(x=-1.0)
            assert rig.tick() is Mode.RUN
        rig.command()
        for _ in range(ACCEPTED_TO_RESET):
            assert rig.tick() is Mode.RUN
            assert rig.controller.ran
            steps += 1
            assert rig.policy.carry[0] == steps


def test_refused_outputs_by_turns_add_up(rig: Rig) -> None:
    """A policy that is refused every second tick walks on targets that are stale half the time."""
    for _ in range(LiveSettings().max_refused):
        rig.command(x=-1.0)
        assert rig.tick() is Mode.RUN
        rig.command()
        assert rig.tick() is Mode.RUN
    rig.command(x=-1.0)
    assert rig.tick() is Mode.FAULT


def test_a_refusal_ends_the_row_of_good_outputs(rig: Rig) -> None:
    """Refusals are forgotten after ten good outputs in a row, not after ten in all."""
    rig.tune(frozen_timeout=0.0)
    for _ in range(LiveSettings().max_refused):
        rig.command(x=-1.0)
        assert rig.tick() is Mode.RUN
        rig.command()
        assert rig.tick(ACCEPTED_TO_RESET - 1) is Mode.RUN
    rig.command(x=-1.0)
    assert rig.tick() is Mode.FAULT


def test_max_refused_of_zero_faults_at_once(rig: Rig) -> None:
    """Who wants no held target gets none."""
    rig.tune(max_refused=0)
    rig.command(x=-1.0)
    assert rig.tick() is Mode.FAULT


def test_max_action_is_believed_and_more_is_not(rig: Rig) -> None:
    """The threshold itself still counts as an action, in both directions."""
    for sign in (1.0, -1.0):
        rig.command(y=sign * 0.5 - 0.3)
        rig.tick()
        asked = float(np.abs(rig.runner.action).max())
        rig.tune(max_action=asked)
        rig.tick()
        assert rig.controller.ran
        rig.tune(max_action=asked * (1 - 1e-6))
        rig.tick()
        assert not rig.controller.ran
        rig.tune(max_action=50.0)
        rig.tick()


def test_an_output_refused_in_the_first_tick_of_a_run_sends_what_was_sent_before(
    tmp_path: Path,
) -> None:
    """Not the start pose unlimited: the slow target had not got there yet."""
    robot = small_robot(tmp_path, home=0.8)
    settings = SessionSettings(period_ns=PERIOD_NS, ramp_speed=10.0)
    rig = Rig(
        level_policy(tmp_path, 0.3, breakable=True), robot, settings, LiveSettings(target_slew=0.5)
    )
    rig.activate()
    rig.tick_until(Mode.HOLD)
    before = rig.controller.target.copy()
    assert before.max() < 0.2
    rig.controller.request_run()
    rig.command(x=-1.0)
    assert rig.tick() is Mode.RUN
    assert rig.controller.send is Send.POSITION
    np.testing.assert_array_equal(rig.controller.target, before)


def test_joints_without_a_policy_go_on_to_the_start_pose(tmp_path: Path) -> None:
    """A target that was once limited or filtered on its way there must not stay half-way."""
    robot = small_robot(tmp_path, ('spare', 'joint_0', 'joint_1'), home=0.8)
    settings = SessionSettings(period_ns=PERIOD_NS, ramp_speed=10.0, auto_run=True)
    tunables = LiveSettings(target_lowpass=1.0, torque_band=0.0)
    rig = Rig(leaky_policy(tmp_path), robot, settings, tunables)
    rig.set_pose(0.3)
    rig.activate()
    rig.tick_until(Mode.RUN)
    assert rig.controller.target[0] < 0.7
    rig.tune(frozen_timeout=0.0)
    assert rig.tick(100) is Mode.RUN
    assert rig.controller.target[0] == pytest.approx(0.8, abs=1e-3)


def test_the_action_scale_is_about_the_start_pose_and_moves_slowly(tmp_path: Path) -> None:
    """Half of the policy's way; a scale that jumped would move the robot."""
    rig = Rig(level_policy(tmp_path, 0.5), small_robot(tmp_path, home=0.1))
    rig.run()
    rig.tune(action_scale=0.5, frozen_timeout=0.0)
    targets = []
    for _ in range(30):
        rig.tick()
        targets.append(float(rig.controller.target[0]))
    assert np.abs(np.diff(targets)).max() <= 0.4 * PERIOD_NS / 1e9 + 1e-9
    assert targets[-1] == pytest.approx(0.3)


def test_the_torque_band_knows_the_gain_factors_from_the_start(tmp_path: Path) -> None:
    """A controller built with twice the stiffness must not ask for twice the torque."""
    rig = Rig(
        level_policy(tmp_path, 0.9),
        small_robot(tmp_path),
        tunables=LiveSettings(kp_factor=2.0, torque_band=1.0),
    )
    rig.run()
    rig.tick()
    torque = 2.0 * 20.0 * (rig.controller.target - rig.frame.position)
    assert torque.max() <= 10.0 + 1e-9


def test_more_than_float16_holds_ends_in_the_stop(tmp_path: Path) -> None:
    """The input is finite and so is the network's answer: only what lies between is not."""
    joints = ['joint_0', 'joint_1']
    graph = models.Builder()
    cut = graph.op('Slice', 'obs', *(graph.const([n], 'int64') for n in (0, 2, 1)))
    action = graph.op('Tanh', cut)
    half = models.TensorProto.FLOAT16
    model = graph.build({'obs': (1, 3)}, {action: (1, 2)}, dtypes={'obs': half, action: half})
    content = flat_models.spec(
        [{'source': 'command', 'scale': 7.0e4}],
        joints=joints,
        default_pose=0.1,
        action={'relative_to': 'default_pose', 'scale': 0.1},
    )
    content['commands'] = dict.fromkeys(('xvel', 'yvel', 'yawrate'))
    rig = Rig(flat_models.load(tmp_path, model, content), small_robot(tmp_path))
    rig.run()
    rig.command(0.9, 0.0, 0.0)
    assert rig.tick() is Mode.RUN
    held = rig.controller.target.copy()
    for _ in range(LiveSettings().max_refused):
        rig.command(1.0, 0.0, 0.0)
        assert rig.tick() is Mode.RUN
        assert not rig.controller.ran
        np.testing.assert_array_equal(rig.controller.target, held)
    rig.command(1.0, 0.0, 0.0)
    assert rig.tick() is Mode.FAULT
    assert rig.controller.send is Send.DAMPING
    assert 'obs as float16: found inf at [0, 0]' in rig.controller.reason
