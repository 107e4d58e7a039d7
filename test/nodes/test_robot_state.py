"""What robot_state tells the viewers: frames by name, and a stamp that fits the joints."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry

from kinfer_ros.nodes.robot_state import link_transforms
from kinfer_ros.nodes.robot_state import odometry_transform
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers.description import robot_urdf
from kinfer_ros.viewers.urdf import UrdfTree


def test_every_link_hangs_on_its_parent() -> None:
    """TF is a tree from odom to the last link; a frame with two parents makes RViz blink."""
    robot = load_robot('biped')
    tree = UrdfTree(robot_urdf(robot)[0], 'biped')
    stamp = Time(sec=3, nanosec=7)
    found = link_transforms(tree, {'left_knee': 1.0}, stamp, 'left/')
    odometry = Odometry(child_frame_id='base_link')
    odometry.header.frame_id = 'odom'
    odometry.pose.pose.orientation = Quaternion(w=1.0)
    found.append(odometry_transform(odometry, 'left/'))
    parents = {t.child_frame_id: t.header.frame_id for t in found}
    assert len(parents) == len(found)
    assert parents['left/base_link'] == 'left/odom'
    for child in list(parents):
        steps = 0
        while child != 'left/odom':
            child = parents[child]
            steps += 1
            assert steps < 30
    knee = next(t for t in found if t.child_frame_id == f'left/{_child(tree, "left_knee")}')
    assert knee.header.stamp == stamp
    turned = knee.transform.rotation
    assert np.isclose(2.0 * np.arccos(turned.w), 1.0)
    assert np.isclose(turned.y, np.sin(0.5)), 'x y z w: a quaternion out of order lies flat'


def _child(tree: UrdfTree, joint: str) -> str:
    return tree.children[tree.names.index(joint)]
