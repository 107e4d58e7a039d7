"""Failures of a Unitree robot: what ends a movement, and what keeps the motors off."""

from __future__ import annotations

import numpy as np
import pytest
from unitree_rig import COMMAND_NS
from unitree_rig import G1
from unitree_rig import LOST_NS
from unitree_rig import MS
from unitree_rig import TICK
from unitree_rig import Rig
from unitree_rig import assert_damped

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.frames import Publisher
from kinfer_ros.bridges.unitree.messages import HG
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.remote import BUTTONS
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import load_robot


@pytest.fixture
def rig():
    return Rig()


@pytest.mark.parametrize('how', ['silent', 'frozen', 'damaged'])
def test_a_lost_robot_is_damped(rig, how):
    """No lowstate, always the same one, or one that is not whole: each with its own words."""
    rig.enable()
    rig.run(20 * MS, G1.home)
    rig.sending = False
    layout = Layout(HG.state).to_wire(rig.record.view(np.uint8))
    broken = bytearray(layout)
    broken[100] ^= 1
    for _ in range(60):
        rig.now_ns += TICK
        rig.command(G1.home)
        if how != 'silent':
            rig.core.on_state(layout if how == 'frozen' else bytes(broken), rig.now_ns)
            broken[101] ^= 1
        rig.core.tick(rig.now_ns)
    assert_damped(rig)
    said = {
        'silent': 'no rt/lowstate for 0.1 s',
        'frozen': 'no usable rt/lowstate for 0.1 s: it repeats itself',
        'damaged': 'wrong checksum',
    }[how]
    assert said in rig.core.state_text
    rig.command(G1.home, session='b')
    assert_damped(rig)
    rig.sending = True
    rig.run(20 * MS)
    assert_damped(rig)


def test_repeated_and_damaged_states_are_no_samples(rig):
    """The policy must not take them for new ones."""
    rig.run(10 * MS)
    data = Layout(HG.state).to_wire(rig.record.view(np.uint8))
    assert rig.core.on_state(data, rig.now_ns) is None
    assert rig.core.watch.repeated_states == 1
    assert rig.core.on_state(data[:-1], rig.now_ns) is None
    rig.record['motor_state']['q'][0, 4] = np.nan
    assert rig.send_state() is None
    assert rig.core.watch.bad_states == 2


def test_an_imu_without_orientation_is_withheld(rig):
    """All zeros is no orientation."""
    rig.record['imu_state']['quaternion'] = 0
    _, imu = rig.send_state()
    assert imu is None
    assert 'orientation (0.0, 0.0, 0.0, 0.0)' in rig.warnings[-1]


def rival(topic: str = 'rt/lowcmd') -> Publisher:
    return Publisher(topic, 'unitree_hg::msg::dds_::LowCmd_', 'c0ffee')


def test_another_publisher_prevents_enabling(rig):
    """Two controllers would fight."""
    rig.run(20 * MS)
    rig.core.on_publishers([rival()])
    with pytest.raises(BridgeError, match=r'1 other publisher of rt/lowcmd \(c0ffee\)'):
        rig.core.enable(rig.now_ns)
    assert rig.told() is None
    rig.core.on_publishers([rival('rt/lowstate')])
    rig.core.enable(rig.now_ns)
    assert rig.core.state == 'enabled'


def test_another_publisher_is_damping(rig):
    """And targets stay refused as long as it lives."""
    rig.enable()
    rig.run(20 * MS, G1.home)
    rig.core.on_publishers([rival()])
    assert_damped(rig)
    rig.command(G1.home, session='b')
    assert_damped(rig)
    assert rig.core.counts['rivals'] == 1


def hold(rig: Rig, *buttons: str) -> None:
    held = sum(1 << BUTTONS.index(name) for name in buttons)
    rig.record['wireless_remote'][0, 2:4] = (held & 0xFF, held >> 8)


