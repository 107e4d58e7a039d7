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

from kinfer_ros.control.settings import LiveSettings
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


STRUCTURE = (
    Declared('model', '', 'Policy file, .kinfer or .onnx. Read at configure and ~/load_model.'),
    Declared(
        'spec',
        '',
        'Policy spec (YAML) of an .onnx file that takes one flat vector. Read with the model.',
    ),
    Declared(
        'inference_threads',
        1,
        'Threads of onnxruntime. More are faster for a large network on idle cores, and late by '
        'milliseconds when another program takes one of them. Read with the model.',
        1,
        64,
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
        'spin_us',
        0,
        'us. How long before a tick is due the node stops to sleep and watches the clock: ticks '
        'are later by less than a wake-up is, for this share of a period in CPU time. Read at '
        'activate.',
        0,
        2000,
    ),
    Declared(
        'thread_priority',
        0,
        'SCHED_FIFO priority of the thread that ticks; 0: an ordinary thread. Read at activate; '
        'whether it was granted is on /diagnostics.',
        0,
        99,
    ),
    Declared(
        'cpu_affinity',
        [-1],
        'CPUs, from 0, that the thread that ticks may run on; -1: any. Read at activate.',
    ),
    Declared('lock_memory', False, 'Keep memory out of swap (mlockall). Read at activate.'),
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
    Declared(
        'log_rotate_mb',
        0.0,
        'MB. Size from which steps.ndjson is closed as a part (steps.0001.ndjson) and begun anew; '
        '0: never. Read at configure.',
        0.0,
        1e6,
    ),
    Declared(
        'log_zstd',
        False,
        'Compress the closed parts of the step log (needs log_rotate_mb). Read at configure.',
    ),
    Declared(
        'wait_for_recorder',
        False,
        'Activate only when a recorder follows this node, so that its bag has the whole run.',
        read_only=True,
    ),
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
    Declared(
        'blend_time',
        0.5,
        's. Time in which a policy loaded by ~/load_model takes over from the one that runs. Read '
        'at configure.',
        0.0,
        10.0,
    ),
    Declared(
        'joy_stop_button',
        -1,
        'Button of joy (from 0) that stops like ~/stop; -1: none.',
        -1,
        255,
        read_only=True,
    ),
    Declared(
        'joy_deadman_button',
        -1,
        'Button of joy (from 0) that has to be held while the robot is moved; -1: none.',
        -1,
        255,
        read_only=True,
    ),
    Declared(
        'joy_timeout',
        0.5,
        's. Age from which the last joy message counts as lost, where there is a dead-man button.',
        0.05,
        10.0,
        read_only=True,
    ),
)
"""What a node is built with: read-only, or read at configure or activate."""

_T = LiveSettings()

TUNABLES = (
    Declared(
        'action_scale',
        _T.action_scale,
        "Share of the policy's way from the start pose that is sent. Goes to a new value by 1 a "
        'second.',
        0.0,
        2.0,
    ),
    Declared(
        'kp_factor',
        _T.kp_factor,
        'On the stiffness the policy was trained with. Goes to a new value by 1 a second.',
        0.0,
        2.0,
    ),
    Declared(
        'kd_factor',
        _T.kd_factor,
        'On the damping the policy was trained with. Goes to a new value by 1 a second.',
        0.0,
        4.0,
    ),
    Declared(
        'command_scale',
        list(_T.command_scale),
        'On linear.x, linear.y, angular.z of cmd_vel.',
    ),
    Declared(
        'command_limit',
        list(_T.command_limit),
        'm/s, m/s, rad/s. Largest velocity command, either way; 0: the range of the policy alone.',
    ),
    Declared(
        'command_acceleration',
        list(_T.command_acceleration),
        'm/s^2, m/s^2, rad/s^2. Largest change of the velocity command; 0: none.',
    ),
    Declared(
        'command_timeout',
        _T.command_timeout,
        's. Age from which a command counts as lost: the neutral one is used.',
        0.01,
        60.0,
    ),
    Declared(
        'target_lowpass',
        _T.target_lowpass,
        'Hz. Corner of a first-order low-pass on the targets; 0: none.',
        0.0,
        1000.0,
    ),
    Declared(
        'target_slew',
        _T.target_slew,
        'rad/s. Fastest change of a target.',
        0.1,
        1000.0,
    ),
    Declared(
        'torque_band',
        _T.torque_band,
        "Share of a joint's torque limit that a target may ask for through its gains; 0: the "
        "bridge's torque limit alone. Set 1 where the drives do not limit their torque.",
        0.0,
        10.0,
    ),
    Declared(
        'stale_timeout',
        _T.stale_timeout,
        's. Sensor samples older than this are a fault.',
        0.001,
        10.0,
    ),
    Declared(
        'clock_tolerance',
        _T.clock_tolerance,
        's. A sensor stamp further ahead than this is a fault: the clocks of the hosts differ.',
        0.0,
        10.0,
    ),
    Declared(
        'frozen_timeout',
        _T.frozen_timeout,
        's. In mode run, a sensor none of whose numbers changes for this long is a fault; 0: off.',
        0.0,
        60.0,
    ),
    Declared(
        'max_tilt',
        _T.max_tilt,
        'rad. The base tilted further than this from upright is a fault.',
        0.0,
        3.15,
    ),
    Declared(
        'position_margin',
        _T.position_margin,
        'rad. A joint measured further than this outside its limits is a fault.',
        0.0,
        100.0,
    ),
    Declared(
        'joint_speed_factor',
        _T.joint_speed_factor,
        "On the robot YAML's velocity_limit: a joint faster than this for 3 ticks is a fault; 0: "
        'off.',
        0.0,
        100.0,
    ),
    Declared(
        'tracking_error',
        _T.tracking_error,
        'rad. A joint off its target by more than this for tracking_time is a fault; 0: off.',
        0.0,
        100.0,
    ),
    Declared(
        'tracking_time',
        _T.tracking_time,
        's. How long a joint may be off its target by more than tracking_error.',
        0.0,
        60.0,
    ),
    Declared(
        'max_action',
        _T.max_action,
        'rad. A policy that asks for a position further than this from zero is not believed.',
        0.1,
        1000.0,
    ),
    Declared(
        'max_refused',
        _T.max_refused,
        "Ticks for which the last target is held when the policy's output is refused; then a "
        'fault.',
        0,
        1000,
    ),
    Declared(
        'max_missed_ticks',
        _T.max_missed_ticks,
        'Missed ticks that are borne; ten ticks in time take one back. More are a fault.',
        0,
        100000,
    ),
    Declared(
        'max_temperature',
        _T.max_temperature,
        'deg C. A joint hotter than this is a fault, where joint_temperatures tells; a warning '
        'comes 10 below.',
        0.0,
        1000.0,
    ),
    Declared(
        'min_battery',
        _T.min_battery,
        '0 to 1. A battery below this is a fault, where battery_state tells; a warning comes at '
        'twice this; 0: off.',
        0.0,
        1.0,
    ),
)
"""What may be changed while the robot is live: applied together between two ticks, and logged."""

POLICY_PARAMETERS = STRUCTURE + TUNABLES


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
