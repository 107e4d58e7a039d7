"""What software and machine a run was made with, for run.json.

A log that cannot say which ONNX Runtime or which ROS made it cannot be compared with another.
Nothing heavy is imported for it: the answers come from the installed packages' metadata.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

# What rclpy's major version tells about the distribution, where ROS_DISTRO is not set (wheels).
_DISTRO_OF_RCLPY = {'3': 'humble', '7': 'jazzy', '9': 'kilted'}

_PACKAGES = {
    'kinfer_ros': ('kinfer_ros',),
    'numpy': ('numpy',),
    'onnxruntime': ('onnxruntime', 'onnxruntime-gpu'),
    'orjson': ('orjson',),
    'rosbags': ('rosbags',),
    'mujoco': ('mujoco',),
    'rclpy': ('ros-rclpy', 'rclpy'),
}


def version_of(*names: str) -> str | None:
    """Return the version of the first of these distribution packages that is installed."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def ros_distro() -> str | None:
    """Return the name of the ROS 2 distribution in use, or None where none is known."""
    named = os.environ.get('ROS_DISTRO')
    if named:
        return named
    rclpy = version_of('ros-rclpy', 'rclpy')
    return None if rclpy is None else _DISTRO_OF_RCLPY.get(rclpy.split('.')[0])


def versions() -> dict[str, str | None]:
    """Return the versions of everything that can change a run's numbers; None: not installed."""
    found: dict[str, str | None] = {'python': platform.python_version()}
    found.update({key: version_of(*names) for key, names in _PACKAGES.items()})
    found['ros_distro'] = ros_distro()
    return found


def host() -> dict[str, Any]:
    """Return the machine: platform, machine, host name, number of CPUs this process may use."""
    return {
        'platform': platform.platform(),
        'machine': platform.machine(),
        'name': platform.node(),
        'cpus': len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
    }
