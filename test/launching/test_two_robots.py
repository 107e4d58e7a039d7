"""Two robots in one graph, as data: one clock, two namespaces, two folders of runs."""

from __future__ import annotations

import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching import graph
from kinfer_ros.launching.arguments import complete
from kinfer_ros.launching.two_robots import ARGUMENTS
from kinfer_ros.launching.two_robots import both


def test_one_clock_publisher():
    """Two of them would take time back and forth under every node."""
    found = both({})
    bridges = {side: specs[0] for side, specs in found.items()}
    assert {spec.executable for spec in bridges.values()} == {'mujoco_bridge'}
    assert bridges['left'].given['publish_clock'] is True
    assert bridges['left'].defaults['use_sim_time'] is False
    assert bridges['right'].given['publish_clock'] is False
    assert bridges['right'].defaults['use_sim_time'] is True
    others = [spec for specs in found.values() for spec in specs[1:]]
    assert len(others) == 4
    assert all(spec.defaults['use_sim_time'] is True for spec in others)


def test_each_has_its_own_runs():
    """`latest` of one must not point to the run of the other."""
    found = both({'runs_dir': '/data'})
    policies = {side: specs[1] for side, specs in found.items()}
    assert policies['left'].given['runs_dir'] == '/data/left'
    assert policies['right'].given['runs_dir'] == '/data/right'
    assert found['left'][2].given['exclude'] == ['/right/.*']
    assert found['right'][2].given['exclude'] == ['/left/.*']


def test_what_is_asked_for_reaches_both():
    """Arguments are shared; an unknown one is refused, as everywhere."""
    assert {argument.name for argument in ARGUMENTS} >= {'robot', 'model', 'duration', 'vx'}
    for specs in both({'duration': '5.0', 'vx': '0.2'}).values():
        assert specs[1].given['duration'] == 5.0
        assert specs[1].given['default_command'] == [0.2, 0.0, 0.0]
    with pytest.raises(ConfigError, match='did you mean duration'):
        both({'durration': '5.0'})


@pytest.mark.parametrize('more', [{}, {'lockstep': 'true', 'use_sim_time': 'true'}])
def test_a_clock_that_nobody_publishes_is_refused(more):
    """The robot would stand still for ever, and nothing would say why."""
    with pytest.raises(ConfigError, match='follows the /clock'):
        graph.nodes(complete({'publish_clock': 'false', **more}))


def test_viewers_can_tell_the_robots_apart():
    """Both are on one /tf."""
    specs = {side: specs[-1] for side, specs in both({'robot_state': 'true'}).items()}
    assert {side: spec.defaults['frame_prefix'] for side, spec in specs.items()} == {
        'left': 'left/',
        'right': 'right/',
    }
