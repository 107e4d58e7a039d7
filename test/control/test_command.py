"""The command vector: by name, limited to what was trained, neutral when teleop is lost."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ContractError

S = 1_000_000_000


TWIST = ('xvel', 'yvel', 'yawrate')


def vector(*names: str, **more: object) -> CommandVector:
    tunables = more.pop('live', LiveSettings())
    return CommandVector(names, more.pop('ranges', {}), live=tunables, **more)


def test_twist_entries_go_where_their_names_are() -> None:
    """Policies name their commands in different orders."""
    command = vector('yawrate', 'xvel', 'yvel')
    command.set_twist(1.0, 2.0, 3.0, 0)
    command.update(0, 0.02)
    np.testing.assert_array_equal(command.value, [3.0, 1.0, 2.0])


def test_a_lost_velocity_command_becomes_the_default() -> None:
    """A robot whose operator has left must not walk on."""
    command = vector('xvel', 'yvel', 'yawrate')
    command.set_twist(1.0, 0.0, 0.0, 0)
    command.update(S // 2, 0.02)
    assert command.value[0] == 1.0
    command.update(S // 2 + 1, 0.02)
    np.testing.assert_array_equal(command.value, 0.0)


def test_a_default_command_walks_without_teleop() -> None:
    """`vx:=0.3` of the launch file."""
    command = vector('xvel', default=(0.3, 0.0, 0.0))
    command.update(0, 0.02)
    assert command.value[0] == np.float32(0.3)


def test_named_values_override_until_they_time_out() -> None:
    """policy_command wins over cmd_vel per entry, and is lost like it."""
    command = vector('xvel', 'baseheight')
    command.set_twist(0.5, 0.0, 0.0, S)
    assert command.set_named(['baseheight', 'xvel'], [-0.1, 0.2], S) == ''
    command.update(S, 0.02)
    np.testing.assert_allclose(command.value, [0.2, -0.1])
    command.set_twist(0.5, 0.0, 0.0, 2 * S)
    command.update(2 * S, 0.02)
    np.testing.assert_allclose(command.value, [0.5, 0.0])


def test_names_of_early_pyfirmware() -> None:
    """Its policies name their grippers by the wrist; a sender may know the other name."""
    command = vector('relbowroll', 'rwristgripper', 'lgripper')
    assert command.set_named(['rgripper', 'lwristgripper', 'relbowroll'], [0.1, 0.2, 0.3], 0) == ''
    command.update(0, 0.02)
    np.testing.assert_allclose(command.value, [0.3, 0.1, 0.2])
    refusal = command.set_named(['rshoulderyaw'], [0.4], 0)
    assert "names ['rshoulderyaw'], expected ['relbowroll', " in refusal
    both = vector('rgripper', 'rwristgripper')
    assert both.set_named(['rwristgripper', 'rgripper'], [0.1, 0.2], 0) == ''
    both.update(0, 0.02)
    np.testing.assert_allclose(both.value, [0.2, 0.1])


def test_what_was_not_trained_is_limited_and_said() -> None:
    """Outside its training range a policy does what it likes."""
    command = vector('xvel', 'yvel', ranges={'xvel': (-0.3, 0.6)})
    command.set_twist(2.0, 2.0, 0.0, 0)
    command.update(0, 0.02)
    np.testing.assert_allclose(command.value, [0.6, 2.0])
    assert command.limited == ['xvel']
    command.set_twist(0.6, 0.0, 0.0, 0)
    command.update(0, 0.02)
    assert command.limited == []


def test_a_heading_command_is_the_yaw_rate_integrated() -> None:
    """Policies of kinfer 0.5 take an absolute yaw in place of a rate."""
    command = vector('xvel', 'yvel', 'yaw')
    command.set_twist(0.0, 0.0, 0.5, 0)
    for _ in range(50):
        command.update(0, 0.02)
    assert command.value[2] == pytest.approx(0.5)
    command.reset()
    assert command.value[2] == 0.0
    command.update(0, 0.02)
    assert command.value[2] == pytest.approx(0.01), 'the next run integrates from 0'


def test_an_entry_without_a_source_is_refused_with_a_way_out() -> None:
    """A command nobody can give would stay zero for ever, silently."""
    with pytest.raises(ContractError, match=r"\['cmd_3'\].*policy_command_entries"):
        vector('xvel', 'cmd_3')
    vector('xvel', 'cmd_3', extra_entries=['cmd_3'])


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e39])
def test_a_command_that_is_not_finite_is_refused(bad: float) -> None:
    """The old command stays until its time-out."""
    command = vector('xvel')
    command.set_twist(0.2, 0.0, 0.0, 0)
    assert not command.set_twist(bad, 0.0, 0.0, 0)
    assert 'not finite' in command.set_named(['xvel'], [bad], 0)
    command.update(0, 0.02)
    assert command.value[0] == np.float32(0.2)


def test_a_name_the_policy_lacks_is_refused() -> None:
    """A typo must not pass for a command."""
    assert 'xvell' in vector('xvel').set_named(['xvell'], [1.0], 0)
    assert vector('xvel').set_named(['xvel'], [], 0)


def test_a_heading_set_by_name_goes_back_to_the_integrated_one() -> None:
    """After policy_command is lost, cmd_vel turns the robot again."""
    command = vector('yaw')
    command.set_named(['yaw'], [1.0], 0)
    command.update(0, 0.02)
    assert command.value[0] == 1.0
    for _ in range(50):
        command.set_twist(0.0, 0.0, 0.5, 2 * S)
        command.update(2 * S, 0.02)
    assert command.value[0] == pytest.approx(0.5)


def test_scales_come_before_limits_and_ranges_last() -> None:
    """The stick's full way is scaled, what comes of it is limited, whatever its sign."""
    tunables = LiveSettings(command_scale=(0.5, 2.0, 1.0), command_limit=(0.0, 1.0, 0.3))
    command = vector(*TWIST, live=tunables, ranges={'yvel': (-0.8, 0.8)})
    command.set_twist(1.0, 1.0, -0.5, 0)
    command.update(0, 0.02)
    np.testing.assert_allclose(command.value, [0.5, 0.8, -0.3], rtol=1e-6)
    assert set(command.limited) == {'yvel', 'yawrate'}
    command.set_twist(1.0, 0.4, -0.3, 0)
    command.update(0, 0.02)
    assert command.limited == [], 'at a limit is within it'


