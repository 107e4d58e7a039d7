"""The whole robot: bridge (MuJoCo, KOS, or none), policy node and recorder."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import EmitEvent
from launch.actions import OpaqueFunction
from launch.actions import RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from kinfer_ros.errors import KinferRosError
from kinfer_ros.graph import ARGUMENTS
from kinfer_ros.graph import complete
from kinfer_ros.graph import nodes


def start(context):
    """Start the nodes of the graph; the policy node's end, after `duration`, ends the launch."""
    given = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    try:
        arguments = complete(given)
        specs = nodes(arguments)
    except KinferRosError as error:
        # launch prints the text of a RuntimeError without our stack.
        raise RuntimeError(str(error)) from None
    actions = []
    for spec in specs:
        files = [arguments['params_file']] if arguments['params_file'] else []
        node = Node(
            package='kinfer_ros',
            executable=spec.executable,
            name=spec.executable,
            namespace=arguments['namespace'],
            parameters=[spec.defaults, *files, spec.given],
            output='screen',
            emulate_tty=True,
        )
        actions.append(node)
        if spec.executable == 'policy_node':
            end = EmitEvent(event=Shutdown(reason='the policy node has ended'))
            actions.append(RegisterEventHandler(OnProcessExit(target_action=node, on_exit=[end])))
    return actions


def generate_launch_description():
    """Declare the arguments of kinfer_ros.graph and start its nodes."""
    declared = [
        DeclareLaunchArgument(
            a.name,
            default_value=a.default,
            description=a.description,
            **({'choices': list(a.choices)} if a.choices else {}),
        )
        for a in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
