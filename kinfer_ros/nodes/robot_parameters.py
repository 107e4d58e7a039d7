"""The parameters that name a robot with a MuJoCo model, alike in all nodes that look at it."""

from rclpy.node import Node

from kinfer_ros.parameters import Declared
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.parameters import value

ROBOT_PARAMETERS = (
    Declared('robot', 'biped', '',
             'Robot: a name in config/robots, or the path of a YAML.', read_only=True),
    Declared('mjcf', '', '', "MuJoCo model, in place of the robot YAML's.", read_only=True),
    Declared('imu_site', '', '',
             "Site of the IMU in the MuJoCo model, in place of the robot YAML's.", read_only=True),
    Declared('imu_mounting', [0.0, 0.0, 0.0, 0.0], '',
             "As the policy node's: that a simulated IMU lies otherwise is then no error.",
             read_only=True),
)  # fmt: skip


def read_robot(node: Node) -> Robot:
    """
    Load the robot that the declared parameters name.

    :raises KinferRosError: its YAML is wrong, or a value cannot be used.
    """
    return change_robot(
        load_robot(value(node, 'robot')),
        mjcf=value(node, 'mjcf'),
        imu_site=value(node, 'imu_site'),
        imu_mounting=value(node, 'imu_mounting'),
    )
