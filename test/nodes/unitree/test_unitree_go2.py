"""What a Go2 has more than a G1, over ROS: its battery; the remote control as `joy` and stop."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp
from helpers.optional import needs_cyclonedds
from helpers.peers.unitree_peer import robot_domain
from helpers.peers.unitree_robot import UnitreeRobot
from kinfer_ros.bridges.unitree.remote import BUTTONS
from kinfer_ros.robot.robot import load_robot

pytestmark = needs_cyclonedds

GO2 = load_robot('go2')
DOMAIN = robot_domain() + 25
"""Beside the G1 of the other tests."""
PARAMETERS = (
    'robot:=go2',
    'network_interface:=lo',
    'ramp_time:=0.2',
    'lost_timeout:=2.0',
    f'dds_domain:={DOMAIN}',
)


def remote(*held: str, sticks: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> list[int]:
    """The bytes of a remote control: buttons, and the sticks left x, y, right x, y."""
    keys = sum(1 << BUTTONS.index(name) for name in held)
    left_x, left_y, right_x, right_y = sticks
    floats = struct.pack('<5f', left_x, right_x, right_y, 0.0, left_y)
    return list((bytes(2) + keys.to_bytes(2, 'little') + floats).ljust(40, b'\0'))


@pytest.fixture(scope='module')
def peer():
    with UnitreeRobot(DOMAIN, 'go') as made:
        q = np.zeros(20)
        q[[joint.id for joint in GO2.joints]] = GO2.home
        made.ask(**{'motor.q': q.tolist()})
        yield made


@pytest.fixture(scope='module')
def running(peer):
    with running_bridge('go2', *PARAMETERS, node='unitree_bridge') as (client, _):
        yield client


@pytest.fixture
def robot(running, peer):
    """A robot that nobody holds a button of, disabled."""
    peer.ask(**{'state.wireless_remote': remote()})
    running.spin_until(lambda: {'joint_states', 'joy'} <= running.newest.keys())
    running.spin_until(lambda: not any(running.newest['joy'].buttons))
    enable(running, on=False)
    running.spin_until(lambda: running.state.startswith('disabled'))
    return running


def enable(client, on=True):
    return client.call(SetBool, 'unitree_bridge/enable', SetBool.Request(data=on))


def pressed(client, peer, *held: str) -> None:
    """Hold buttons until they are on `joy`, while the policy goes on."""
    peer.ask(**{'state.wireless_remote': remote(*held)})

    def seen() -> bool:
        client.send(GO2.home)
        return {BUTTONS[i] for i in np.flatnonzero(client.newest['joy'].buttons)} == set(held)

    client.spin_until(seen)


def test_the_battery_is_published(robot, peer):
    """Volts, amperes (discharging is negative), charge of 0 to 1; the rest is unknown."""
    peer.ask(**{'battery.soc': 73, 'battery.current': -2500, 'state.power_v': 29.5})

    def new() -> bool:
        message = robot.newest.get('battery_state')
        return message is not None and message.percentage == pytest.approx(0.73)

    robot.spin_until(new)
    battery = robot.newest['battery_state']
    assert battery.voltage == 29.5
    assert battery.current == -2.5
    assert battery.present
    assert np.isnan([battery.charge, battery.capacity, battery.temperature]).all()
    assert stamp(battery) > 0


def test_the_remote_is_published(robot, peer):
    """Each button at its place, each stick at its axis, with the stamp of its lowstate."""
    for name in ('R1', 'start', 'A', 'left'):
        pressed(robot, peer, name)
        assert len(robot.newest['joy'].buttons) == 16
    sticks = (0.25, -0.5, 0.75, -1.0)
    peer.ask(**{'state.wireless_remote': remote(sticks=sticks)})
    robot.spin_until(lambda: tuple(robot.newest['joy'].axes) == sticks)
    robot.spin_until(lambda: stamp(robot.newest['joint_states']) - stamp(robot.newest['joy']) >= 0)
    assert stamp(robot.newest['joint_states']) - stamp(robot.newest['joy']) < 1e9


def test_a_go2_is_commanded(robot, peer):
    """With the messages of its family, and checksums that it accepts."""
    answer = enable(robot)
    assert answer.success, answer.message
    robot.commanding(GO2.home + 0.02, 0.5)
    told = peer.ask()
    assert told['refused'] == 0
    places = [joint.id for joint in GO2.joints]
    np.testing.assert_allclose(np.array(told['q'])[places], GO2.home + 0.02, atol=1e-5)
    np.testing.assert_allclose(np.array(told['kp'])[places], GO2.kp, rtol=1e-6)


def test_the_stop_combination_is_obeyed_until_enable(robot, peer):
    """L2 and B together and nothing less; no session ends it, only a person."""
    assert enable(robot).success
    pressed(robot, peer, 'L2')
    pressed(robot, peer, 'B', 'R2')
    assert robot.state == 'enabled'
    pressed(robot, peer, 'L2', 'B')
    robot.spin_until(lambda: robot.state.startswith('damping stopped by the remote'))
    robot.spin_until(lambda: max(peer.ask()['kp']) == 0.0)
    assert min(np.array(peer.ask()['kd'])[[joint.id for joint in GO2.joints]]) > 0
    assert 'L2 and B are held' in enable(robot).message
    pressed(robot, peer)
    robot.commanding(GO2.home, 0.3, session='bbbbbbbb')
    assert robot.state.startswith('damping stopped by the remote')
    assert max(peer.ask()['kp']) == 0.0
    assert enable(robot).success
    robot.commanding(GO2.home, 0.2, session='cccccccc')
    assert max(peer.ask()['kp']) > 0.0
