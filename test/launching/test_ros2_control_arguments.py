"""`bridge:=ros2_control`: what the launch file and `walk` make of its arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes
from kinfer_ros.robot.robot import load_robot

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'


def specs(*words):
    return {spec.executable: spec for spec in nodes(parse(['bridge:=ros2_control', *words]))}


def test_the_bridge_gets_its_arguments():
    """From the command line; else from a params_file."""
    found = specs('robot:=g1', 'controller:=legs', 'gains_set_outside:=true')
    assert list(found) == ['ros2_control_bridge', 'policy_node', 'recorder']
    assert found['ros2_control_bridge'].given == {
        'robot': 'g1', 'controller': 'legs', 'gains_set_outside': True,
    }  # fmt: skip
    assert specs()['ros2_control_bridge'].given == {'robot': 'biped'}


def test_nothing_moves_by_itself():
    """A robot with motors is not configured or run without being asked."""
    policy = specs()['policy_node']
    assert policy.defaults['autostart'] is False
    assert policy.defaults['auto_run'] is False


def test_a_simulator_may_have_the_clock():
    """Gazebo's, for one: every node follows it, none publishes it."""
    found = specs('use_sim_time:=true')
    assert all(spec.defaults['use_sim_time'] is True for spec in found.values())


@pytest.mark.parametrize(
    ('word', 'said'),
    [
        ('lockstep:=true', 'a real robot does not wait'),
        ('auto_enable:=true', 'with bridge:=ros2_control a robot is enabled by ~/enable alone'),
    ],
)
def test_what_cannot_be_is_refused(word, said):
    """Before a node is made."""
    with pytest.raises(ConfigError, match=said):
        specs(word)


def test_the_example_has_the_bipeds_controllers():
    """Its joints, in any order, and positions; the launch file loads what it names."""
    found = yaml.safe_load((EXAMPLES / 'ros2_control.yaml').read_text())
    biped = load_robot('biped')
    controller = found['forward_position_controller']['ros__parameters']
    assert sorted(controller['joints']) == sorted(biped.joint_names)
    assert controller['interface_name'] == 'position'
    assert found['imu_sensor_broadcaster']['ros__parameters']['frame_id'] == biped.imu_frame
    types = found['controller_manager']['ros__parameters']
    launch = (EXAMPLES / 'ros2_control.launch.py').read_text()
    for name in set(types) - {'update_rate'}:
        assert f"'{name}'" in launch
