"""Your launch file with the policy node in a namespace, with remapped topics.

Run it: `ros2 launch examples/my_robot.launch.py model:=my_policy.kinfer robot:=my_robot.yaml`.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import GroupAction
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.actions import PushRosNamespace
from launch_ros.actions import SetRemap
from launch_ros.substitutions import FindPackageShare

POLICY = PathJoinSubstitution([FindPackageShare('kinfer_ros'), 'launch', 'policy.launch.py'])


def generate_launch_description():
    """Start the policy node and a recorder as part of /legs."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('model', description='Policy file (.kinfer or .onnx).'),
            DeclareLaunchArgument('robot', description='Path of the robot YAML.'),
            GroupAction(
                [
                    PushRosNamespace('legs'),
                    SetRemap('cmd_vel', '/nav/cmd_vel'),  # from Nav2, outside /legs
                    SetRemap('imu/data', 'imu'),  # this robot's driver publishes imu
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(POLICY),
                        launch_arguments={
                            'model': LaunchConfiguration('model'),
                            'robot': LaunchConfiguration('robot'),
                        }.items(),
                    ),
                    Node(package='kinfer_ros', executable='recorder', name='recorder'),
                ]
            ),
        ]
    )
