"""The walking robot's graph as data: its arguments, its nodes and their parameters.

The launch file and `python -m kinfer_ros walk` both read it, so that they cannot drift apart.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from kinfer_ros.errors import ConfigError
from kinfer_ros.share import share_dir

ParameterValue = bool | int | float | str | list[float] | list[str]


@dataclass(frozen=True)
class Argument:
    """One argument of walk.launch.py and of `walk`; `name:=value`, the value as YAML."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


ARGUMENTS = (
    Argument(
        'model',
        '',
        'Policy file (.kinfer or .onnx). Empty: the policy that ships with the robot.',
    ),
    Argument(
        'spec',
        '',
        'Policy spec (YAML) of an .onnx file that takes one flat vector, see docs/policies.md.',
    ),
    Argument('robot', 'biped', 'Robot: a name in config/robots, or the path of a robot YAML.'),
    Argument(
        'bridge',
        'mujoco',
        'The robot side to start: the MuJoCo robot, a robot that KOS runs (docs/kos.md), or none '
        '(yours runs already).',
        ('mujoco', 'kos', 'none'),
    ),
    Argument('kos_host', '127.0.0.1', 'Host name or address of the KOS server (bridge:=kos).'),
    Argument('kos_port', '50051', 'Port of the KOS server (bridge:=kos).'),
    Argument(
        'kos_backend',
        'auto',
        'What the KOS server is; auto: kos-zbot for the robot zbot, else kos-kbot.',
        ('auto', 'kos-kbot', 'kos-zbot', 'kos-sim'),
    ),
    Argument(
        'auto_enable',
        'false',
        'Switch the torque on without ~/enable (bridge:=kos). For simulated robots.',
        ('true', 'false'),
    ),
    Argument('namespace', '', 'Namespace of all nodes; topic names are relative to it.'),
    Argument(
        'params_file',
        '',
        'YAML with node parameters, see config/policy.yaml. Arguments that are given win over it.',
    ),
    Argument(
        'use_sim_time',
        'false',
        'Nodes live on /clock, which the MuJoCo bridge then publishes.',
        ('true', 'false'),
    ),
    Argument(
        'publish_clock',
        'true',
        'With use_sim_time: false makes the MuJoCo bridge follow the /clock of another one. A '
        'graph has one clock publisher.',
        ('true', 'false'),
    ),
    Argument(
        'lockstep',
        'false',
        'The simulation waits for each command: bit-equal runs, faster than real time. '
        'Implies use_sim_time.',
        ('true', 'false'),
    ),
    Argument(
        'record',
        'true',
        'Write steps.ndjson and a rosbag into the run directory.',
        ('true', 'false'),
    ),
    Argument(
        'runs_dir',
        'runs',
        'Directory in which each run makes its own, with `latest` a link to it.',
    ),
    Argument(
        'autostart',
        'auto',
        'Configure and activate without being asked; auto: for the simulated robot only.',
        ('auto', 'true', 'false'),
    ),
    Argument(
        'auto_run',
        'auto',
        'Go on from hold to run without ~/start; auto: for the simulated robot only.',
        ('auto', 'true', 'false'),
    ),
    Argument('dry_run', 'false', 'Do everything but publish commands.', ('true', 'false')),
    Argument('duration', '0.0', 's of walking, then the run ends softly; 0: until Ctrl-C.'),
    Argument('vx', '0.0', 'm/s forward, while no cmd_vel is alive.'),
    Argument('vy', '0.0', 'm/s to the left, while no cmd_vel is alive.'),
    Argument('wz', '0.0', 'rad/s to the left, while no cmd_vel is alive.'),
    Argument('seed', '0', 'Seed of the simulation.'),
    Argument(
        'robot_state',
        'false',
        'Publish robot_description, /tf and markers, for RViz and Foxglove.',
        ('true', 'false'),
    ),
    Argument('viewer', 'false', 'Show the simulated robot in a window.', ('true', 'false')),
    Argument('video', '', 'Film the simulated robot into this .mp4 file, off screen.'),
)


