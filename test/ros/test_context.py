"""How ROS starts: without shared memory, unless somebody has chosen otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from std_msgs.msg import String

from helpers.client import LATCHED
from helpers.client import Client
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from kinfer_ros.ros.context import LOCALHOST_ONLY
from kinfer_ros.ros.context import PROFILES
from kinfer_ros.ros.context import RANGE
from kinfer_ros.ros.context import TRANSPORTS
from kinfer_ros.ros.context import avoid_shared_memory
from kinfer_ros.ros.context import profiles_name

FAST = 'rmw_fastrtps_cpp'


@pytest.mark.parametrize('found', [{}, {RANGE: 'SUBNET'}, {RANGE: 'SYSTEM_DEFAULT'}])
def test_a_network_is_reached_over_udp(found: dict[str, str]) -> None:
    """Who is discovered does not change, only how data goes."""
    environment = dict(found)
    avoid_shared_memory(environment, FAST)
    assert environment == found | {TRANSPORTS: 'UDPv4'}


@pytest.mark.parametrize('found', [{RANGE: 'LOCALHOST'}, {LOCALHOST_ONLY: '1'}])
def test_one_host_is_reached_over_udp(found: dict[str, str]) -> None:
    """rmw_fastrtps adds shared memory for LOCALHOST, so its part is taken over by a profile."""
    environment = dict(found)
    avoid_shared_memory(environment, FAST)
    assert environment[RANGE] == 'SYSTEM_DEFAULT'
    assert LOCALHOST_ONLY not in environment
    assert Path(environment[profiles_name()]).is_file()
    again = dict(environment)
    avoid_shared_memory(again, FAST)
    assert again == environment, 'a child process starts with this environment'


@pytest.mark.parametrize(
    'found',
    [
        {TRANSPORTS: 'DEFAULT'},
        {TRANSPORTS: 'SHM', RANGE: 'LOCALHOST'},
        {PROFILES[0]: 'mine.xml', RANGE: 'LOCALHOST'},
        {PROFILES[1]: 'mine.xml'},
        {RANGE: 'LOCALHOST', 'ROS_STATIC_PEERS': '10.0.0.2'},
    ],
)
def test_what_the_user_has_set_stays(found: dict[str, str]) -> None:
    """A robot's network is tuned by people who know it."""
    environment = dict(found)
    avoid_shared_memory(environment, FAST)
    assert environment == found


def test_other_middleware_is_left_alone() -> None:
    """With it, another range would open a robot to its network."""
    environment = {RANGE: 'LOCALHOST'}
    avoid_shared_memory(environment, 'rmw_cyclonedds_cpp')
    assert environment == {RANGE: 'LOCALHOST'}


def threads(pid: int) -> set[str]:
    """Names of the threads of a process."""
    return {path.read_text().strip() for path in Path(f'/proc/{pid}/task').glob('*/comm')}


def test_a_node_has_no_port_in_shared_memory_and_is_heard(tmp_path: Path) -> None:
    """By a process that has the middleware's own settings, as `ros2` commands have them."""
    environment = domain_environment()
    with (
        node('mujoco_bridge', tmp_path, environment, {'robot': 'biped'}) as bridge,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(RANGE, 'LOCALHOST')
        with Client(int(environment['ROS_DOMAIN_ID'])) as client:
            states = client.follow(String, 'bridge_state', LATCHED)
            assert client.spin_until(lambda: bool(states), 20.0), bridge.output
            assert any(name.startswith('dds.shm.') for name in threads(os.getpid()))
        assert wait_until(lambda: bool(threads(bridge.pid)), 1.0)
        found = threads(bridge.pid)
        assert any(name.startswith('dds.udp.') for name in found)
        assert not [name for name in found if name.startswith('dds.shm')]
