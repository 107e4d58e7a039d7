"""What viewers show of a robot: its description, where its links are, where it stands.

| topic | type | |
|---|---|---|
| joint_states | sensor_msgs/JointState | in |
| odom | nav_msgs/Odometry | in |
| robot_description | std_msgs/String: a URDF | out, latched |
| /tf | tf2_msgs/TFMessage: odom to the base, each link in its parent | out |
| markers | visualization_msgs/MarkerArray: contacts with the ground, base velocity | out |

/tf is absolute; two robots on it need a `frame_prefix`. Without tf2_msgs, which is not on PyPI,
the rest is published, and robot_state_publisher can publish the links.
"""

import importlib
import importlib.util
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from geometry_msgs.msg import Quaternion
from geometry_msgs.msg import TransformStamped
from geometry_msgs.msg import Vector3
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import ColorRGBA
from std_msgs.msg import String
from visualization_msgs.msg import Marker
from visualization_msgs.msg import MarkerArray

from kinfer_ros.arrays import Float64
from kinfer_ros.control.sensors import MAX_JOINTS
from kinfer_ros.nodes.robot_parameters import ROBOT_PARAMETERS
from kinfer_ros.nodes.robot_parameters import read_robot
from kinfer_ros.parameters import Declared
from kinfer_ros.robot.robot import Robot
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.process import run_node
from kinfer_ros.ros.qos import BEST_EFFORT
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.viewers.contacts import Contacts
from kinfer_ros.viewers.description import robot_urdf
from kinfer_ros.viewers.urdf import UrdfTree

ROBOT_STATE_PARAMETERS = (
    *ROBOT_PARAMETERS,
    Declared('rate', 30.0, 'Hz', 'Rate of transforms and markers.', 1.0, 1000.0, read_only=True),
    Declared('frame_prefix', '', '',
             'Prefix of each frame name, such as `left/`, for robots that share /tf.',
             read_only=True),
    Declared('publish_odom_tf', True, '',
             'Publish the transform from odom to the base; false if an estimator does.',
             read_only=True),
)  # fmt: skip


