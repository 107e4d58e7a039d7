"""How the Unitree bridge ends, and what the robot is told last: a bridge for each test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import Client
from helpers.bridge_client import interrupt_twice
from helpers.bridge_client import running_bridge
from helpers.optional import needs_cyclonedds
from helpers.peers.unitree_peer import robot_domain
from helpers.peers.unitree_robot import REST
from helpers.peers.unitree_robot import UnitreeRobot
from helpers.processes import wait_until
from kinfer_ros.robot.robot import load_robot

pytestmark = [needs_cyclonedds, pytest.mark.alone]

G1 = load_robot('g1')


@pytest.fixture(scope='module')
def peer() -> Iterator[UnitreeRobot]:
    with UnitreeRobot(robot_domain()) as made:
        yield made


@contextmanager
def enabled_bridge(
    peer: UnitreeRobot, name: str
) -> Iterator[tuple[Client, subprocess.Popen[str]]]:
    """Run a bridge, enable it and command it for a moment."""
    peer.ask(**REST)
    words = (
        'network_interface:=lo',
        'ramp_time:=0.2',
        'lost_timeout:=5.0',
        f'dds_domain:={robot_domain()}',
    )
    with running_bridge(name, *words, node='unitree_bridge') as (client, process):
        client.spin_until(lambda: client.state.startswith('disabled not enabled yet'))
        request = SetBool.Request(data=True)
        # The process of an earlier bridge, which was killed, damps for some seconds.
        client.spin_until(lambda: client.call(SetBool, 'unitree_bridge/enable', request).success)
        client.commanding(G1.home, 0.2)
        yield client, process


def test_interrupted_it_switches_off(peer):
    """Ctrl-C, twice: the motors are off, the DDS process is gone; exit code 0."""
    with enabled_bridge(peer, 'unitreeend') as (client, process):
        interrupt_twice(client, process, 'disabled the bridge has ended')
    assert peer.ask()['mode'] == [0] * 35


def dds_process_of(process: subprocess.Popen[str]) -> int:
    """The process id of a bridge's DDS process."""
    tasks = Path(f'/proc/{process.pid}/task/{process.pid}/children')
    return int(tasks.read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_bridge_leaves_a_damped_robot(peer):
    """The process that writes outlives the bridge by some seconds, to damp."""
    with enabled_bridge(peer, 'unitreekill') as (_, process):
        assert min(peer.ask()['kp'][:29]) > 0
        writer = dds_process_of(process)
        process.send_signal(signal.SIGKILL)
        assert wait_until(lambda: max(peer.ask()['kp']) == 0.0, 0.5 + 5.0)
        told = peer.ask()
        assert min(told['kd'][:29]) > 0
        assert told['mode'][:29] == [1] * 29
        assert wait_until(lambda: not is_alive(writer), 20.0)


def test_a_stopped_bridge_leaves_a_damped_robot(peer):
    """SIGSTOP, a debugger, swap: the bridge goes on damped, and says why."""
    with enabled_bridge(peer, 'unitreestop') as (client, process):
        process.send_signal(signal.SIGSTOP)
        try:
            assert wait_until(lambda: max(peer.ask()['kp']) == 0.0, 0.5 + 5.0)
        finally:
            process.send_signal(signal.SIGCONT)
        client.spin_until(lambda: client.state.startswith('damping'))
        assert max(peer.ask()['kp']) == 0.0


def test_a_killed_writer_is_replaced_and_damps(peer):
    """Until then the last message stays in force, which the state says."""
    with enabled_bridge(peer, 'unitreenew') as (client, process):
        os.kill(dds_process_of(process), signal.SIGKILL)
        client.spin_until(lambda: client.state.endswith('was gone and runs again'))
        client.spin_until(lambda: max(peer.ask()['kp']) == 0.0)
