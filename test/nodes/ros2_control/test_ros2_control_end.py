"""How the ros2_control bridge ends, and what the controller is told last: a bridge each test."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import environment
from helpers.bridge_client import interrupt_twice
from helpers.bridge_client import running_bridge
from helpers.peers.ros2_control_peer import REST
from helpers.peers.ros2_control_peer import Ros2ControlPeer
from helpers.processes import wait_until
from kinfer_ros.robot.robot import load_robot

pytestmark = pytest.mark.alone

BIPED = load_robot('biped')
NODE = 'ros2_control_bridge'
PARAMETERS = ('gains_set_outside:=true', 'ramp_time:=0.2', 'lost_timeout:=5.0')
TARGET = BIPED.home + 0.03


@pytest.fixture(scope='module')
def peer():
    with Ros2ControlPeer(environment(), 'ending') as made:
        yield made


def moving(client, peer) -> None:
    """Enable a bridge and command it for a moment."""
    client.spin_until(lambda: 'joint_states' in client.newest)
    peer.ask(**REST)
    request = SetBool.Request(data=True)
    client.spin_until(lambda: client.call(SetBool, f'{NODE}/enable', request).success)
    client.commanding(TARGET, 0.3, names=BIPED.joint_names)
    np.testing.assert_allclose(peer.ask()['command'], TARGET)


def test_interrupted_it_yields_and_ends(peer):
    """Ctrl-C, twice: the measured pose is what the controller keeps; exit code 0."""
    with running_bridge('ending', *PARAMETERS, node=NODE) as (client, process):
        moving(client, peer)
        interrupt_twice(client, process, 'disabled the bridge has ended')
    told = peer.ask()
    np.testing.assert_allclose(told['command'], told['position'], atol=1e-3)


def test_a_killed_bridge_leaves_the_last_target(peer):
    """What docs/ros2_control.md says first: a controller has no watchdog."""
    with running_bridge('ending', *PARAMETERS, node=NODE) as (client, process):
        moving(client, peer)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        count = peer.ask()['commands']
        time.sleep(1.0)
        told = peer.ask()
        assert told['commands'] == count
        np.testing.assert_allclose(told['command'], TARGET)


def test_a_stopped_bridge_damps_when_it_goes_on(peer):
    """SIGSTOP: the last target until then, as the docs say."""
    with running_bridge('ending', *PARAMETERS, node=NODE) as (client, process):
        moving(client, peer)
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(1.0)
            np.testing.assert_allclose(peer.ask()['command'], TARGET)
        finally:
            process.send_signal(signal.SIGCONT)
        client.spin_until(lambda: client.state == 'damping no command for 0.5 s')
        assert wait_until(
            lambda: np.allclose(peer.ask()['command'], peer.ask()['position'], atol=1e-3), 5.0
        )
