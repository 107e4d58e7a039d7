"""Live settings: validated as one, adopted as one, and gain factors that do not jump."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError


def test_values_come_by_name_and_others_are_passed_over() -> None:
    """The node hands over all its parameters; what is not set keeps its default."""
    tunables = live_settings_from({'max_tilt': 0.5, 'command_limit': [1, 2, 3], 'robot': 'biped'})
    assert tunables == LiveSettings(max_tilt=0.5, command_limit=(1.0, 2.0, 3.0))
    assert isinstance(tunables.command_limit, tuple)
    assert live_settings_from({}) == LiveSettings()


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_a_number_that_is_not_finite_is_refused_everywhere(name: str, bad: float) -> None:
    """ROS checks ranges by comparison, which NaN passes."""
    triple = isinstance(getattr(LiveSettings(), name), tuple)
    with pytest.raises(ConfigError, match=f'parameter {name}: .*expected finite'):
        live_settings_from({name: [1.0, bad, 1.0] if triple else bad})


@pytest.mark.parametrize('name', ['command_scale', 'command_limit', 'command_acceleration'])
@pytest.mark.parametrize(
    ('bad', 'expected'),
    [
        ([1.0, 2.0], 'three numbers'),
        ([1.0] * 4, 'three numbers'),
        ([1.0, -0.1, 1.0], '0 to 1e'),
        ([1.0, 1.0, 1e300], '0 to 1e'),
    ],
)
def test_triples_have_no_range_in_ros_and_are_held_to_one_here(
    name: str, bad: list[float], expected: str
) -> None:
    """ROS knows no ranges of arrays; a scale of 1e300 would make infinity of any command."""
    with pytest.raises(ConfigError, match=f'parameter {name}: .*{expected}'):
        live_settings_from({name: bad})


def test_everything_wrong_is_said_at_once() -> None:
    """A set of several parameters is one change, refused with all its reasons."""
    with pytest.raises(ConfigError, match=r'command_scale.*; parameter max_tilt'):
        live_settings_from({'max_tilt': float('nan'), 'command_scale': [1.0]})


def test_adopting_says_what_changed_and_only_that() -> None:
    """The log has to bring the same state back, to the bit."""
    tunables = LiveSettings()
    other = LiveSettings(max_tilt=0.1, command_limit=(0.0, 0.5, 0.0))
    assert tunables.adopt(other) == [
        'set command_limit [0.0, 0.0, 0.0] -> [0.0, 0.5, 0.0]',
        'set max_tilt 1.0 -> 0.1',
    ]
    assert tunables == other
    assert tunables.adopt(other) == []


def test_a_copy_shares_nothing_with_its_original() -> None:
    """It is changed before it is asked for."""
    tunables = LiveSettings()
    copy = tunables.copy()
    for field in fields(copy):
        setattr(copy, field.name, None)
    assert asdict(tunables) == asdict(LiveSettings())


def test_a_change_is_one_change_between_two_ticks(tmp_path: Path) -> None:
    """Guards, limiter and command all read the same numbers in the same tick, and the log too."""
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path))
    rig.run()
    rig.tune(position_margin=0.0, target_slew=1.0)
    assert rig.controller.live.target_slew == 60.0, 'not before the tick'
    rig.tick()
    assert rig.controller.events[:2] == (
        ['set target_slew 60.0 -> 1.0', 'set position_margin 0.2 -> 0.0']
    )
    rig.set_pose(1.1)
    assert rig.tick() is Mode.FAULT
    assert 'position' not in rig.controller.stats.warnings()
    assert '0 more are borne' in rig.controller.reason


def test_the_newest_of_many_changes_holds(tmp_path: Path) -> None:
    """A storm of parameters costs one change a tick."""
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path))
    rig.run()
    for value in np.linspace(0.1, 0.9, 1000):
        rig.tune(max_tilt=float(value))
    rig.tick()
    assert rig.controller.events == ['set max_tilt 1.0 -> 0.9']


def test_gain_factors_are_ramped_while_live_and_jump_while_inactive(tmp_path: Path) -> None:
    """A stiffness that halves in a tick lets the robot drop; an inactive one does not stand."""
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path))
    rig.tune(kp_factor=0.9)
    assert rig.controller.gain_ramp.kp_factor == 0.9
    rig.run()
    rig.tune(kp_factor=0.5)
    rig.tick()
    assert rig.controller.gain_ramp.kp_factor == pytest.approx(0.88)
    rig.tick(19)
    assert rig.controller.gain_ramp.kp_factor == 0.5


def test_a_gain_factor_beyond_the_hard_limits_is_refused_with_the_most_there_is(
    tmp_path: Path,
) -> None:
    """With kp 20 of at most 40 and kd 1 of at most 4, they are 2 and 4."""
    robot = small_robot(tmp_path)
    asked = gains(level_policy(tmp_path, 0.0).contract, robot)
    assert gain_problem(asked, robot, LiveSettings(kp_factor=2.0, kd_factor=4.0)) == ''
    assert 'a factor of at most 2' in gain_problem(asked, robot, LiveSettings(kp_factor=2.1))
    text = gain_problem(asked, robot, LiveSettings(kd_factor=4.1))
    assert 'kd_factor: found 4.1, which makes kd of joint_0 4.1' in text
