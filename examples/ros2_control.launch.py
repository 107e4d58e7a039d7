"""A policy on a robot behind ros2_control: its three controllers, and the graph of walk.launch.py.

Run it beside your controller manager, whose parameters are of examples/ros2_control.yaml as well:
`ros2 launch examples/ros2_control.launch.py robot:=my_robot.yaml model:=my_policy.kinfer`. It says
that the drives have the gains of the robot file: see docs/ros2_control.md.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

WALK = PathJoinSubstitution([FindPackageShare('kinfer_ros'), 'launch', 'walk.launch.py'])
CONTROLLERS = str(Path(__file__).with_name('ros2_control.yaml'))
NAMES = ['joint_state_broadcaster', 'imu_sensor_broadcaster', 'forward_position_controller']
ARGUMENTS = {
    'robot': ('biped', 'Robot: a name in config/robots, or the path of a robot YAML.'),
    'model': ('', 'Policy file (.kinfer or .onnx).'),
    'spec': ('', 'Policy spec (YAML) of an .onnx file that takes one flat vector.'),
    'controllers': (CONTROLLERS, 'YAML with the parameters of the controllers.'),
}


def generate_launch_description():
    """Load and activate the controllers; start bridge, policy node and recorder."""
    spawner = Node(
        package='controller_manager',
        executable='spawner',
        arguments=[*NAMES, '--param-file', LaunchConfiguration('controllers')],
        output='screen',
    )
    walk = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(WALK),
        launch_arguments={
            'bridge': 'ros2_control',
            'gains_set_outside': 'true',
            **{name: LaunchConfiguration(name) for name in ('robot', 'model', 'spec')},
        }.items(),
    )
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, spawner, walk])