def test_acceleration_is_limited_both_ways_and_said() -> None:
    """1 m/s^2 at 50 Hz is 0.02 m/s a tick, away from rest as well as back to it."""
    command = vector(*TWIST, live=LiveSettings(command_acceleration=(1.0, 0.0, 0.0)))
    command.set_twist(0.05, 3.0, 0.0, 0)
    values, slowed = [], []
    for now in (0, 0, 0, S, S, S):  # from S on the command is lost
        command.update(now, 0.02)
        values.append(float(command.value[0]))
        slowed.append(command.slowed)
    np.testing.assert_allclose(values, [0.02, 0.04, 0.05, 0.03, 0.01, 0.0], atol=1e-7)
    assert slowed == [True, True, False, True, True, False]


def test_a_run_accelerates_from_zero() -> None:
    """A stick pushed while the robot stood in hold must not be a jump at the start."""
    command = vector(*TWIST, live=LiveSettings(command_acceleration=(1.0, 0.0, 0.0)))
    for _ in range(100):
        command.set_twist(1.0, 0.0, 0.0, 0)
        command.update(0, 0.02)
    command.reset()
    command.update(0, 0.02)
    assert command.value[0] == np.float32(0.02)


def test_settings_are_read_live() -> None:
    """They change between two ticks, under a command that stays."""
    tunables = LiveSettings()
    command = vector('xvel', live=tunables)
    command.set_twist(1.0, 0.0, 0.0, 0)
    command.update(S, 0.02)
    assert command.value[0] == 0.0
    tunables.command_timeout, tunables.command_scale = 2.0, (0.5, 1.0, 1.0)
    command.update(S, 0.02)
    assert command.value[0] == 0.5


