"""A policy node and its bridge on one executor: refused in words, where they waited for ever."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import Executor
from rclpy.executors import MultiThreadedExecutor
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from sensor_msgs.msg import JointState

from helpers.processes import domain
from helpers.walking import MODEL
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.mujoco.node import MujocoBridge
from kinfer_ros.nodes.policy.node import PolicyNode
from kinfer_ros.nodes.policy.shared_executor import refuse_shared_executor


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    rclpy.init(args=[], context=made, domain_id=domain())
    yield made
    made.try_shutdown()


def nodes_of(executors: list[Executor], names: tuple[str, str], context: Context) -> list[Node]:
    """Make two nodes; the second publishes joint_states."""
    made = [Node(name, context=context, use_global_arguments=False) for name in names]
    made[1].create_publisher(JointState, 'joint_states', 1)
    for executor, node in zip(executors, made, strict=True):
        executor.add_node(node)
    return made


@pytest.mark.parametrize('kind', [SingleThreadedExecutor, MultiThreadedExecutor])
def test_one_thread_for_both_is_refused(context: Context, kind: type[Executor]) -> None:
    """On one thread the driver cannot publish while the policy node waits for samples."""
    executor = kind(context=context)
    mine, _ = nodes_of([executor, executor], ('mine', 'driver'), context)
    if kind is MultiThreadedExecutor:
        refuse_shared_executor(mine)
    else:
        with pytest.raises(ConfigError, match=r'/mine and /driver share one executor.*composing'):
            refuse_shared_executor(mine)


def test_an_executor_each_is_not_refused(context: Context) -> None:
    """They may share a process: `walk` does it so."""
    executors: list[Executor] = [SingleThreadedExecutor(context=context) for _ in range(2)]
    mine, _ = nodes_of(executors, ('mine', 'driver'), context)
    refuse_shared_executor(mine)


def test_the_real_nodes_on_one_executor_are_refused_at_configure(context: Context) -> None:
    """Each node by itself is as it ships; configure answers at once."""
    words = ['--ros-args', '-p', 'robot:=biped', '-p', f'model:={MODEL}']
    made = [
        kind(context=context, cli_args=words, use_global_arguments=False)
        for kind in (MujocoBridge, PolicyNode)
    ]
    executor = SingleThreadedExecutor(context=context)
    for node in made:
        executor.add_node(node)
    policy = made[1]
    assert isinstance(policy, PolicyNode)
    assert policy.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert '/policy_node and /mujoco_bridge share one executor' in str(policy.failure)
    for node in reversed(made):
        node.destroy_node()
