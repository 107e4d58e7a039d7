"""The policy node alone, to include in a larger graph; topics are relative and can be remapped."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.substitutions import FindPackageShare

from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.actions import declare
from kinfer_ros.launching.actions import end_with_policies
from kinfer_ros.launching.actions import given
from kinfer_ros.launching.actions import is_launched
from kinfer_ros.launching.actions import node_actions
from kinfer_ros.launching.policy_node import ARGUMENTS
from kinfer_ros.launching.policy_node import policy_node


def start(context):
    """Start the node with the arguments that were given; all else is left to the params_file."""
    try:
        arguments = given(context, ARGUMENTS, 'policy.launch.py')
        if not arguments['params_file']:
            share = FindPackageShare('kinfer_ros').perform(context)
            arguments['params_file'] = f'{share}/config/policy.yaml'
        spec = policy_node(arguments)
    except KinferRosError as error:
        raise RuntimeError(str(error)) from None
    actions = node_actions([spec], arguments['namespace'], arguments['params_file'])
    # In a larger graph its end is not the end of all.
    return [*actions, *(end_with_policies(actions) if is_launched('policy.launch.py') else [])]


def generate_launch_description():
    """Declare model, robot and the usual arguments; start one policy node."""
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=start)])