@pytest.mark.parametrize(
    ('twist', 'named', 'now', 'expected'),
    [
        ((0.01, -0.01, 0.01), 0.01, 0, ''),
        ((0.0, -0.02, 0.0), 0.0, 0, 'cmd_vel is (0.0, -0.02, 0.0)'),
        ((0.0, 0.0, 0.0), -0.02, 0, ''),
        ((1.0, 0.0, 0.0), 1.0, S // 2, 'cmd_vel'),
        ((1.0, 0.0, 0.0), 1.0, S // 2 + 1, ''),
    ],
)
def test_neutral_is_a_stick_that_nobody_pushes(
    twist: tuple[float, float, float], named: float, now: int, expected: str
) -> None:
    """Nobody activates a robot that is told to walk; a base height is no walk."""
    command = vector(*TWIST, 'baseheight')
    assert command.not_neutral(0) == ''
    command.set_twist(*twist, 0)
    command.set_named(['baseheight'], [named], 0)
    found = command.not_neutral(now)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_a_named_velocity_is_a_push_too() -> None:
    """policy_command overrides cmd_vel: it can walk the robot off as well."""
    command = vector(*TWIST)
    command.set_named(['yawrate'], [0.5], 0)
    assert command.not_neutral(0) == "policy_command holds {'yawrate': 0.5}"


def test_a_named_velocity_keeps_to_the_limits_of_a_command() -> None:
    """`command_limit` is the largest velocity, whichever topic it comes on."""
    tunables = LiveSettings(command_limit=(0.3, 0.0, 0.0), command_acceleration=(1.0, 0.0, 0.0))
    command = vector(*TWIST, live=tunables)
    command.set_named(['xvel'], [5.0], 0)
    command.update(0, 0.1)
    assert command.value[0] == np.float32(0.1)
    assert command.slowed
    for _ in range(5):
        command.update(0, 0.1)
    assert command.value[0] == np.float32(0.3)
    assert command.limited == ['xvel']


def test_named_values_are_limited_to_the_training_range() -> None:
    """They come from the same untrusted graph as a velocity command."""
    command = vector('xvel', 'baseheight', ranges={'baseheight': (-0.1, 0.1)})
    command.set_named(['baseheight'], [99.0], 0)
    command.update(0, 0.02)
    assert command.value[1] == np.float32(0.1)
    assert command.limited == ['baseheight']


def test_a_refused_named_message_changes_nothing() -> None:
    """Half a message is none: one bad value takes the good ones along."""
    command = vector('xvel', 'baseheight')
    assert command.set_named(['xvel', 'baseheight'], [0.5, math.nan], 0)
    assert command.set_named(['xvel', 'nobody'], [0.5, 0.5], 0)
    command.update(0, 0.02)
    np.testing.assert_array_equal(command.value, 0.0)


def test_a_message_with_a_million_names_is_refused_by_its_length() -> None:
    """Looking each one up would take the tick."""
    command = vector('xvel')
    names = ['xvel'] * 1_000_000
    begin = time.process_time()
    text = command.set_named(names, names, 0)
    assert time.process_time() - begin < 0.01
    assert '1000000 names' in text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(), st.floats(), st.floats()), min_size=1, max_size=5),
    st.tuples(*[st.floats(0.0, 1e6)] * 3),
    st.tuples(*[st.floats(0.0, 1e6)] * 3),
)
def test_whatever_is_commanded_the_policy_sees_finite_numbers(
    twists: list[tuple[float, float, float]],
    scale: tuple[float, float, float],
    acceleration: tuple[float, float, float],
) -> None:
    """Any message, and any settings that are accepted."""
    tunables = live_settings_from({'command_scale': scale, 'command_acceleration': acceleration})
    command = vector(*TWIST, 'yaw', live=tunables)
    for now, twist in enumerate(twists):
        command.set_twist(*twist, now)
        command.set_named(['yvel'], [twist[0]], now)
        command.update(now, 0.02)
        assert np.isfinite(command.value).all()
