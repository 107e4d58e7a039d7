"""Serialised messages for tests of bags, made without ROS."""

from __future__ import annotations

import numpy as np
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

STORE = get_typestore(Stores.ROS2_KILTED)
JOINT_STATE = 'sensor_msgs/msg/JointState'
STRING = 'std_msgs/msg/String'


def joint_state(stamp: int) -> bytes:
    """CDR of a JointState without effort, as bridges without torque sensors send it."""
    header = STORE.types['std_msgs/msg/Header'](
        stamp=STORE.types['builtin_interfaces/msg/Time'](sec=stamp, nanosec=0), frame_id='x'
    )
    message = STORE.types[JOINT_STATE](
        header=header,
        name=['knee'],
        position=np.array([0.5]),
        velocity=np.array([1.5]),
        effort=np.array([]),
    )
    return bytes(STORE.serialize_cdr(message, JOINT_STATE))


def text(value: str) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types[STRING](data=value), STRING))
