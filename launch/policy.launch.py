"""The policy node alone, to include in a larger graph; topics are relative, remap as you like."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

DEFAULT_PARAMETERS = PathJoinSubstitution(
    [FindPackageShare('kinfer_ros'), 'config', 'policy.yaml']
)


def generate_launch_description():
    """Declare model, robot and the usual arguments; start one policy node."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('model', description='Policy file (.kinfer or .onnx).'),
            DeclareLaunchArgument(
                'spec',
                default_value='',
                description='Policy spec (YAML) of an .onnx file that takes one flat vector.',
            ),
            DeclareLaunchArgument(
                'robot', description='Robot: a name in config/robots, or the path of a YAML.'
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the node.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=DEFAULT_PARAMETERS,
                description='YAML with the parameters of the node.',
            ),
            DeclareLaunchArgument(
                'use_sim_time', default_value='false', description='Live on /clock.'
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='false',
                description='Configure and activate at start.',
            ),
            Node(
                package='kinfer_ros',
                executable='policy_node',
                name='policy_node',
                namespace=LaunchConfiguration('namespace'),
                parameters=[
                    # In front of the file: where it is not given it must not take the file's.
                    {'spec': ParameterValue(LaunchConfiguration('spec'), value_type=str)},
                    LaunchConfiguration('params_file'),
                    {
                        'model': ParameterValue(LaunchConfiguration('model'), value_type=str),
                        'robot': ParameterValue(LaunchConfiguration('robot'), value_type=str),
                        'use_sim_time': ParameterValue(
                            LaunchConfiguration('use_sim_time'), value_type=bool
                        ),
                        'autostart': ParameterValue(
                            LaunchConfiguration('autostart'), value_type=bool
                        ),
                    },
                ],
                output='screen',
                emulate_tty=True,
            ),
        ]
    )
