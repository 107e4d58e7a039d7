"""What happens at once in a policy set: loads, requests, ways via a pose, falls; a fake clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.falls import STILL_TICKS
from helpers.falls import UPRIGHT_TICKS
from helpers.falls import SetRig
from helpers.robots import level_policy
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.runner import BoundPolicy

VIA_SET = """enter: walk
policies:
  walk: {model: level_0.1.kinfer, max_tilt: 0.8}
  high: {model: level_0.5.kinfer, kp_factor: 0.5, max_tilt: 0.4}
  stand: {model: level_0.2.kinfer}
transitions:
  - {from: walk, to: high, via_pose: {duration_s: 1.0}}
  - {from: high, to: stand}
"""
BACK_SET = """enter: walk
policies:
  walk: {model: level_0.1.kinfer}
  getup: {model: level_0.5.kinfer}
  stand: {model: level_0.2.kinfer}
transitions:
  - {from: walk, to: getup, automatic: fallen, timeout_s: 4.0}
  - {from: getup, to: stand, automatic: upright, conditions: {max_tilt: 0.3}}
  - {from: stand, to: getup}
  - {from: getup, to: walk}
"""


def edited(rig: SetRig, folder, name: str) -> BoundPolicy:
    """Another version of a policy of the set, as ~/load_model makes it."""
    old = rig.controller.policies.members[name]
    (folder / 'edited').mkdir(exist_ok=True)
    policy = level_policy(folder / 'edited', {'walk': 0.1, 'high': 0.4, 'getup': 0.4}[name])
    bound = bind(policy, rig.robot, rig.controller.inputs)
    return replace(
        bound, name=name, load=1, start_pose=old.start_pose, gains=old.gains,
        stricter=old.stricter,
    )  # fmt: skip


def load(rig: SetRig, bound: BoundPolicy) -> list[str]:
    """Ask for it as ~/load_model does; :return: the answers."""
    answers: list[str] = []
    policies = rig.controller.policies

    def done(reason: str) -> None:
        answers.append(reason)
        if not reason:
            policies.put(bound)

    if policies.running == bound.name:
        rig.controller.request_swap(bound, done)
    else:
        done('')
    return answers


def test_a_load_in_the_tick_in_which_a_way_begins_is_refused(tmp_path):
    """The policy that is left would take over at the pose of another one."""
    rig = SetRig(tmp_path, VIA_SET)
    rig.run()
    answers = load(rig, edited(rig, tmp_path, 'walk'))
    rig.ask('high')
    rig.tick()
    assert rig.mode == 'run: policy high: moving to its pose'
    assert len(answers) == 1
    assert answers[0]
    rig.tick(50)
    assert rig.mode == 'run: policy high'
    assert rig.controller.target == pytest.approx(0.5)


def test_a_load_on_the_way_is_refused(tmp_path):
    """Its guards would hold too early, and the log of its blend would not replay."""
    rig = SetRig(tmp_path, VIA_SET)
    rig.run()
    rig.ask('high')
    rig.tick(10)
    answers = load(rig, edited(rig, tmp_path, 'high'))
    rig.tick()
    assert rig.controller.live.max_tilt == 0.8, 'that of the policy that is left'
    assert len(answers) == 1
    assert answers[0]
    rig.tick(39)
    last = load(rig, edited(rig, tmp_path, 'high'))
    rig.tick()
    assert 'policy high has taken over' in rig.outcome.events
    assert not any('begins to take over' in event for event in rig.outcome.events)
    assert last[0]


@pytest.mark.parametrize('stage', ['lying', 'announced'])
def test_a_get_up_that_was_loaded_anew_gets_the_robot_up(tmp_path, stage):
    """The answer said that it is in place; its guards are waived like those of the old one."""
    rig = SetRig(tmp_path)
    rig.bring(stage)
    new = edited(rig, tmp_path, 'getup')
    answers = load(rig, new)
    rig.tick(STILL_TICKS + 151)
    assert answers == ['']
    assert rig.mode == 'run: policy getup'
    assert rig.runner.bound is new
    assert rig.controller.recovery.count == 1


def test_a_get_up_that_is_loaded_anew_while_it_runs_goes_on(tmp_path):
    """It takes over; tilt and tracking stay waived, and the time-out is that of the recovery."""
    rig = SetRig(tmp_path)
    rig.bring('rising')
    new = edited(rig, tmp_path, 'getup')
    assert load(rig, new) == []
    rig.tick(30)
    assert rig.mode == 'run: policy getup'
    assert rig.runner.bound is new
    rig.tick(189 - 30)
    assert rig.mode == 'run: policy getup'
    rig.tick()
    assert 'timeout_s' in rig.mode


def test_a_get_up_that_is_entered_again_has_all_guards(tmp_path):
    """Asked for in the tick after it was left: that is no recovery any more."""
    rig = SetRig(tmp_path, BACK_SET)
    rig.bring('rising')
    rig.tilt(0.0)
    rig.tick(UPRIGHT_TICKS + 1)
    assert rig.running == 'stand'
    assert rig.ask('getup') == ''
    rig.tick()
    assert rig.running == 'getup'
    rig.lie()
    rig.tick()
    assert rig.controller.mode is not Mode.RUN


def test_upright_has_no_gap_while_another_policy_was_asked_for(tmp_path):
    """Nobody looked meanwhile: the robot may have lain down."""
    rig = SetRig(tmp_path)
    rig.bring('rising')
    rig.tilt(0.1)
    rig.tick(10)
    assert rig.ask('walk') == ''
    rig.lie()
    rig.tick(UPRIGHT_TICKS)
    rig.ask('getup')  # not that one any more
    rig.tilt(0.1)
    rig.tick(2)
    assert rig.running == 'getup'


def test_upright_begins_anew_in_another_get_up(tmp_path):
    """The operator left the first one in the tick of the next fall."""
    rig = SetRig(tmp_path, BACK_SET)
    rig.bring('rising')
    rig.tilt(0.1)
    rig.tick(10)
    assert rig.ask('walk') == ''
    rig.lie()
    rig.tick()
    assert 'recovery 2 of 2' in rig.mode
    rig.tick(STILL_TICKS + 149)
    rig.tilt(0.1)
    rig.tick(3)
    assert rig.mode == 'run: policy getup'


def test_a_stalled_machine_in_a_recovery_does_not_hide_the_fall(tmp_path):
    """The fall came first."""
    rig = SetRig(tmp_path)
    rig.bring('lying')
    rig.controller.first_cause = 'the machine stalled'
    rig.controller.request_fault('the bridge is gone')
    rig.tick()
    assert rig.mode.startswith('fault: fell: ')
    assert 'the machine stalled; then: the bridge is gone' in rig.mode
