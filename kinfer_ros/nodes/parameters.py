"""The parameters of the policy node: what each is, its range, and their values as one object.

Without this module `ros2 param describe` would say nothing, and a default would stand in two
places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from kinfer_ros.errors import ConfigError


@dataclass(frozen=True)
class Declared:
    """One parameter: `low` and `high` are its range, where it has one."""

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    read_only: bool = False


POLICY_PARAMETERS = (
    Declared('model', '', 'Policy file, .kinfer or .onnx. Read at configure and ~/load_model.'),
    Declared(
        'spec',
        '',
        'Policy spec (YAML) of an .onnx file that takes one flat vector. Read with the model.',
    ),
    Declared(
        'robot',
        '',
        'Robot: a name in config/robots, or the path of a YAML. Read at configure.',
    ),
    Declared(
        'control_rate',
        0.0,
        'Hz. Ticks a second; 0 takes the rate of the policy file, else 50. Read at configure.',
        0.0,
        2000.0,
    ),
    Declared(
        'lockstep',
        False,
        'Tick exactly once per control period of a simulation that waits for each command '
        '(needs use_sim_time).',
        read_only=True,
    ),
    Declared(
        'autostart',
        False,
        'Configure and activate without being asked, retrying until sensor_timeout.',
        read_only=True,
    ),
    Declared(
        'auto_run',
        False,
        'Go on from hold to run without waiting for ~/start. For simulated robots. Read at '
        'configure.',
    ),
    Declared('dry_run', False, 'Do everything but publish commands and gains. Read at activate.'),
    Declared('record', True, 'Write steps.ndjson into the run directory. Read at configure.'),
    Declared('runs_dir', 'runs', 'Directory in which each configure makes a run directory.'),
    Declared(
        'duration',
        0.0,
        's. End the run softly after this time in run; 0 never. Read at configure.',
        0.0,
        1e6,
    ),
    Declared(
        'default_command',
        [0.0, 0.0, 0.0],
        'linear.x m/s, linear.y m/s, angular.z rad/s used while no cmd_vel is alive. Leave '
        'at zero on hardware. Read at configure.',
    ),
    Declared(
        'cmd_vel_type',
        'auto',
        'Type of cmd_vel: twist, twist_stamped, or auto, which reads the graph.',
        read_only=True,
    ),
    Declared(
        'command_timeout',
        0.5,
        's. Age from which a command counts as lost. Read at configure.',
        0.01,
        60.0,
    ),
    Declared(
        'policy_command_entries',
        [''],
        'Command entries of the policy, beyond the known names, that will come on '
        'policy_command. Read at configure.',
    ),
    Declared(
        'sensor_timeout',
        10.0,
        's. How long to wait for sensors, gains and bridge at start.',
        0.0,
        600.0,
    ),
    Declared(
        'stale_timeout',
        0.25,
        's. Sensor samples older than this are a fault. Read at configure.',
        0.001,
        10.0,
    ),
    Declared(
        'max_tilt',
        1.0,
        'rad. The base tilted further than this from upright is a fault. Read at configure.',
        0.0,
        3.15,
    ),
    Declared(
        'max_ramp',
        2.0,
        'rad. Activation is refused if a joint is further than this from the start pose.',
        0.0,
        7.0,
    ),
    Declared(
        'ramp_speed',
        0.5,
        'rad/s. Fastest joint on the way to the start pose. Read at configure.',
        0.001,
        10.0,
    ),
    Declared(
        'fade_time',
        1.0,
        's. Time in which a deactivation takes the stiffness away. Read at configure.',
        0.0,
        10.0,
    ),
    Declared(
        'carry_every',
        50,
        'Ticks between two records that hold the carry. Read at configure.',
        1,
        100000,
    ),
)


def declare(node: Node, parameters: tuple[Declared, ...]) -> None:
    """
    Declare parameters with description and range.

    :raises ConfigError: an override from a file or the command line has the wrong type or range.
    """
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


def value(node: Node, name: str) -> Any:
    """Value of a declared parameter, as it now stands."""
    return node.get_parameter(name).value