@dataclass(frozen=True)
class NodeSpec:
    """
    One node of the graph.

    :ivar executable: its name in lib/kinfer_ros, and the node's name.
    :ivar defaults: parameters that a params_file may override.
    :ivar given: parameters the user asked for by an argument; they win.
    """

    executable: str
    defaults: dict[str, ParameterValue] = field(default_factory=dict)
    given: dict[str, ParameterValue] = field(default_factory=dict)


def parse(words: list[str]) -> dict[str, str]:
    """
    Turn `name:=value` words into all arguments, defaults filled in.

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
    Fill in the defaults.

    :raises ConfigError: an unknown name, or a value that is no choice.
    """
    known = {argument.name: argument for argument in ARGUMENTS}
    for name, text in found.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f'; did you mean {near[0]}?' if near else ''
            raise ConfigError(f'argument {name!r} is unknown{hint} Known: {", ".join(known)}')
        choices = known[name].choices
        if choices and text not in choices:
            raise ConfigError(f'argument {name}: found {text!r}, expected {" or ".join(choices)}')
    return {name: found.get(name, argument.default) for name, argument in known.items()}


def nodes(arguments: Mapping[str, str]) -> list[NodeSpec]:
    """
    Nodes of the graph, bridge first.

    :param arguments: all of ARGUMENTS, as `parse` or `complete` gives them.
    :raises ConfigError: a value of the wrong type, or arguments that exclude each other.
    """
    _check_namespace(arguments['namespace'])
    _check_params_file(arguments['params_file'])
    simulated = arguments['bridge'] == 'mujoco'
    lockstep = arguments['lockstep'] == 'true'
    if lockstep and not simulated:
        raise ConfigError('lockstep:=true needs bridge:=mujoco: a real robot waits for nobody')
    sim_time = lockstep or arguments['use_sim_time'] == 'true'
    if arguments['publish_clock'] == 'false' and (lockstep or not sim_time):
        raise ConfigError(
            'publish_clock:=false needs use_sim_time:=true, and no lockstep: the bridge then '
            'follows a /clock that somebody else publishes'
        )
    common: dict[str, ParameterValue] = {'use_sim_time': sim_time}
    found = []
    if simulated:
        found.append(_bridge(arguments, lockstep=lockstep, sim_time=sim_time))
    elif arguments['bridge'] == 'kos':
        found.append(_kos_bridge(arguments, common))
    found.append(_policy(arguments, common, simulated=simulated, lockstep=lockstep))
    if arguments['record'] == 'true':
        found.append(NodeSpec('recorder', dict(common)))
    if arguments['robot_state'] == 'true':
        namespace = arguments['namespace'].strip('/')
        prefix = f'{namespace}/' if namespace else ''
        given: dict[str, ParameterValue] = {'robot': arguments['robot']}
        found.append(NodeSpec('robot_state', {**common, 'frame_prefix': prefix}, given))
    return found


def _check_namespace(namespace: str) -> None:
    if namespace and not re.fullmatch(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', namespace, re.ASCII):
        raise ConfigError(
            f'argument namespace: found {namespace!r}, expected names of letters, digits and _, '
            'with / between them'
        )


def _check_params_file(path: str) -> None:
    if not path:
        return
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f'params_file {path}: cannot be read ({error.strerror})') from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f'params_file {path}: is not YAML: {error}') from error
    if not isinstance(content, dict):
        raise ConfigError(
            f'params_file {path}: found a {type(content).__name__}, expected nodes with '
            'ros__parameters, as in config/policy.yaml'
        )


def _bridge(arguments: Mapping[str, str], *, lockstep: bool, sim_time: bool) -> NodeSpec:
    publishes = sim_time and arguments['publish_clock'] == 'true'
    return NodeSpec(
        'mujoco_bridge',
        # Who publishes the clock makes the time that the others use.
        defaults={'use_sim_time': sim_time and not publishes},
        given={
            'robot': arguments['robot'],
            'lockstep': lockstep,
            'publish_clock': publishes,
            'seed': _whole(arguments, 'seed'),
            'viewer': arguments['viewer'] == 'true',
            'video': arguments['video'],
        },
    )


