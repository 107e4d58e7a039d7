"""Software versions and machine of a run, for run.json.

The versions come from the metadata of the installed packages, so that none has to be imported.
"""

import os
import platform
from importlib import metadata
from typing import Any

# Distribution by rclpy's major version, where ROS_DISTRO is not set (wheels).
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
    """Return the version of the first of these packages that is installed, or None."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def ros_distro() -> str | None:
    """Return the name of the ROS 2 distribution in use, or None."""
    named = os.environ.get('ROS_DISTRO')
    if named:
        return named
    rclpy = version_of('ros-rclpy', 'rclpy')
    return None if rclpy is None else _DISTRO_OF_RCLPY.get(rclpy.split('.')[0])


def versions() -> dict[str, str | None]:
    """Return the versions of all that can change a run's numbers; None: not installed."""
    found: dict[str, str | None] = {'python': platform.python_version()}
    found.update({key: version_of(*names) for key, names in _PACKAGES.items()})
    found['ros_distro'] = ros_distro()
    return found


def host() -> dict[str, Any]:
    """Return platform, machine, host name, and the number of CPUs this process may use."""
    return {
        'platform': platform.platform(),
        'machine': platform.machine(),
        'name': platform.node(),
        'cpus': len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
    }
