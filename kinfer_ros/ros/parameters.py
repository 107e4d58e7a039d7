"""Declares parameters to a node, reads them, and finds misspelt ones."""

from typing import Any

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from kinfer_ros.errors import ConfigError
from kinfer_ros.parameters import Declared
from kinfer_ros.ros.rclpy_internals import parameter_names
from kinfer_ros.ros.rclpy_internals import parameter_overrides
from kinfer_ros.yaml_file import did_you_mean


def declare(node: Node, parameters: tuple[Declared, ...]) -> None:
    """
    Declare parameters with description and range.

    A whole number is taken for a parameter with a float, and a list of them for one with floats.

    :raises ConfigError: an override from a file or the command line has the wrong type or range.
    """
    floats = {entry.name for entry in parameters if _is_float(entry.default)}
    overrides = parameter_overrides(node)
    for name in floats.intersection(overrides):
        overrides[name] = _as_float(overrides[name])
    node.add_pre_set_parameters_callback(
        lambda given: [_as_float(each) if each.name in floats else each for each in given]
    )
    for entry in parameters:
        descriptor = ParameterDescriptor(description=entry.description, read_only=entry.read_only)
        if entry.low is not None and entry.high is not None:
            if isinstance(entry.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=entry.low, to_value=entry.high)
                ]
            else:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(entry.low), to_value=int(entry.high), step=1)
                ]
        try:
            node.declare_parameter(entry.name, entry.default, descriptor)
        except Exception as error:  # rclpy raises a family of types without a common base
            raise ConfigError(
                f'parameter {entry.name} of node {node.get_name()}: {error}; expected a '
                f'{type(entry.default).__name__}: {entry.description}'
            ) from error


def _is_float(default: Any) -> bool:
    return isinstance(default[0] if isinstance(default, list) and default else default, float)


def _as_float(given: Parameter) -> Parameter:
    """Return whole numbers as floats: YAML and people write 1 for 1.0."""
    if given.type_ is Parameter.Type.INTEGER:
        return Parameter(given.name, Parameter.Type.DOUBLE, float(given.value))
    if given.type_ is Parameter.Type.INTEGER_ARRAY:
        return Parameter(given.name, Parameter.Type.DOUBLE_ARRAY, [float(n) for n in given.value])
    return given


def value(node: Node, name: str) -> Any:
    """Value of a declared parameter, as it now stands."""
    return node.get_parameter(name).value


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
