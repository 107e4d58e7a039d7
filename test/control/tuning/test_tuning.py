"""Sets of parameters: checked whole, applied between two ticks; no ROS."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import replace
from types import SimpleNamespace

import pytest

from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tuning.tuning import Tuning
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run.setup import PolicySetup


@pytest.fixture
def made(tmp_path):
    robot, policy = small_robot(tmp_path), level_policy(tmp_path, 0.1)
    rig = Rig(policy, robot)
    setup = PolicySetup(policy, robot, rig.controller, gains(policy.contract, robot), 50.0, [])
    found = SimpleNamespace(values=asdict(LiveSettings()), setup=setup, active=True, rig=rig)
    found.tuning = Tuning(
        ['lockstep'], lambda name: found.values[name], lambda: found.setup, lambda: found.active
    )
    return found


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({'use_sim_time': True}, 'taken when the node starts'),
        ({'lockstep': True}, 'cannot change while the node is active'),
        ({'max_tilt': float('nan')}, 'not finite'),
        ({'command_scale': [1.0, 1.0]}, 'expected three numbers'),
        ({'kp_factor': 3.0}, 'a factor of at most 2'),
        ({'action_scale': 0.5, 'kp_factor': 3.0}, 'a factor of at most 2'),
    ],
)
def test_a_set_is_refused_whole_with_its_reason(made, given, expected):
    """Half of a set that is applied would be a setting that nobody asked for."""
    assert expected in made.tuning.refusal(given)
    assert made.rig.controller.live == LiveSettings()


def test_what_is_fixed_can_be_set_while_inactive(made):
    """It takes effect at the next configure."""
    made.active = False
    assert made.tuning.refusal({'lockstep': True}) == ''


def test_a_live_setting_reaches_the_controller_with_its_next_tick(made):
    """Between two ticks, all of it together."""
    made.rig.run()
    assert made.tuning.refusal({'max_tilt': 0.5}) == ''
    made.values['max_tilt'] = 0.5
    made.tuning.apply(['max_tilt'])
    assert made.rig.controller.live.max_tilt == 1.0
    made.rig.tick()
    assert made.rig.controller.live.max_tilt == 0.5


def test_without_a_policy_nothing_is_applied(made):
    """A parameter that is set before configure is read at configure."""
    made.setup = None
    assert made.tuning.refusal({'max_tilt': 0.5}) == ''
    made.tuning.apply(['max_tilt'])


def test_a_factor_has_to_fit_every_policy_of_a_set(made, tmp_path):
    """Any of them may be entered in the next tick, with the factor in force."""
    level_policy(tmp_path, 0.2, joint_kp=[30.0, 30.0])
    path = tmp_path / 'set.yaml'
    path.write_text(
        'enter: a\npolicies:\n  a: {model: level_0.1.kinfer}\n  b: {model: level_0.2.kinfer}\n'
    )
    loaded = load_set(path)
    controller = assemble_set(loaded, made.rig.robot, SessionSettings(20_000_000))
    made.setup = replace(made.setup, controller=controller, policy_set=loaded)
    assert made.tuning.refusal({'kp_factor': 1.2}) == ''
    assert 'which makes kp of joint_0 45' in made.tuning.refusal({'kp_factor': 1.5})