class RobotState(Node):
    """Publishes a robot's description, transforms and markers."""

    def __init__(self, node_name: str = 'robot_state', **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter, or the robot's description, cannot be used."""
        super().__init__(node_name, **kwargs)
        declare(self, ROBOT_STATE_PARAMETERS)
        refuse_misspelt_parameters(self)
        robot = read_robot(self)
        text, notes = robot_urdf(robot)
        self._tree = UrdfTree(text, str(robot.urdf or robot.mjcf))
        self._contacts = self._find_contacts(robot)
        self._prefix = value(self, 'frame_prefix')
        self._angles: dict[str, float] = {}
        self._odometry: Odometry | None = None
        group = PollOnlyGroup(self)
        self._joints = subscribe(self, JointState, 'joint_states', BEST_EFFORT, group)
        self._odom = subscribe(self, Odometry, 'odom', BEST_EFFORT, group)
        self._description = self.create_publisher(String, 'robot_description', LATCHED)
        self._description.publish(String(data=text))
        self._markers = self.create_publisher(MarkerArray, 'markers', 1)
        self._tf_message = _tf_message()
        self._tf = None
        if self._tf_message is not None:
            self._tf = self.create_publisher(self._tf_message, '/tf', 100)
        else:
            self.get_logger().info('tf2_msgs is not installed: /tf is not published')
        for note in notes:
            self.get_logger().info(f'robot_description: {note}')
        self.create_timer(1.0 / value(self, 'rate'), self._publish, clock=Clocks(self).steady)

    def _find_contacts(self, robot: Robot) -> Contacts | None:
        """Contacts need an MJCF, which has the ground; a URDF has none."""
        if robot.mjcf is None:
            return None
        return Contacts(robot)

    def _publish(self) -> None:
        odometry = take_newest(self._odom)
        if odometry is not None:
            self._odometry = odometry
        joints = take_newest(self._joints)
        if joints is None:
            return
        self._angles = {
            name: angle
            for name, angle in zip(joints.name[:MAX_JOINTS], joints.position, strict=False)
            if np.isfinite(angle)
        }
        if self._tf is not None and self._tf_message is not None:
            self._tf.publish(self._tf_message(transforms=self._transforms(joints.header.stamp)))
        if self._odometry is not None and _is_finite(self._odometry):
            self._markers.publish(self._marker_array(self._odometry, joints.header.stamp))

    def _transforms(self, stamp: Time) -> list[TransformStamped]:
        """Return each link in its parent, and the base in odom if there is odometry."""
        transforms = link_transforms(self._tree, self._angles, stamp, self._prefix)
        if self._odometry is not None and value(self, 'publish_odom_tf'):
            transforms.append(odometry_transform(self._odometry, self._prefix))
        return transforms

    def _marker_array(self, odometry: Odometry, stamp: Time) -> MarkerArray:
        markers = [_velocity_marker(odometry, self._prefix)]
        if self._contacts is not None:
            position, orientation = odometry.pose.pose.position, odometry.pose.pose.orientation
            points = self._contacts.points(
                np.array([position.x, position.y, position.z]),
                np.array([orientation.w, orientation.x, orientation.y, orientation.z]),
                self._angles,
            )
            markers.append(_contact_marker(points, self._prefix + odometry.header.frame_id, stamp))
        return MarkerArray(markers=markers)


def _tf_message() -> Any:
    """Return the message type of /tf, or None if it is not installed."""
    if importlib.util.find_spec('tf2_msgs') is None:
        return None
    return importlib.import_module('tf2_msgs.msg').TFMessage


def link_transforms(
    tree: UrdfTree, angles: dict[str, float], stamp: Time, prefix: str
) -> list[TransformStamped]:
    """Return the pose of each link in its parent, for /tf."""
    positions, quats = tree.transforms(angles)
    transforms = []
    for parent, child, position, quaternion in zip(
        tree.parents, tree.children, positions.tolist(), quats.tolist(), strict=True
    ):
        message = TransformStamped(child_frame_id=prefix + child)
        message.header.frame_id = prefix + parent
        message.header.stamp = stamp
        message.transform.translation = Vector3(x=position[0], y=position[1], z=position[2])
        w, x, y, z = quaternion
        message.transform.rotation = Quaternion(w=w, x=x, y=y, z=z)
        transforms.append(message)
    return transforms


def odometry_transform(odometry: Odometry, prefix: str) -> TransformStamped:
    """Return the pose of the base in the frame of its odometry."""
    pose = odometry.pose.pose
    message = TransformStamped(child_frame_id=prefix + odometry.child_frame_id)
    message.header.frame_id = prefix + odometry.header.frame_id
    message.header.stamp = odometry.header.stamp
    position = pose.position
    message.transform.translation = Vector3(x=position.x, y=position.y, z=position.z)
    message.transform.rotation = pose.orientation
    return message


def _make_marker(namespace: str, kind: int, frame: str, stamp: Time) -> Marker:
    marker = Marker(ns=namespace, type=kind, action=Marker.ADD)
    marker.header.frame_id = frame
    marker.header.stamp = stamp
    marker.pose.orientation.w = 1.0
    return marker


def _velocity_marker(odometry: Odometry, prefix: str) -> Marker:
    """Draw the base's velocity as an arrow from the base, 1 m for 1 m/s."""
    linear = odometry.twist.twist.linear
    frame = prefix + odometry.child_frame_id
    marker = _make_marker('base', Marker.ARROW, frame, odometry.header.stamp)
    marker.points = [Point(), Point(x=linear.x, y=linear.y, z=linear.z)]
    marker.scale = Vector3(x=0.02, y=0.04, z=0.06)
    marker.color = ColorRGBA(r=0.13, g=0.36, b=0.6, a=1.0)
    return marker


def _contact_marker(points: Float64, frame: str, stamp: Time) -> Marker:
    """Draw contacts as spheres; without contacts, delete the last ones."""
    marker = _make_marker('contacts', Marker.SPHERE_LIST, frame, stamp)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.scale = Vector3(x=0.03, y=0.03, z=0.03)
    marker.color = ColorRGBA(r=0.95, g=0.45, b=0.13, a=1.0)
    if not marker.points:
        marker.action = Marker.DELETE
    return marker


def _is_finite(odometry: Odometry) -> bool:
    pose = odometry.pose.pose
    numbers = [getattr(pose.position, axis) for axis in 'xyz']
    numbers += [getattr(pose.orientation, axis) for axis in 'wxyz']
    return bool(np.isfinite(numbers).all())


def main(args: list[str] | None = None) -> int:
    """Run the node as a process; return its exit code."""
    return run_node(RobotState, args)


if __name__ == '__main__':
    raise SystemExit(main())
