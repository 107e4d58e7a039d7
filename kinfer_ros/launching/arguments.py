"""The arguments of `walk` and of walk.launch.py: names, defaults, descriptions, checks."""

import difflib
import math
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.argument import Argument
from kinfer_ros.launching.argument import switch
from kinfer_ros.launching.simulation import ROBOT_ARGUMENTS
from kinfer_ros.launching.simulation import SIMULATION_ARGUMENTS
from kinfer_ros.text import ROS_NAME_RULE
from kinfer_ros.text import is_ros_name
from kinfer_ros.untrusted import read_yaml

MAX_NAMESPACES = 8
"""Namespaces within namespaces of a params_file."""

ARGUMENTS = (
    Argument(
        'model',
        '',
        'Policy file (.kinfer or .onnx). Empty: the policy that ships with the robot.',
    ),
    Argument(
        'spec',
        '',
        'Policy spec (YAML) of an .onnx file that takes one flat vector, see docs/specs.md.',
    ),
    Argument(
        'policies',
        '',
        'Policy set (YAML): several policies, in place of model and spec, see '
        'docs/policy_sets.md.',
    ),
    Argument('robot', 'biped', 'Robot: a name in config/robots, or the path of a robot YAML.'),
    *ROBOT_ARGUMENTS,
    Argument(
        'bridge',
        'mujoco',
        'The robot side to start: the MuJoCo robot, a robot with KOS (docs/kos.md), one of '
        'Unitree (docs/unitree.md), one behind ros2_control (docs/ros2_control.md), or none (it '
        'runs already).',
        ('mujoco', 'kos', 'unitree', 'ros2_control', 'none'),
    ),
    Argument(
        'network_interface',
        '',
        'Network interface that leads to the robot (bridge:=unitree); there is no default.',
    ),
    Argument(
        'controller',
        'forward_position_controller',
        'Name of the forward_command_controller (bridge:=ros2_control).',
    ),
    switch(
        'gains_set_outside',
        'false',
        'Say that the drives have the gains of the robot file (bridge:=ros2_control); nothing '
        'starts without it.',
    ),
    Argument('kos_host', '127.0.0.1', 'Host name or address of the KOS server (bridge:=kos).'),
    Argument('kos_port', '50051', 'Port of the KOS server (bridge:=kos).'),
    Argument(
        'kos_backend',
        'auto',
        'Kind of the KOS server; auto: kos-zbot for the robot zbot, else kos-kbot.',
        ('auto', 'kos-kbot', 'kos-zbot', 'kos-sim'),
    ),
    switch(
        'auto_enable',
        'false',
        'Switch the torque on without ~/enable (bridge:=kos). For simulated robots.',
    ),
    Argument('namespace', '', 'Namespace of all nodes; topic names are relative to it.'),
    Argument(
        'params_file',
        '',
        'YAML with node parameters, see config/policy.yaml. Arguments of the command win over it.',
    ),
    switch('use_sim_time', 'false', 'Nodes use /clock, which the MuJoCo bridge then publishes.'),
    switch(
        'publish_clock',
        'true',
        'With use_sim_time: false makes the MuJoCo bridge follow the /clock of another '
        'publisher. A graph has one clock publisher.',
    ),
    Argument(
        'lockstep',
        'auto',
        'The simulation waits for each command: bit-equal runs, faster than real time. '
        'Implies use_sim_time. auto: for a film (video) without a window, with all its frames.',
        ('auto', 'true', 'false'),
    ),
    switch('record', 'true', 'Write steps.ndjson and a rosbag into the run directory.'),
    Argument(
        'runs_dir',
        'runs',
        'Parent of the run directories; `latest` links to the newest one.',
    ),
    Argument(
        'autostart',
        'auto',
        'Configure and activate at start; auto: for the simulated robot only.',
        ('auto', 'true', 'false'),
    ),
    Argument(
        'auto_run',
        'auto',
        'Go from hold to run without ~/start; auto: for the simulated robot only.',
        ('auto', 'true', 'false'),
    ),
    switch('dry_run', 'false', 'Do everything except publish commands.'),
    Argument('duration', '0.0', 's of walking, then the run fades out; 0: until Ctrl-C.'),
    Argument('vx', '0.0', 'm/s forward, while no cmd_vel is alive.'),
    Argument('vy', '0.0', 'm/s to the left, while no cmd_vel is alive.'),
    Argument('wz', '0.0', 'rad/s to the left, while no cmd_vel is alive.'),
    Argument('seed', '0', 'Seed of the simulation.'),
    *SIMULATION_ARGUMENTS,
    switch(
        'robot_state',
        'false',
        'Publish robot_description, /tf and markers, for RViz and Foxglove.',
    ),
    switch(
        'command_sequences',
        'false',
        'Play command sequences by name, with the parameter `play` (docs/sequences.md).',
    ),
    switch(
        'udp_commands',
        'false',
        "Listen for K-Scale's JSON commands on UDP port 10000 of this machine (docs/graph.md).",
    ),
    Argument(
        'udp_host',
        '127.0.0.1',
        'Address to listen on (udp_commands); beyond loopback it needs udp_allow_from.',
    ),
    Argument('udp_port', '10000', 'Port to listen on (udp_commands).'),
    Argument(
        'udp_allow_from',
        '',
        'Senders that are heard (udp_commands): addresses or networks, with commas between them.',
    ),
    switch('viewer', 'false', 'Show the simulated robot in a window.'),
    Argument('video', '', 'Film the simulated robot into this .mp4 file, off screen.'),
)


