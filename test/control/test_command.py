"""The command vector: by name, limited to what was trained, neutral when teleop is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.tunables import Tunables
from kinfer_ros.errors import ContractError

S = 1_000_000_000


def vector(*names: str, **more: object) -> CommandVector:
    return CommandVector(names, more.pop('ranges', {}), tunables=Tunables(), **more)


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
