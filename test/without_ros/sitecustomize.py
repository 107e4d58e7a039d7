"""
Hides ROS 2 from Python, and from the Pythons that it starts, where this folder is on PYTHONPATH.

tools/test.sh runs the tests without the mark `ros` like this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.machinery import PathFinder
from types import ModuleType

NAMES = ('rclpy', 'launch', 'launch_ros', 'launch_testing', 'launch_testing_ros')
BEGINNINGS = ('ament_', 'rosidl_', 'rpyutils')
ENDS = ('_msgs', '_srvs', '_interfaces')


class Finder(PathFinder):
    """The ordinary finder, for which the packages of ROS 2 are not installed."""

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """:return: where a module is, or None for one of ROS 2."""
        package = fullname.partition('.')[0]
        if package in NAMES or package.startswith(BEGINNINGS) or package.endswith(ENDS):
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