def _kos_bridge(arguments: Mapping[str, str], common: Mapping[str, ParameterValue]) -> NodeSpec:
    if arguments['use_sim_time'] == 'true':
        raise ConfigError('use_sim_time:=true needs a /clock, and no KOS robot publishes one')
    given: dict[str, ParameterValue] = {'robot': arguments['robot']}
    changed = _changed(arguments)
    if 'kos_host' in changed:
        given['kos_host'] = arguments['kos_host']
    if 'kos_port' in changed:
        given['kos_port'] = _whole(arguments, 'kos_port')
    if 'kos_backend' in changed:
        given['backend'] = arguments['kos_backend']
    if 'auto_enable' in changed:
        given['auto_enable'] = arguments['auto_enable'] == 'true'
    return NodeSpec('kos_bridge', dict(common), given)


def _changed(arguments: Mapping[str, str]) -> set[str]:
    return {a.name for a in ARGUMENTS if arguments[a.name] != a.default}


def _policy(
    arguments: Mapping[str, str],
    common: dict[str, ParameterValue],
    *,
    simulated: bool,
    lockstep: bool,
) -> NodeSpec:
    robot = arguments['robot']
    shipped = share_dir() / 'robots' / Path(robot).stem / 'walk.kinfer'
    given: dict[str, ParameterValue] = {'robot': robot, 'lockstep': lockstep}
    defaults: dict[str, ParameterValue] = {
        **common,
        'model': str(shipped) if shipped.is_file() else '',
        'autostart': simulated,
        'auto_run': simulated,
    }
    for name in ('model', 'spec'):
        if arguments[name]:
            given[name] = arguments[name]
    for name in ('autostart', 'auto_run'):
        if arguments[name] != 'auto':
            given[name] = arguments[name] == 'true'
    changed = _changed(arguments)
    if changed & {'vx', 'vy', 'wz'}:
        given['default_command'] = [_number(arguments, name) for name in ('vx', 'vy', 'wz')]
    if 'duration' in changed:
        given['duration'] = _number(arguments, 'duration')
    if 'runs_dir' in changed:
        given['runs_dir'] = arguments['runs_dir']
    for name in ('record', 'dry_run'):
        if name in changed:
            given[name] = arguments[name] == 'true'
    # A walk in lockstep can be over before DDS has told the recorder that there is one.
    given['wait_for_recorder'] = arguments['record'] == 'true'
    return NodeSpec('policy_node', defaults, given)


def _number(arguments: Mapping[str, str], name: str) -> float:
    try:
        number = float(arguments[name])
        if not math.isfinite(number):
            raise ValueError
        return number
    except ValueError:
        raise ConfigError(
            f'argument {name}: found {arguments[name]!r}, expected a number'
        ) from None


def _whole(arguments: Mapping[str, str], name: str) -> int:
    try:
        return int(arguments[name])
    except ValueError:
        raise ConfigError(
            f'argument {name}: found {arguments[name]!r}, expected a whole number'
        ) from None


def ros_arguments(spec: NodeSpec, params_file: str) -> list[str]:
    """
    Words that give a node its parameters the way `ros2 run --ros-args` does; later ones win.

    :return: for `cli_args` of an rclpy node: defaults, then the file, then what was given.
    """
    words = ['--ros-args']
    for name, entry in spec.defaults.items():
        words += ['-p', f'{name}:={_yaml(entry)}']
    if params_file:
        words += ['--params-file', params_file]
    for name, entry in spec.given.items():
        words += ['-p', f'{name}:={_yaml(entry)}']
    return words


def _yaml(entry: Any) -> str:
    """Write a value as the YAML of one line that rcl parses."""
    return str(yaml.safe_dump(entry, default_flow_style=True, width=1_000_000)).split('\n')[0]
