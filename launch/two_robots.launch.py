"""Two simulated robots in one graph, /left and /right; the left bridge publishes /clock."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.actions import declare
from kinfer_ros.launching.actions import end_with_policies
from kinfer_ros.launching.actions import given
from kinfer_ros.launching.actions import node_actions
from kinfer_ros.launching.two_robots import ARGUMENTS
from kinfer_ros.launching.two_robots import both


def start(context):
    """Start the nodes of both robots; the launch ends when both policy nodes have ended."""
    try:
        arguments = given(context, ARGUMENTS, 'two_robots.launch.py')
        robots = both(arguments)
    except KinferRosError as error:
        raise RuntimeError(str(error)) from None
    actions = []
    for namespace, specs in robots.items():
        actions += node_actions(specs, namespace, arguments['params_file'])
    return [*actions, *end_with_policies(actions)]


def generate_launch_description():
    """Declare the shared arguments and start both robots."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start)])
