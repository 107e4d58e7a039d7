"""The nodes of launching/graph.py as actions of ROS 2's launch."""

from collections.abc import Iterable
from typing import Any

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.actions import EmitEvent
from launch.actions import RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from kinfer_ros.launching.arguments import Argument
from kinfer_ros.launching.graph import NodeSpec


def declare(arguments: Iterable[Argument]) -> list[Any]:
    """:return: an action for each argument, with default, description and choices."""
    return [
        DeclareLaunchArgument(
            a.name,
            default_value=a.default,
            description=a.description,
            **({'choices': list(a.choices)} if a.choices else {}),
        )
        for a in arguments
    ]


def given(context: LaunchContext, arguments: Iterable[Argument]) -> dict[str, str]:
    """:return: the values of the arguments in this launch."""
    return {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments}


def node_actions(specs: Iterable[NodeSpec], namespace: str, params_file: str) -> list[Any]:
    """:return: an action for each node; later parameters win, as in `graph.ros_arguments`."""
    files = [params_file] if params_file else []
    return [
        Node(
            package='kinfer_ros',
            executable=spec.executable,
            name=spec.executable,
            namespace=namespace,
            parameters=[spec.defaults, *files, spec.given],
            output='screen',
            emulate_tty=True,
        )
        for spec in specs
    ]


def end_with_policies(actions: Iterable[Any]) -> list[Any]:
    """:return: handlers that end the launch when the last policy node has, after `duration`."""
    policies = [action for action in actions if action.node_executable == 'policy_node']
    running = set(policies)

    def on_exit(event: Any, context: LaunchContext) -> list[Any]:
        running.discard(event.action)
        if running:
            return []
        return [EmitEvent(event=Shutdown(reason='the policy node has ended'))]

    return [
        RegisterEventHandler(OnProcessExit(target_action=policy, on_exit=on_exit))
        for policy in policies
    ]
