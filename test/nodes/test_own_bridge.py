"""The bridge of docs/bridges.md, which others copy: it obeys, damps, and stays small."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import ROOT
from helpers.bridge_client import Client
from helpers.bridge_client import end
from helpers.bridge_client import environment
from kinfer_ros.robot.robot import load_robot

EXAMPLE = ROOT / 'examples' / 'own_bridge.py'
BIPED = load_robot('biped')


@pytest.fixture
def running():
    client = Client('own')
    words = [str(EXAMPLE), '--ros-args', '-r', '__ns:=/own']
    process = subprocess.Popen(
        [sys.executable, *words], env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        client.listen()
        client.spin_until(lambda: 'joint_states' in client.newest and client.state)
        yield client, process
    finally:
        client.close()
        process.kill()
        process.communicate()


def test_it_is_at_most_150_lines():
    """A new robot side is a transport, a unit table and options."""
    assert len(EXAMPLE.read_text().splitlines()) <= 150


def test_it_has_the_face_of_a_bridge(running):
    """Enable, command, gains with their echo, silence, Ctrl-C."""
    client, process = running
    joints = client.newest['joint_states']
    assert tuple(joints.name) == BIPED.joint_names
    client.commanding(BIPED.home + 0.05, 0.2)
    np.testing.assert_allclose(client.newest['joint_states'].position, BIPED.home)
    request = SetBool.Request(data=True)
    assert client.call(SetBool, 'own_bridge/enable', request).message == 'enabled'

    def arrived() -> bool:
        client.commanding(BIPED.home + 0.05, 0.05)
        return np.allclose(client.newest['joint_states'].position, BIPED.home + 0.05, atol=1e-3)

    client.spin_until(arrived)
    client.spin_until(lambda: client.state == 'damping no command for 0.5 s')
    client.send_gains(BIPED.joint_names, BIPED.kp * 100, BIPED.kd, BIPED.torque_limit)
    echoed = 'joint_gains_in_force'
    client.spin_until(lambda: client.newest[echoed].position[0] == BIPED.kp_max[0])
    code, text = end(process)
    assert code == 0, text
