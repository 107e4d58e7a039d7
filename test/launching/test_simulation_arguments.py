"""The arguments of the simulated robot: who gets them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes
from kinfer_ros.launching.simulation import robot_of


def specs(*words):
    return {spec.executable: spec for spec in nodes(parse(list(words)))}


def test_none_given_leaves_it_to_the_params_file():
    """An argument at its default is no parameter: a file of the user has to win over it."""
    given = specs()['mujoco_bridge'].given
    assert set(given) == {'robot', 'lockstep', 'publish_clock', 'seed', 'viewer', 'video'}
    assert 'imu_mounting' not in specs()['policy_node'].given


def test_each_reaches_the_bridge():
    """As the type that the parameter has."""
    given = specs(
        'mjcf:=x.xml', 'imu_site:=torso', 'fixed_base:=true', 'start_height:=1.1',
        'gravity:=false', 'initial_orientation:=[0, 0, 0, 1]', 'physics_rate:=1000',
        'camera:=side', 'video_size:=[640, 480]', 'video_fps:=60', 'viewer_fps:=25',
    )['mujoco_bridge'].given  # fmt: skip
    expected = {
        'mjcf': 'x.xml', 'imu_site': 'torso', 'fixed_base': True, 'start_height': 1.1,
        'gravity': False, 'initial_orientation': [0.0, 0.0, 0.0, 1.0], 'physics_rate': 1000.0,
        'camera': 'side', 'video_size': [640, 480], 'video_fps': 60.0, 'viewer_fps': 25.0,
    }  # fmt: skip
    assert {name: given[name] for name in expected} == expected
    assert [type(each) for each in given['video_size']] == [int, int]


def test_the_mounting_reaches_bridge_and_policy():
    """If only one of them took it, the robot would fall."""
    found = specs('imu_mounting:=raw', 'robot_state:=true', 'mjcf:=x.xml')
    for name in ('mujoco_bridge', 'policy_node', 'robot_state'):
        assert found[name].given['imu_mounting'] == [1.0, 0.0, 0.0, 0.0]
    assert found['robot_state'].given['mjcf'] == 'x.xml'
    on_kos = specs('bridge:=kos', 'robot:=kbot', 'imu_mounting:=[0.6, 0, 0, 0.8]')
    assert on_kos['policy_node'].given['imu_mounting'] == [0.6, 0.0, 0.0, 0.8]


def test_the_mounting_of_the_model(tmp_path):
    """It is read once, before the nodes, which get numbers; `check` takes the same robot."""
    sites = '<site name="imu" quat="0.6 0 0 0.8"/>'
    path = str(write_robot(tmp_path, MJCF.replace('<site name="imu"/>', sites)))
    found = specs(f'robot:={path}', 'imu_mounting:=mjcf')['policy_node'].given['imu_mounting']
    np.testing.assert_allclose(found, [0.6, 0.0, 0.0, 0.8], atol=1e-9)
    robot = robot_of({'robot': path, 'mjcf': '', 'imu_site': '', 'imu_mounting': 'mjcf'})
    np.testing.assert_allclose(robot.imu_mounting, found)


def test_slow_motion_needs_simulated_time():
    """The policy has to be as slow as its robot."""
    found = specs('slowdown:=4')
    assert found['mujoco_bridge'].given['slowdown'] == 4.0
    assert found['mujoco_bridge'].given['publish_clock'] is True
    assert found['policy_node'].defaults['use_sim_time'] is True


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['start_height:=nan'], "start_height: found 'nan', expected a number"),
        (['start_height:=high'], 'expected a number'),
        (['initial_orientation:=[0, 0, 0, 0]'], r'expected a unit quaternion \[w, x, y, z\]'),
        (['initial_orientation:=1'], 'expected a unit quaternion'),
        (['imu_mounting:=mjfc'], r'expected mjcf, raw, or a unit quaternion'),
        (['imu_mounting:=[2, 0, 0, 0]'], r'expected mjcf, raw, or a unit quaternion'),
        (['video_size:=640'], 'expected 2 numbers'),
        (['video_size:=[640.5, 480]'], 'expected whole pixels'),
        (['fixed_base:=yes'], 'expected true or false'),
        (['slowdown:=2', 'lockstep:=true'], 'follows no clock'),
        (['slowdown:=2', 'use_sim_time:=true', 'publish_clock:=false'], 'neither lockstep nor'),
        (['bridge:=kos', 'robot:=kbot', 'fixed_base:=true'], 'fixed_base: found with bridge:=kos'),
        (['bridge:=none', 'slowdown:=2'], 'slowdown: found with bridge:=none'),
        (['robot:=kbot', 'imu_mounting:=mjcf'], 'has no MuJoCo model'),
        (['mjcf:=/absent.xml', 'imu_mounting:=mjcf'], 'no such file'),
    ],
)
def test_what_cannot_be_is_refused(words, said):
    """Before a node is made, and in words."""
    with pytest.raises(KinferRosError, match=said):
        specs(*words)


@pytest.mark.parametrize(
    ('words', 'lockstep'),
    [
        (['video:=walk.mp4'], True),
        ([], False),
        (['video:=walk.mp4', 'lockstep:=false'], False),
        (['video:=walk.mp4', 'viewer:=true'], False),
        (['video:=walk.mp4', 'slowdown:=2'], False),
        (['video:=walk.mp4', 'use_sim_time:=true'], False),
        (['lockstep:=true'], True),
    ],
)
def test_a_film_is_made_in_lockstep(words, lockstep):
    """With every frame, on any machine; unless something else needs a clock, or a user said so."""
    bridge, policy, *_ = nodes(parse(words))
    assert bridge.given['lockstep'] is policy.given['lockstep'] is lockstep
    assert bool(policy.defaults.get('use_sim_time')) is (
        lockstep or bool({'slowdown:=2', 'use_sim_time:=true'} & set(words))
    )
