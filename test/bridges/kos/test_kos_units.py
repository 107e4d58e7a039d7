"""Joints to KOS actuators and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot

KBOT = load_robot('kbot')
angles = st.lists(st.floats(-3.0, 3.0), min_size=20, max_size=20).map(np.array)


def twisted():
    """K-Bot with an offset and a sign on each joint."""
    joints = tuple(
        dataclasses.replace(joint, offset=0.1 * i, sign=-1 if i % 2 else 1)
        for i, joint in enumerate(KBOT.joints)
    )
    return dataclasses.replace(KBOT, joints=joints)


@given(angles)
def test_there_and_back(position):
    """A target that is read back is the same target, whatever offset and sign are."""
    units = JointUnits(twisted())
    np.testing.assert_allclose(units.position(units.to_degrees(position)), position, atol=1e-9)


def test_offset_and_sign():
    """Hardware = sign * joint + offset, in degrees; speeds and torques have no offset."""
    units = JointUnits(twisted())
    sent = units.to_degrees(np.full(20, 1.0))
    assert sent[0] == pytest.approx(np.degrees(1.0))
    assert sent[1] == pytest.approx(np.degrees(-1.0 + 0.1))
    assert units.velocity([90.0] * 20)[1] == pytest.approx(-np.pi / 2)
    assert units.effort([2.0] * 20)[1] == -2.0


def test_a_joint_without_an_id_is_refused():
    """The biped has no KOS actuators: said before anything connects."""
    with pytest.raises(ConfigError, match=r'no id for left_hip_yaw.*from-kos-metadata'):
        JointUnits(load_robot('biped'))


def test_the_robots_that_ship():
    """Ids, gains and home of K-Bot and Z-Bot as K-Scale's tables have them."""
    by_name = {joint.name: joint for joint in KBOT.joints}
    knee = by_name['dof_left_knee_04']
    assert (knee.id, knee.kp, knee.kd, knee.torque_limit) == (34, 150.0, 8.654, 84.0)
    assert knee.home == pytest.approx(np.radians(50), abs=1e-6)
    for joint in KBOT.joints:
        if joint.name.startswith('dof_left'):
            right = by_name[joint.name.replace('left', 'right')]
            assert right.id == joint.id + 10
            assert (right.lower, right.upper) == (-joint.upper, -joint.lower)
            assert right.home == -joint.home
    zbot = load_robot('zbot')
    assert sorted(j.id for j in zbot.joints) == [
        *range(11, 15),
        *range(21, 25),
        *range(31, 37),
        *range(41, 47),
    ]
    assert {(j.kp, j.kd) for j in zbot.joints} == {(16.0, 3.0), (22.0, 12.0)}
