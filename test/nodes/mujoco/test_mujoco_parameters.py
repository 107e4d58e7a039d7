"""The MuJoCo bridge's parameters become the robot that they describe; no graph is needed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import asdict

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from kinfer_ros.bridges.mujoco.disturbance import UNDISTURBED
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.scene import ON_THE_GROUND
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.mujoco.parameters import BridgeSettings
from kinfer_ros.nodes.mujoco.parameters import read_settings
from kinfer_ros.viewers.shot import DEFAULT_SHOT

Reader = Callable[..., BridgeSettings]


@pytest.fixture
def settings() -> Iterator[Reader]:
    """Read the settings of a node with these parameters."""
    context = Context()
    rclpy.init(args=[], context=context)
    nodes: list[Node] = []

    def read(**values: object) -> BridgeSettings:
        given = [Parameter(name, value=value) for name, value in values.items()]
        nodes.append(Node('bridge', context=context, parameter_overrides=given))
        return read_settings(nodes[-1])

    yield read
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_every_disturbance_is_a_parameter(settings: Reader) -> None:
    """By its own name; and without any of them nothing is disturbed."""
    assert settings().disturbance == UNDISTURBED
    bad = Disturbance(
        friction=0.5, payload=0.1, torque=0.8, gain_error=0.2, joint_zero_error=0.05,
        joint_position_noise=0.01, joint_velocity_noise=0.1, command_delay=(0.0, 0.02),
        command_drop=0.2, armature_error=0.1, damping_error=0.1, inertia_error=0.1, com_error=0.01,
        imu_alignment_error=0.02,
    )  # fmt: skip
    assert all(value != getattr(UNDISTURBED, name) for name, value in asdict(bad).items())
    given = asdict(bad) | {'command_delay': list(bad.command_delay)}
    assert settings(**given).disturbance == bad


@pytest.mark.parametrize('delay', [[0.03, 0.01], [-0.1, 0.0], [0.01], [0.0, float('nan')]])
def test_a_delay_that_cannot_be_is_refused(settings: Reader, delay: list[float]) -> None:
    """ROS has no ranges for lists."""
    with pytest.raises(ConfigError, match='command_delay: found'):
        settings(command_delay=delay)


def test_the_start_and_the_film_are_parameters(settings: Reader) -> None:
    """By the names of their fields; and without any, as ever."""
    plain = settings()
    assert plain.scene == ON_THE_GROUND
    assert plain.shot == DEFAULT_SHOT
    assert plain.robot.name == 'biped'
    found = settings(
        fixed_base=True, start_height=1.0, initial_orientation=[1, 0, 0, 0], gravity=False,
        slowdown=2.0, publish_clock=True, camera='track', video_size=[640, 480], video_fps=25.0,
        imu_mounting=[1.0, 0.0, 0.0, 0.0],
    )  # fmt: skip
    assert found.scene == Scene(True, 1.0, (1.0, 0.0, 0.0, 0.0), gravity=False)
    assert (found.shot.camera, found.shot.size, found.shot.video_fps) == ('track', (640, 480), 25)
    assert found.slowdown == 2.0
    assert found.robot.imu_mounting_is_asked


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        ({'slowdown': 2.0}, 'without publish_clock'),
        ({'slowdown': 2.0, 'lockstep': True}, 'expected 1 with lockstep'),
        ({'slowdown': float('nan'), 'publish_clock': True}, 'slowdown'),
        ({'slowdown': 0.5}, 'out of range'),
        ({'start_height': -1.0}, 'out of range'),
        ({'start_height': float('nan')}, 'start_height'),
        ({'video_fps': float('nan')}, 'video_fps'),
        ({'viewer_fps': 0.0}, 'out of range'),
        ({'video_size': [1, 2, 3]}, 'video_size: found'),
        ({'imu_mounting': [1.0, 1.0, 0.0, 0.0]}, 'imu_mounting: found'),
        ({'physics_rate': float('nan')}, 'physics_rate'),
    ],
)
def test_what_no_simulation_can_have(settings: Reader, values: dict, said: str) -> None:
    """Said with its name, before anything starts."""
    with pytest.raises(ConfigError, match=said):
        settings(**values)