def parse(words: list[str]) -> dict[str, str]:
    """
    Parse `name:=value` words into all arguments, with defaults for the others.

    :raises ConfigError: a word of another form, an unknown name, a value that is no choice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, separator, text = word.partition(':=')
        if not separator:
            raise ConfigError(f'argument {word!r}: expected name:=value (see --show-args)')
        found[name] = text
    return complete(found)


def complete(found: Mapping[str, str]) -> dict[str, str]:
    """
    Return all arguments, with defaults for those that are not found.

    :raises ConfigError: an unknown name, or a value that is no choice.
    """
    known = {argument.name: argument for argument in ARGUMENTS}
    for name, text in found.items():
        if name not in known:
            raise ConfigError(describe_unknown(name, known))
        choices = known[name].choices
        if choices and text not in choices:
            raise ConfigError(f'argument {name}: found {text!r}, expected {" or ".join(choices)}')
    return {name: found.get(name, argument.default) for name, argument in known.items()}


def describe_unknown(name: str, known: Iterable[str]) -> str:
    """Return the error of an unknown argument, with the nearest known one."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    hint = f'; did you mean {near[0]}?' if near else '.'
    return f'argument {name!r} is unknown{hint} Known: {", ".join(known)}'


def changed(arguments: Mapping[str, str]) -> set[str]:
    """Return the names of the arguments that differ from their defaults."""
    return {a.name for a in ARGUMENTS if arguments[a.name] != a.default}


def read_number(
    arguments: Mapping[str, str], name: str, kind: type[int] | type[float] = float
) -> int | float:
    """:raises ConfigError: the argument is no finite number of this kind."""
    try:
        number = kind(arguments[name])
        if abs(number) < math.inf:
            return number
    except ValueError:
        pass
    expected = 'a whole number' if kind is int else 'a number'
    raise ConfigError(f'argument {name}: found {arguments[name]!r}, expected {expected}')


def check_namespace(namespace: str) -> None:
    """:raises ConfigError: it is no ROS namespace."""
    if namespace and not is_ros_name(namespace):
        raise ConfigError(f'argument namespace: found {namespace!r}, expected {ROS_NAME_RULE}')


def check_params_file(path: str) -> None:
    """:raises ConfigError: it cannot be read, or holds no parameters."""
    if not path:
        return
    content = read_yaml(Path(path), ConfigError, 'params_file')
    if not isinstance(content, dict) or not _has_parameters(content):
        raise ConfigError(
            f'params_file {path}: found {type(content).__name__} without ros__parameters, '
            'expected nodes with ros__parameters, as in config/policy.yaml'
        )


def _has_parameters(content: dict[str, Any], depth: int = 0) -> bool:
    """Whether every entry is a node with ros__parameters, or a namespace with nodes."""
    for entry in content.values():
        if not isinstance(entry, dict) or depth > MAX_NAMESPACES:
            return False
        if not isinstance(entry.get('ros__parameters'), dict | None):
            return False
        if 'ros__parameters' not in entry and not _has_parameters(entry, depth + 1):
            return False
    return True
