"""The nodes of launching/graph.py as actions of ROS 2's launch."""

import os
import sys
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

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.argument import Argument
from kinfer_ros.launching.arguments import describe_unknown
from kinfer_ros.launching.graph import NodeSpec
from kinfer_ros.launching.parent import LAUNCH_PID

EXIT_CODES = {
    1: 'the robot fell, or the policy node faulted: see its log and the verdict of the run',
    2: 'the policy node could not start: see its error',
}
"""Texts for the exit codes of a policy node."""


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


def is_launched(file: str) -> bool:
    """Whether a launch file is the one that was launched, and not included by another."""
    return any(word.endswith(file) for word in sys.argv)


def given(context: LaunchContext, arguments: Iterable[Argument], file: str) -> dict[str, str]:
    """
    Return the values of the arguments in this launch.

    `use_sim_time` is true as well where a larger launch file has set it for all its nodes.

    :param file: name of the launch file. Where it is the one that was launched, and not included,
        unknown arguments are refused.
    :raises ConfigError: an unknown argument.
    """
    names = {a.name for a in arguments}
    if is_launched(file):
        for word in context.argv:
            name = word.partition(':=')[0]
            if name not in names:
                raise ConfigError(describe_unknown(name, names))
    found = {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments}
    everywhere = dict(context.launch_configurations.get('global_params', []))
    if 'use_sim_time' in found and everywhere.get('use_sim_time') is True:
        found['use_sim_time'] = 'true'
    return found


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
            additional_env={LAUNCH_PID: str(os.getpid())},
        )
        for spec in specs
    ]


def end_with_policies(actions: Iterable[Any]) -> list[Any]:
    """
    Return handlers that end the launch when the last policy node has, after `duration`.

    A policy node that did not start, or whose robot fell or faulted, makes `ros2 launch` return 1.
    """
    policies = [action for action in actions if action.node_executable == 'policy_node']
    running = set(policies)

    def on_exit(event: Any, context: LaunchContext) -> list[Any]:
        running.discard(event.action)
        if event.returncode:
            # launch prints the text, ends all other nodes, and returns 1.
            raise RuntimeError(EXIT_CODES.get(event.returncode, 'the policy node was killed'))
        if running:
            return []
        return [EmitEvent(event=Shutdown(reason='the policy node has ended'))]

    return [
        RegisterEventHandler(OnProcessExit(target_action=policy, on_exit=on_exit))
        for policy in policies
    ]
