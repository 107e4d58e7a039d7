"""What a Unitree robot obeys and sends, with a clock of the test and no DDS."""

from __future__ import annotations

import numpy as np
import pytest
from unitree_rig import COMMAND_NS
from unitree_rig import G1
from unitree_rig import GO2
from unitree_rig import MS
from unitree_rig import RAMP_NS
from unitree_rig import TICK
from unitree_rig import Rig
from unitree_rig import assert_damped

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.messages import GO
from kinfer_ros.bridges.unitree.messages import HG
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.options import family_of
from kinfer_ros.bridges.unitree.remote import BUTTONS
from kinfer_ros.bridges.unitree.remote import read_remote
from kinfer_ros.bridges.unitree.units import MotorUnits
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot


@pytest.fixture
def rig():
    return Rig()


def test_nothing_is_written_until_it_is_enabled(rig):
    """Commands of a policy do not move a robot that nobody enabled."""
    rig.run(100 * MS, G1.home + 0.1)
    assert rig.told() is None
    assert rig.core.state_text == 'disabled not enabled yet (call ~/enable)'


def test_enabling_holds_the_measured_pose(rig):
    """With mode_machine repeated, motors of no joint off, and the gains of the robot file."""
    rig.record['motor_state']['q'][0, 3] = 0.5
    rig.enable()
    told = rig.told()
    assert told['mode_machine'] == 5
    assert told['mode_pr'] == 0
    assert told['motor_cmd']['q'][3] == pytest.approx(0.5)
    np.testing.assert_allclose(rig.motors('kp'), G1.kp)
    assert (told['motor_cmd']['mode'][:29] == 1).all()
    assert (told['motor_cmd']['mode'][29:] == 0).all()
    assert rig.core.state == 'enabled'


def test_targets_are_limited_and_stand_at_their_places(rig):
    """By name, within the limits of the robot file."""
    rig.enable()
    rig.command(np.array([0.7, 9.0]), names=('right_elbow_joint', 'left_knee_joint'))
    told = rig.told()['motor_cmd']
    assert told['q'][25] == pytest.approx(0.7)
    assert told['q'][3] == pytest.approx(2.8798)
    assert rig.core.counts['clamped'] == 1


def test_gains_and_target_stand_in_one_message(rig):
    """So that they change in one tick; limits are those of the robot file."""
    rig.enable()
    nothing = np.empty(0)
    assert rig.core.set_gains(G1.joint_names, (G1.kp * 100, G1.kd * 0.5, nothing), 'a')
    np.testing.assert_allclose(rig.motors('kp'), G1.kp_max)
    np.testing.assert_allclose(rig.motors('kd'), G1.kd * 0.5)
    rig.command(G1.home + 0.05)
    np.testing.assert_allclose(rig.motors('q'), G1.home + 0.05, atol=1e-6)
    np.testing.assert_allclose(rig.motors('kp'), G1.kp_max)


def test_gains_of_a_disabled_robot_are_only_kept(rig):
    """Somebody else may control it."""
    rig.run(20 * MS)
    rig.core.set_gains(G1.joint_names, (G1.kp * 0.5, G1.kd, G1.torque_limit))
    assert rig.told() is None
    rig.enable()
    np.testing.assert_allclose(rig.motors('kp'), G1.kp * 0.5)


def test_silence_of_the_policy_is_damping(rig):
    """Within the command time-out, and its next target is not obeyed."""
    rig.enable()
    rig.run(100 * MS, G1.home)
    rig.run(COMMAND_NS + 2 * TICK)
    assert_damped(rig)
    assert rig.core.state_text == 'damping no command for 0.05 s'
    rig.command(G1.home + 0.3)
    assert_damped(rig)
    rig.command(G1.home, session='b')
    assert rig.core.state == 'enabled'


def test_damping_is_obeyed(rig):
    """A policy in a fault asks for it."""
    rig.enable()
    rig.command(G1.home)
    rig.command(None, mode='damp')
    assert (rig.motors('kp') == 0).all()
    rig.command(G1.home)
    assert (rig.motors('kp') > 0).all()


def test_the_dds_process_knows_how_to_damp(rig):
    """Before the first target, with the time-out in force."""
    rig.enable()
    timeout_ns, message = frames.read_damp(
        [frame for frame in rig.sent if frame[:1] == frames.DAMP][-1]
    )
    assert timeout_ns == COMMAND_NS
    record = np.zeros(1, HG.command)
    Layout(HG.command).to_struct(message[4:], record.view(np.uint8))
    motors = record['motor_cmd'][0]
    assert (motors['kp'] == 0).all()
    np.testing.assert_allclose(motors['kd'][:29], G1.kd)
    assert record['mode_machine'] == 5
    rig.core.set_command_timeout(20 * MS)
    assert frames.read_damp(rig.sent[-1])[0] == 20 * MS


def test_it_says_that_it_lives(rig):
    """At least every 20 ms, else the DDS process damps the robot."""
    rig.run(200 * MS)
    assert 9 <= rig.sent.count(frames.BEAT) <= 11


