"""Velocity targets in simulation: torque = kp (q* - q) + kd (v* - v), whatever drives it."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies.cart import KD
from helpers.policies.cart import WHEELS
from helpers.policies.cart import mjcf
from helpers.policies.cart import write_cart
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.mujoco.bridge import MujocoBridgeCore
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import load_robot

KINDS = ('motor', 'velocity', 'position')
SPEEDS = np.array([0.0, 3.0, -2.0, 1.0, 0.5])
MS = 1_000_000


def cart(folder, kind='motor', **more) -> MujocoRobot:
    """A cart that hangs, held by its base: its wheels turn freely."""
    return MujocoRobot(load_robot(write_cart(folder, kind).robot), **more)


def state(robot) -> np.ndarray:
    rows = np.zeros((3, 5))
    robot.joint_state(*rows)
    return rows


@pytest.mark.parametrize('kind', KINDS)
def test_the_torque_of_a_wheel(tmp_path, kind):
    """At rest kd times the target, then less with the speed; the mast is not touched by it."""
    robot = cart(tmp_path, kind)
    robot.set_target(np.zeros(5), SPEEDS)
    robot._refresh()
    np.testing.assert_allclose(state(robot)[2], KD * SPEEDS, atol=1e-9)
    for _ in range(5):
        robot.step()
        _, speed, torque = state(robot)
        np.testing.assert_allclose(torque[1:], KD * (SPEEDS - speed)[1:], atol=1e-9)
    robot.step(2000)
    np.testing.assert_allclose(state(robot)[1], SPEEDS, atol=1e-3)


@pytest.mark.parametrize('kind', KINDS)
def test_the_torque_limit_holds(tmp_path, kind):
    """8 Nm of the robot file, for a target that asks for 15."""
    robot = cart(tmp_path, kind)
    robot.set_target(np.zeros(5), [0.0, 15.0, 0.0, 0.0, 0.0])
    robot._refresh()
    assert state(robot)[2][1] == pytest.approx(8.0)


@pytest.mark.parametrize('kind', KINDS)
def test_damping_and_a_position_alone_end_it(tmp_path, kind):
    """Neither leaves a wheel turning."""
    robot = cart(tmp_path, kind)
    for end in (robot.damp, lambda: robot.set_target(np.zeros(5)), robot.reset):
        robot.set_target(np.zeros(5), SPEEDS)
        robot.step(500)
        assert abs(state(robot)[1][1]) > 2.5
        end()
        robot._refresh()
        np.testing.assert_allclose(state(robot)[2][1:], -KD * state(robot)[1][1:], atol=1e-9)
        robot.step(1000)
        np.testing.assert_allclose(state(robot)[1], 0.0, atol=1e-3)


@pytest.mark.parametrize('kind', KINDS)
def test_changed_gains_change_the_torque(tmp_path, kind):
    """A servo has kd times the target written into it."""
    robot = cart(tmp_path, kind)
    robot.set_target(np.zeros(5), SPEEDS)
    robot.set_gains([20.0, 0, 0, 0, 0], [1.0, 0.5, 0.5, 0.5, 0.5], [8.0] * 5)
    robot._refresh()
    np.testing.assert_allclose(state(robot)[2][1:], 0.5 * SPEEDS[1:], atol=1e-9)


def test_velocities_of_zero_change_no_bit(tmp_path):
    """A position command is the same with and without them."""
    bits = []
    for speeds in (None, np.zeros(5)):
        robot = cart(tmp_path)
        for k in range(50):
            robot.set_target([0.3 * np.sin(k), 0, 0, 0, 0], speeds)
            robot.step(10)
        bits.append(state(robot).tobytes())
    assert bits[0] == bits[1]


def test_they_are_delayed_as_positions_are(tmp_path):
    """One command, one delay; of 10 ms, five steps."""
    robot = cart(tmp_path, disturbance=Disturbance(command_delay=(0.01, 0.01)))
    robot.set_target(np.zeros(5), SPEEDS)
    robot.step(5)
    assert state(robot)[1][1] == 0.0
    robot.step(2)
    assert state(robot)[1][1] > 0.0


@pytest.mark.parametrize('wrong', [[1.0], [0.0, np.nan, 0.0, 0.0, 0.0]])
def test_wrong_velocities_change_nothing(tmp_path, wrong):
    """Neither half of the command is obeyed."""
    robot = cart(tmp_path)
    with pytest.raises(BridgeError, match='target velocity'):
        robot.set_target(np.ones(5), wrong)
    np.testing.assert_array_equal(robot.target(), 0.0)
    assert robot.target_velocity() is None


def test_a_stiffness_of_a_velocity_servo_is_refused(tmp_path):
    """It would make a position servo of it, which nobody meant: nothing is changed."""
    robot = MujocoRobot(load_robot(write_cart(tmp_path, 'velocity', {'kp_max': 9.0}).robot))
    with pytest.raises(BridgeError, match=r'front_left \(kp 5\).*expected kp 0: .*drives'):
        robot.set_gains([20.0, 5.0, 0, 0, 0], [1.0] * 5, [8.0] * 5)
    assert robot.gains()[0].tolist() == [20.0, 0, 0, 0, 0]
    stiff = load_robot(write_cart(tmp_path, 'velocity', {'kp': 5.0, 'kp_max': 9.0}).robot)
    with pytest.raises(BridgeError, match=r'rear_right \(kp 5\)'):
        MujocoRobot(stiff)


def test_other_actuators_are_refused_as_before(tmp_path):
    """A damper is no servo of velocities."""
    path = write_cart(tmp_path).robot
    damper = '<damper joint="front_left" kv="1" ctrlrange="0 1"/>'
    (tmp_path / 'cart.xml').write_text(mjcf().replace('<motor joint="front_left"/>', damper))
    with pytest.raises(RobotError, match='nor a <velocity> servo'):
        MujocoRobot(load_robot(path))


class Bridge:
    """A bridge in real time, and its clock."""

    def __init__(self, folder):
        robot = cart(folder)
        self.now, self.said = 7_000 * MS, []
        timing = Timing(20 * MS, 2 * MS, 250 * MS, lockstep=False)
        self.core = MujocoBridgeCore(robot, timing, self.now, self.said.append)

    def send(self, position, velocity=None, names=('mast', *WHEELS), mode='run'):
        targets, speeds = (None if v is None else np.array(v, float) for v in (position, velocity))
        command = Command('a', mode, 0, names, targets, velocity=speeds)
        self.core.command(command, self.now)


def test_a_bridge_takes_velocities_by_name(tmp_path):
    """Those of other joints stay; a named joint without one stops; damping ends all."""
    bridge = Bridge(tmp_path)
    robot = bridge.core.robot
    bridge.send([0.1, 0, 0, 0, 0], SPEEDS)
    np.testing.assert_array_equal(robot.target_velocity(), SPEEDS)
    np.testing.assert_array_equal(robot.target(), [0.1, 0, 0, 0, 0])
    bridge.send([0.0, 0.0], [7.0, 8.0], names=('rear_right', 'front_left'))
    np.testing.assert_array_equal(robot.target_velocity(), [0.0, 8.0, -2.0, 1.0, 7.0])
    bridge.send([0.0], names=('front_left',))
    np.testing.assert_array_equal(robot.target_velocity(), [0.0, 0.0, -2.0, 1.0, 7.0])
    bridge.send(None)
    assert robot.damped
    bridge.send([0.0], [1.0], names=('rear_right',))
    np.testing.assert_array_equal(robot.target_velocity(), [0, 0, 0, 0, 1.0])
    assert not bridge.said


@pytest.mark.parametrize(
    ('velocity', 'said'),
    [([1.0], '1 values of target velocity, expected 5'), ([0, np.nan, 0, 0, 0], 'front_left')],
)
def test_a_bridge_refuses_the_whole_command(tmp_path, velocity, said):
    """As it does with positions."""
    bridge = Bridge(tmp_path)
    bridge.send([0.1, 0, 0, 0, 0], velocity)
    assert said in bridge.said[0]
    np.testing.assert_array_equal(bridge.core.robot.target(), 0.0)


def test_silence_stops_the_wheels(tmp_path):
    """The time-out of every bridge: no target velocity outlives its sender."""
    bridge = Bridge(tmp_path)
    bridge.send([0.0] * 5, SPEEDS)
    for _ in range(400):
        bridge.now += 2 * MS
        bridge.core.tick(bridge.now)
    assert bridge.core.robot.damped
    np.testing.assert_allclose(state(bridge.core.robot)[1], 0.0, atol=0.05)
