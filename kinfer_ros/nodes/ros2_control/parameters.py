"""The parameters of the ros2_control bridge, and their values as one object."""

from dataclasses import dataclass

from rclpy.node import Node

from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.ros2_control.robot import FOLLOW
from kinfer_ros.bridges.ros2_control.robot import check_robot
from kinfer_ros.nodes.real_bridge import read_timeouts
from kinfer_ros.parameters import Declared
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value

ROS2_CONTROL_PARAMETERS = (
    Declared('robot', 'biped', '',
             'Robot: a name in config/robots, or the path of a YAML; its joints have the names of '
             'the URDF.', read_only=True),
    Declared('controller', 'forward_position_controller', '',
             'Name of the forward_command_controller, whose interface_name is position.',
             read_only=True),
    Declared('joint_states_topic', 'joint_states', '',
             'Topic of joint_state_broadcaster. Where it is the joint_states of this node as '
             'well, the policy node hears it directly; else it is published there again.',
             read_only=True),
    Declared('imu_topic', 'imu_sensor_broadcaster/imu', '',
             'Topic of imu_sensor_broadcaster, published again as imu/data.', read_only=True),
    Declared('gains_set_outside', False, '',
             'Say that the drives of the robot have kp and kd of the robot file: the controller '
             'takes no gains. Nothing starts without it.', read_only=True),
    Declared('damping', FOLLOW, '',
             'What damping is without a damping command: follow (the target follows the measured '
             'pose, the joints yield) or hold (the pose measured when it begins).',
             read_only=True),
    Declared('check_active', True, '',
             'Command the controller only where its controller manager says on /diagnostics that '
             'it is active.', read_only=True),
    Declared('lost_timeout', 0.5, 's',
             'Time without joint states after which the robot is lost: damped.', 0.01, 60.0,
             read_only=True),
    Declared('ramp_time', 1.0, 's',
             'Time in which the joints yield (damping: follow) before nothing is sent any more.',
             0.0, 2.0, read_only=True),
    Declared('command_timeout', 0.5, 's',
             'Time without a command after which the joints are damped.', 0.02, 60.0),
)  # fmt: skip


@dataclass(frozen=True)
class Ros2ControlSettings:
    """What the parameters ask for."""

    robot: Robot
    controller: str
    joint_states_topic: str
    imu_topic: str
    damping: str
    check_active: bool
    timeouts: Timeouts


def read_settings(node: Node) -> Ros2ControlSettings:
    """
    Declare and read the parameters.

    :raises KinferRosError: a value cannot be used, or the robot's YAML is wrong.
    """
    declare(node, ROS2_CONTROL_PARAMETERS)
    refuse_misspelt_parameters(node)
    robot = load_robot(value(node, 'robot'))
    damping = value(node, 'damping')
    check_robot(robot, gains_set_outside=value(node, 'gains_set_outside'), damping=damping)
    return Ros2ControlSettings(
        robot=robot,
        controller=value(node, 'controller'),
        joint_states_topic=value(node, 'joint_states_topic'),
        imu_topic=value(node, 'imu_topic'),
        damping=damping,
        check_active=value(node, 'check_active'),
        timeouts=read_timeouts(node),
    )
