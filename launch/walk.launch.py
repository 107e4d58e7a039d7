"""Bridge (MuJoCo, KOS, or none), policy node and recorder."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.actions import declare
from kinfer_ros.launching.actions import end_with_policies
from kinfer_ros.launching.actions import given
from kinfer_ros.launching.actions import node_actions
from kinfer_ros.launching.arguments import ARGUMENTS
from kinfer_ros.launching.arguments import complete
from kinfer_ros.launching.graph import nodes


def start(context):
    """Start the nodes of the graph; the launch ends with the policy node, after `duration`."""
    try:
        arguments = complete(given(context, ARGUMENTS, 'walk.launch.py'))
        specs = nodes(arguments)
    except KinferRosError as error:
        # launch prints the text of a RuntimeError without a traceback.
        raise RuntimeError(str(error)) from None
    actions = node_actions(specs, arguments['namespace'], arguments['params_file'])
    return [*actions, *end_with_policies(actions)]


def generate_launch_description():
    """Declare the arguments of `walk` and start the nodes of the graph."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start)])
