"""The nodes of the walking graph and their parameters, for the launch files and `walk`."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import yaml

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import ModelError
from kinfer_ros.launching.arguments import changed
from kinfer_ros.launching.arguments import check_namespace
from kinfer_ros.launching.arguments import check_params_file
from kinfer_ros.launching.arguments import read_number
from kinfer_ros.launching.simulation import read_mounting
from kinfer_ros.launching.simulation import refuse_on_hardware
from kinfer_ros.launching.simulation import simulation_parameters
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.share import shipped_policy

ParameterValue = bool | int | float | str | list[float] | list[int] | list[str]


@dataclass(frozen=True)
class NodeSpec:
    """
    One node of the graph.

    :ivar executable: its name in lib/kinfer_ros, and the node's name.
    :ivar defaults: parameters that a params_file may override.
    :ivar given: parameters that arguments of the user set; they win.
    """

    executable: str
    defaults: dict[str, ParameterValue] = field(default_factory=dict)
    given: dict[str, ParameterValue] = field(default_factory=dict)


def nodes(arguments: Mapping[str, str]) -> list[NodeSpec]:
    """
    Return the nodes of the graph, bridge first.

    :param arguments: all of ARGUMENTS, from `parse` or `complete`.
    :raises ConfigError: a value of the wrong type, or arguments that exclude each other.
    """
    check_namespace(arguments['namespace'])
    check_params_file(arguments['params_file'])
    simulated = arguments['bridge'] == 'mujoco'
    lockstep = arguments['lockstep'] == 'true' or _films_in_lockstep(arguments)
    if lockstep and not simulated:
        raise ConfigError('lockstep:=true needs bridge:=mujoco: a real robot does not wait')
    if not simulated:
        refuse_on_hardware(changed(arguments), arguments['bridge'])
    slow = read_number(arguments, 'slowdown') != 1.0
    if lockstep and slow:
        raise ConfigError('slowdown: found with lockstep:=true, which follows no clock')
    sim_time = lockstep or slow or arguments['use_sim_time'] == 'true'
    if arguments['publish_clock'] == 'false' and (lockstep or slow or not sim_time):
        raise ConfigError(
            'publish_clock:=false needs use_sim_time:=true, and neither lockstep nor slowdown: '
            'the bridge then follows the /clock of another publisher'
        )
    # Not set where it is false: SetParameter of a larger launch file has to reach the nodes.
    common: dict[str, ParameterValue] = {'use_sim_time': True} if sim_time else {}
    found = []
    mounting = read_mounting(arguments)
    if simulated:
        found.append(_bridge(arguments, lockstep=lockstep, sim_time=sim_time, mounting=mounting))
    elif arguments['bridge'] == 'kos':
        found.append(_kos_bridge(arguments, common))
    elif arguments['bridge'] == 'unitree':
        found.append(_unitree_bridge(arguments, common))
    elif arguments['bridge'] == 'ros2_control':
        found.append(_ros2_control_bridge(arguments, common))
    policy = _policy(arguments, common, simulated=simulated, lockstep=lockstep)
    if mounting:
        policy.given['imu_mounting'] = mounting
    found.append(policy)
    if arguments['record'] == 'true':
        found.append(NodeSpec('recorder', dict(common)))
    if arguments['command_sequences'] == 'true':
        found.append(NodeSpec('command_sequences', dict(common)))
    if arguments['udp_commands'] == 'true':
        found.append(_udp_commands(arguments, common))
    elif unused := sorted(changed(arguments) & {'udp_host', 'udp_port', 'udp_allow_from'}):
        raise ConfigError(f'argument {unused[0]} needs udp_commands:=true')
    if arguments['robot_state'] == 'true':
        namespace = arguments['namespace'].strip('/')
        prefix = f'{namespace}/' if namespace else ''
        given: dict[str, ParameterValue] = {'robot': arguments['robot']}
        given |= {name: arguments[name] for name in ('mjcf', 'imu_site') if arguments[name]}
        if mounting:
            given['imu_mounting'] = mounting
        found.append(NodeSpec('robot_state', {**common, 'frame_prefix': prefix}, given))
    return found


def _films_in_lockstep(arguments: Mapping[str, str]) -> bool:
    """Whether nobody said how a film is to be made, and no other argument needs a clock."""
    return (
        arguments['lockstep'] == 'auto'
        and bool(arguments['video'])
        and arguments['bridge'] == 'mujoco'
        and arguments['viewer'] == 'false'
        and not changed(arguments) & {'slowdown', 'use_sim_time', 'publish_clock'}
    )


def _bridge(
    arguments: Mapping[str, str], *, lockstep: bool, sim_time: bool, mounting: list[float]
) -> NodeSpec:
    publishes = sim_time and arguments['publish_clock'] == 'true'
    scan = _scan_grid(arguments['spec'])
    return NodeSpec(
        'mujoco_bridge',
        # The publisher of the clock does not follow it.
        defaults={'use_sim_time': not publishes} if sim_time else {},
        given={
            'robot': arguments['robot'],
            'lockstep': lockstep,
            'publish_clock': publishes,
            'seed': read_number(arguments, 'seed', int),
            'viewer': arguments['viewer'] == 'true',
            'video': arguments['video'],
            **simulation_parameters(arguments, changed(arguments)),
            **({'height_scan': scan} if scan else {}),
            **({'imu_mounting': mounting} if mounting else {}),
        },
    )


def _scan_grid(spec: str) -> list[float]:
    """Return the grid of a spec's height scan, as the bridge's parameter; [] without one."""
    # A file that cannot be read is the policy node's to report.
    try:
        scan = load_spec(spec).scan if spec else None
    except ModelError:
        return []
    if scan is None or scan.grid is None:
        return []
    return [*scan.grid.size, scan.grid.resolution, *scan.grid.center]


def _refuse_sim_time(arguments: Mapping[str, str]) -> None:
    if arguments['use_sim_time'] == 'true':
        raise ConfigError(
            f'use_sim_time:=true needs a /clock, which bridge:={arguments["bridge"]} does not '
            'publish'
        )


def _refuse_auto_enable(arguments: Mapping[str, str]) -> None:
    if 'auto_enable' in changed(arguments):
        raise ConfigError(
            f'auto_enable is for bridge:=kos: with bridge:={arguments["bridge"]} a robot is '
            'enabled by ~/enable alone'
        )


def _ros2_control_bridge(
    arguments: Mapping[str, str], common: Mapping[str, ParameterValue]
) -> NodeSpec:
    _refuse_auto_enable(arguments)
    given: dict[str, ParameterValue] = {'robot': arguments['robot']}
    differing = changed(arguments)
    if 'controller' in differing:
        given['controller'] = arguments['controller']
    if 'gains_set_outside' in differing:
        given['gains_set_outside'] = True
    return NodeSpec('ros2_control_bridge', dict(common), given)


def _unitree_bridge(
    arguments: Mapping[str, str], common: Mapping[str, ParameterValue]
) -> NodeSpec:
    _refuse_sim_time(arguments)
    _refuse_auto_enable(arguments)
    given: dict[str, ParameterValue] = {'robot': arguments['robot']}
    if 'network_interface' in changed(arguments):
        given['network_interface'] = arguments['network_interface']
    return NodeSpec('unitree_bridge', dict(common), given)


def _kos_bridge(arguments: Mapping[str, str], common: Mapping[str, ParameterValue]) -> NodeSpec:
    _refuse_sim_time(arguments)
    given: dict[str, ParameterValue] = {'robot': arguments['robot']}
    differing = changed(arguments)
    if 'kos_host' in differing:
        given['kos_host'] = arguments['kos_host']
    if 'kos_port' in differing:
        given['kos_port'] = read_number(arguments, 'kos_port', int)
    if 'kos_backend' in differing:
        given['backend'] = arguments['kos_backend']
    if 'auto_enable' in differing:
        given['auto_enable'] = arguments['auto_enable'] == 'true'
    return NodeSpec('kos_bridge', dict(common), given)


def _udp_commands(arguments: Mapping[str, str], common: Mapping[str, ParameterValue]) -> NodeSpec:
    given: dict[str, ParameterValue] = {}
    differing = changed(arguments)
    if 'udp_host' in differing:
        given['host'] = arguments['udp_host']
    if 'udp_port' in differing:
        given['port'] = read_number(arguments, 'udp_port', int)
    if 'udp_allow_from' in differing:
        listed = arguments['udp_allow_from'].split(',')
        given['allow_from'] = [each.strip() for each in listed]
    return NodeSpec('udp_commands', dict(common), given)


def _policy(
    arguments: Mapping[str, str],
    common: dict[str, ParameterValue],
    *,
    simulated: bool,
    lockstep: bool,
) -> NodeSpec:
    robot = arguments['robot']
    shipped = shipped_policy(robot)
    given: dict[str, ParameterValue] = {'robot': robot, 'lockstep': lockstep}
    defaults: dict[str, ParameterValue] = {
        **common,
        'model': str(shipped or ''),
        'autostart': simulated,
        'auto_run': simulated,
    }
    for name in ('model', 'spec', 'policies'):
        if arguments[name]:
            given[name] = arguments[name]
    if arguments['policies']:
        defaults['model'] = ''
    for name in ('autostart', 'auto_run'):
        if arguments[name] != 'auto':
            given[name] = arguments[name] == 'true'
    differing = changed(arguments)
    if differing & {'vx', 'vy', 'wz'}:
        given['default_command'] = [read_number(arguments, name) for name in ('vx', 'vy', 'wz')]
    if 'duration' in differing:
        given['duration'] = read_number(arguments, 'duration')
    if 'runs_dir' in differing:
        given['runs_dir'] = arguments['runs_dir']
    for name in ('record', 'dry_run'):
        if name in differing:
            given[name] = arguments[name] == 'true'
    # A walk in lockstep may end before DDS has discovered the recorder.
    given['wait_for_recorder'] = arguments['record'] == 'true'
    return NodeSpec('policy_node', defaults, given)


def ros_arguments(spec: NodeSpec, params_file: str) -> list[str]:
    """
    Return the `--ros-args` that set a node's parameters; later ones win.

    :return: for `cli_args` of an rclpy node: defaults, then the file, then `given`.
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
    """Write a value as YAML on one line, for rcl."""
    return str(yaml.safe_dump(entry, default_flow_style=True, width=1_000_000)).split('\n')[0]