def test_a_sample_is_in_rad_and_in_the_robots_order(rig):
    """Quaternion as ROS has it, x y z w."""
    motors = rig.record['motor_state'][0]
    motors['q'][:29], motors['dq'][:29], motors['tau_est'][:29] = np.arange(3 * 29).reshape(3, 29)
    rig.record['imu_state']['quaternion'] = (0.5, 0.1, 0.7, 0.5)
    rig.record['imu_state']['gyroscope'] = (1, 2, 3)
    joints, imu = rig.send_state()
    np.testing.assert_allclose(joints.position, np.arange(29))
    np.testing.assert_allclose(joints.velocity, 29 + np.arange(29))
    np.testing.assert_allclose(joints.effort, 58 + np.arange(29))
    assert imu.quaternion == pytest.approx((0.1, 0.7, 0.5, 0.5))
    assert imu.gyro == (1, 2, 3)
    assert imu.accel[2] == pytest.approx(9.81)


def test_the_remote_is_read():
    """Buttons by bit, sticks as floats at their places."""
    data = bytearray(40)
    data[2], data[3] = 1 << 5, 1 << 1 | 1 << 7
    for at, value in ((4, 0.25), (8, -0.5), (12, 0.75), (20, 1.0)):
        data[at : at + 4] = np.float32(value).tobytes()
    remote = read_remote(bytes(data))
    assert [name for name, held in zip(BUTTONS, remote.buttons, strict=True) if held] == [
        'L2', 'B', 'left',
    ]  # fmt: skip
    assert remote.axes == (0.25, 1.0, -0.5, 0.75)
    assert remote.stops


def test_switching_off_ramps_down_first(rig):
    """The stiffness falls, then the motors go off, then nothing is written."""
    rig.enable()
    rig.run(20 * MS, G1.home + 0.02)
    rig.core.disable('by request', rig.now_ns)
    assert rig.core.state_text == 'damping ramping down: by request'
    rig.run(RAMP_NS // 2)
    np.testing.assert_allclose(rig.motors('kp'), G1.kp / 2, rtol=0.05)
    rig.command(G1.home + 0.5)
    np.testing.assert_allclose(rig.motors('q'), G1.home + 0.02, atol=1e-6)
    rig.run(RAMP_NS // 2)
    assert (rig.motors('mode') == 0).all()
    assert (rig.motors('kp') == 0).all()
    rig.run(150 * MS)
    assert rig.told() is None
    assert rig.core.state_text == 'disabled by request'


def test_a_damped_robot_stays_damped_while_it_is_switched_off(rig):
    """A ramp must not begin with the stiffness that it does not have."""
    rig.enable()
    rig.command(None, mode='damp')
    rig.core.disable('by request', rig.now_ns)
    rig.run(RAMP_NS // 2)
    assert (rig.motors('kp') == 0).all()
    assert (rig.motors('kd') > 0).all()


def test_a_go2_is_commanded_in_its_own_message():
    """Head, level flag, twelve motors; its battery and temperatures are read."""
    rig = Rig(GO2, GO)
    rig.record['motor_state']['temperature'] = 33
    rig.record['bms_state']['soc'], rig.record['bms_state']['current'] = 87, -1500
    rig.record['power_v'] = 29.5
    rig.enable()
    rig.command(GO2.home + 0.1)
    told = rig.told()
    assert told['head'].tolist() == [0xFE, 0xEF]
    assert told['level_flag'] == 0xFF
    assert (told['motor_cmd']['mode'] == [1] * 12 + [0] * 8).all()
    np.testing.assert_allclose(rig.motors('q'), GO2.home + 0.1, atol=1e-6)
    health = rig.core.watch.health
    assert health.battery == pytest.approx((29.5, -1.5, 0.87))
    assert health.temperature.tolist() == [33.0] * 12
    assert health.voltage is None


def test_offset_and_sign_are_the_bridges(tmp_path):
    """Hardware = sign * joint + offset, for targets and samples alike."""
    text = GO2.path.read_text().replace('{id: 0,', '{id: 0, sign: -1, offset: 0.2,')
    path = tmp_path / 'turned.yaml'
    path.write_text(text)
    rig = Rig(load_robot(path), GO)
    rig.record['motor_state']['q'][0, 0] = 0.5
    rig.record['motor_state']['dq'][0, 0] = 2.0
    joints, _ = rig.send_state()
    assert joints.position[0] == pytest.approx(-0.3)
    assert joints.velocity[0] == -2.0
    rig.enable()
    assert rig.told()['motor_cmd']['q'][0] == pytest.approx(0.5)


def test_a_robot_file_without_places_is_refused():
    """One line, with what an id is."""
    with pytest.raises(ConfigError, match=r"left_hip_yaw \(none\).*place of the joint's motor"):
        MotorUnits(load_robot('biped'), HG)
    with pytest.raises(ConfigError, match=r'right_wrist_yaw_joint .28.,.* 0 to 19'):
        MotorUnits(G1, GO)


def test_the_family_is_known_or_given():
    """Auto is for the robots of config/robots; others are said to be of one."""
    assert family_of('auto', 'g1') is family_of('auto', 'g1_23') is HG
    assert family_of('auto', 'go2') is GO
    assert family_of('hg', 'my_h1_2') is HG
    for name, robot in (('auto', 'biped'), ('h2', 'g1')):
        with pytest.raises(ConfigError, match='expected hg or go'):
            family_of(name, robot)
