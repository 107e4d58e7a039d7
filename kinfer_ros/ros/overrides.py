"""Finds misspelt parameters: ROS ignores a parameter that no node declares.

A user who writes `lockstp: true` would get a run in real time, and nothing would say so.
"""

from __future__ import annotations

from rclpy.node import Node

from kinfer_ros.errors import ConfigError
from kinfer_ros.ros.rclpy_internals import parameter_names
from kinfer_ros.yaml_file import did_you_mean


def refuse_misspelt_parameters(node: Node) -> None:
    """
    Hold what a file or the command line set against what the node has declared; call it last.

    A name that is nothing like any declared one is only warned about: a file that begins with
    `/**` is for many nodes, and may well hold what is meant for another.

    :raises ConfigError: a name is nearly that of a declared parameter.
    """
    names = parameter_names(node)
    if names is None:
        return
    given, declared = names
    unknown = [name for name in given if name not in declared]
    known = [name for name in declared if not name.startswith('qos_overrides.')]
    for name in unknown:
        hint = did_you_mean(name, known)
        if hint:
            raise ConfigError(f"node {node.get_name()} has no parameter '{name}'{hint}")
        if not name.startswith('qos_overrides.'):
            node.get_logger().warning(f"parameter '{name}' is not one of this node: ignored")