def test_the_remotes_stop_is_obeyed_and_latched(rig):
    """L2 and B, as with the robot's own controller; only ~/enable ends it."""
    rig.enable()
    hold(rig, 'L2')
    rig.run(20 * MS, G1.home)
    assert rig.core.state == 'enabled'
    hold(rig, 'L2', 'B')
    rig.run(TICK)
    assert_damped(rig)
    rig.run(20 * MS, G1.home, session='b')
    assert_damped(rig)
    with pytest.raises(BridgeError, match='L2 and B are held'):
        rig.core.enable(rig.now_ns)
    hold(rig)
    rig.run(20 * MS, G1.home, session='b')
    assert_damped(rig)
    rig.core.enable(rig.now_ns)
    rig.command(G1.home, session='c')
    assert rig.core.state == 'enabled'


def test_a_motor_error_has_the_joints_name(rig):
    """And prevents enabling."""
    rig.record['motor_state']['motorstate'][0, 3] = 1
    rig.record['motor_state']['temperature'][0, 4] = (40, 110)
    rig.run(10 * MS)
    assert 'left_knee_joint reports motor error 0x1' in rig.warnings
    assert rig.core.watch.health.temperature[4] == 110
    with pytest.raises(BridgeError, match='left_knee_joint: motor error 0x1'):
        rig.core.enable(rig.now_ns)


def test_a_robot_with_fewer_joints_is_refused(rig):
    """mode_machine 4 is a G1 with 23 joints: the file of 29 would command motors it lacks."""
    rig.record['mode_machine'] = 4
    rig.run(10 * MS)
    with pytest.raises(BridgeError, match=r'mode_machine 4, which has no waist_roll.*g1_23'):
        rig.core.enable(rig.now_ns)
    other = Rig(load_robot('g1_23'))
    other.record['mode_machine'] = 4
    other.enable()
    assert other.core.state == 'enabled'
    assert other.told()['mode_machine'] == 4
    assert (other.told()['motor_cmd']['mode'][[13, 14, 20, 21, 27, 28]] == 0).all()


def test_another_family_is_told(rig):
    """A Go2 behind a G1's file publishes another type, which DDS does not deliver."""
    rig.core.on_publishers([Publisher('rt/lowstate', 'unitree_go::msg::dds_::LowState_', 'aa')])
    rig.sending = False
    rig.run(LOST_NS * 2)
    assert 'has the type unitree_go::msg::dds_::LowState_, expected unitree_hg' in (
        rig.core.state_text
    )


def test_a_bridge_that_was_not_run_says_so(rig):
    """The DDS process has damped the robot meanwhile."""
    rig.enable()
    rig.run(20 * MS, G1.home)
    rig.core.on_silence()
    assert_damped(rig)
    rig.command(G1.home + 0.3)
    assert_damped(rig)


def test_a_new_dds_process_damps(rig):
    """The robot may hold its last target, and the policy has gone on without it."""
    rig.enable()
    rig.run(20 * MS, G1.home)
    rig.core.on_link_lost('it has ended')
    assert 'the motors keep the last message' in rig.core.state_text
    rig.sent.clear()
    rig.core.on_link_back()
    assert rig.sent[0][:1] == frames.DAMP
    assert_damped(rig)
    rig.command(G1.home + 0.3)
    assert_damped(rig)


def test_a_pose_outside_the_limits_prevents_enabling(rig):
    """Holding it would move the joint, and shows a wrong offset."""
    rig.record['motor_state']['q'][0, 3] = -0.6
    rig.run(10 * MS)
    with pytest.raises(BridgeError, match=r'left_knee_joint at -0\.60 rad: further outside'):
        rig.core.enable(rig.now_ns)


def test_a_message_that_was_not_taken_is_sent_again(rig):
    """The DDS process was not run for a while: damping must not be lost with a full queue."""
    rig.enable()
    rig.run(20 * MS, G1.home)
    rig.takes = False
    rig.run(COMMAND_NS + 4 * TICK)
    assert rig.core.state == 'damping'
    assert (rig.motors('kp') > 0).all(), 'the last that was taken'
    rig.takes = True
    rig.run(TICK)
    assert_damped(rig)


def test_the_fallback_is_not_lost_either(rig):
    """Without it the DDS process would not know how to damp."""
    rig.run(20 * MS)
    rig.takes = False
    rig.core.enable(rig.now_ns)
    rig.takes = True
    rig.run(TICK)
    kinds = [frame[:1] for frame in rig.sent if frame[:1] != frames.BEAT]
    assert kinds == [frames.DAMP, frames.WRITE]
