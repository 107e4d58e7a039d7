"""`python -m kinfer_ros node`: start, stop, enable, tune and push the nodes of a running graph.

It does over the graph what `ros2 lifecycle`, `service`, `param` and `topic` do, for where there is
no `ros2`: the wheels have none.
"""

import argparse
import json
import math
import re
import sys
from typing import TYPE_CHECKING
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import add_node_arguments
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.control.motion import WORDS as MOTION_WORDS
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import GraphError
from kinfer_ros.untrusted import load_yaml

if TYPE_CHECKING:
    from kinfer_ros.ros.live.node_client import NodeClient

MAX_VALUE = 4096
"""Characters of a value."""
INT64 = 2**63
CODES = '0: done; 1: refused, no answer, or no such node'

TRIGGERS = {
    'stop': 'soft stop of the policy node: it damps, and stays stopped until reset',
    'start': 'from hold to run',
    'reset': 'end a fault or a stop: the policy node may be activated again',
}
LIFECYCLE = {
    'configure': 'load the policy, wait for sensors, check them',
    'activate': 'move to the start pose and hold',
    'deactivate': 'fade out to damping',
    'cleanup': 'close the run, so that configure can read everything again',
}
SWITCHES = {
    'enable': ('enable', True, 'let the bridge obey commands; on a real robot: torque on'),
    'disable': ('enable', False, 'let the bridge go limp, on a real robot with a ramp'),
    'pause': ('pause', True, 'stop simulated time (MuJoCo bridge)'),
    'resume': ('pause', False, 'let simulated time go on (MuJoCo bridge)'),
}
"""Service of the bridge, what it is called with, and help."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'node',
        'Ask the nodes of a running graph, over the graph, for what `ros2 lifecycle`, `ros2 '
        'service` and `ros2 param` ask them; needs no `ros2`. It waits a few seconds for a node, '
        'and a minute for a transition.',
        'node list',
        'node stop',
        'node set kp_factor 1.1 kd_factor 1.1',
        codes=CODES,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def add(name: str, text: str, *examples: str) -> argparse.ArgumentParser:
        each: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=f'{text[0].upper()}{text[1:]}.'
        )
        add_epilog(each, *(examples or (f'node {name}',)), codes=CODES)
        add_node_arguments(each)
        add_json_argument(each)
        return each

    add('list', 'list policy nodes and bridges with their state', 'node list --json')
    _add_bridge(add('mode', 'show the mode of the policy node and the state of the bridge'))
    for name, text in (TRIGGERS | LIFECYCLE).items():
        add(name, text)
    for name, (_, _, text) in SWITCHES.items():
        _add_bridge(add(name, text))
    _add_bridge(add('step', 'simulate one control period of a paused simulation (MuJoCo bridge)'))
    motion = add(
        'motion', "start, pause, restart or stop the policy's motion", 'node motion start'
    )
    motion.add_argument('word', choices=MOTION_WORDS, help='what the motion does')
    setting = add(
        'set',
        'set parameters of the policy node, all or none, in one tick',
        'node set kp_factor 1.1 kd_factor 1.1',
        "node set default_command '[0.2, 0.0, 0.0]'",
        'node set --node mujoco_bridge command_timeout 1.0',
    )
    setting.add_argument('pairs', nargs='+', metavar='NAME VALUE', help='values are YAML')
    getting = add(
        'get', 'print parameters of the policy node', 'node get', 'node get kp_factor model'
    )
    getting.add_argument('names', nargs='*', default=[], metavar='NAME', help='default: all')
    pushing = add('push', 'push the simulated robot (MuJoCo bridge)', 'node push 0.3 0 0')
    for axis in 'xyz':
        pushing.add_argument(axis, type=float, metavar=axis.upper(), help='m/s, world frame')
    _add_bridge(pushing)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 for what the graph refuses, 2 for a user error."""
    if arguments.command == 'set':
        arguments.values = read_pairs(arguments.pairs)
    elif arguments.command == 'push':
        arguments.push = [arguments.x, arguments.y, arguments.z]
        if not all(map(math.isfinite, arguments.push)):
            raise ConfigError(f'push: found {arguments.push}, expected finite numbers in m/s')
    # Imported here: --help works without ROS.
    from kinfer_ros.ros.live.node_client import node_client

    with node_client(arguments.namespace) as client:
        # Inside: Fast DDS may crash where it leaves the graph, and the answer has been given then.
        return _answer(client, arguments)


def _answer(client: 'NodeClient', arguments: argparse.Namespace) -> int:
    """Ask, and print the answer; :return: the exit code."""
    try:
        answer, text = _ask(client, arguments)
    except GraphError as error:
        if arguments.json:
            print(json.dumps({'done': False, 'reason': str(error)}), flush=True)
        print(f'error: {error}', file=sys.stderr, flush=True)
        return 1
    answered = json.dumps(plain(answer), indent=2, allow_nan=False) if arguments.json else text
    print(answered, flush=True)
    return 0


def read_pairs(words: list[str]) -> dict[str, Any]:
    """
    Read NAME VALUE NAME VALUE ...

    :raises ConfigError: a value is missing or cannot be one, or a name comes twice.
    """
    if len(words) % 2:
        raise ConfigError(f'set: found {len(words)} words, expected pairs: NAME VALUE ...')
    names = words[::2]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f'set: found {twice} twice, expected one value')
    return {name: read_value(name, text) for name, text in zip(names, words[1::2], strict=True)}


def read_value(name: str, text: str) -> Any:
    """
    Read the value of a parameter, YAML as in `ros2 param set`: a scalar, or a list of one type.

    :raises ConfigError: it is none.
    """
    wanted = 'expected true, false, a number, a text, or a list of one of these'
    if len(text) > MAX_VALUE:
        raise ConfigError(f'set: {name}: found {len(text)} characters, at most {MAX_VALUE}')
    try:
        value = load_yaml(text) if text else ''
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f'set: {name}: found {text!r}, which is not YAML; {wanted}') from None
    entries = [_number(entry) for entry in (value if isinstance(value, list) else [value])]
    kinds = {type(entry) for entry in entries}
    if kinds == {int, float}:
        entries, kinds = [float(entry) for entry in entries], {float}
    if len(kinds) != 1 or not kinds <= {bool, int, float, str}:
        raise ConfigError(f'set: {name}: found {text!r}, {wanted}')
    if kinds == {int} and not all(-INT64 <= entry < INT64 for entry in entries):
        raise ConfigError(f'set: {name}: found {text!r}, expected a number of 64 bits')
    return entries if isinstance(value, list) else entries[0]


def _number(value: Any) -> Any:
    """Read `1e-3` as people mean it; YAML 1.1 takes it for a text."""
    exponent = isinstance(value, str) and re.fullmatch(r'[+-]?\d+\.?\d*[eE][+-]?\d+', value)
    return float(value) if exponent else value


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numbers that are not finite as text."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _add_bridge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--bridge', default='', help='name of the bridge (default: who publishes bridge_state)'
    )


def _ask(client: 'NodeClient', arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """:return: the answer for --json, and as text."""
    name, node = arguments.command, client.full_name(arguments.node)
    if name == 'list':
        return _list(client)
    if name == 'mode':
        return _mode(client, node, arguments.bridge)
    if name == 'get':
        values = client.get_parameters(node, arguments.names)
        return values, '\n'.join(f'{key}: {_yaml(each)}' for key, each in values.items())
    if name in TRIGGERS:
        message = client.trigger(node, name)
    elif name == 'motion':
        message = client.trigger(node, f'motion/{arguments.word}')
    elif name in LIFECYCLE:
        message = client.transition(node, name)
    elif name == 'set':
        client.set_parameters(node, arguments.values)
        message = ', '.join(f'{key} {_yaml(each)}' for key, each in arguments.values.items())
    else:
        node = client.bridge(arguments.bridge)
        message = _ask_bridge(client, node, arguments)
    answer = {'done': True, 'node': node, 'message': message}
    return answer, f'{node}: {name}: {message or "done"}'


def _ask_bridge(client: 'NodeClient', bridge: str, arguments: argparse.Namespace) -> str:
    if arguments.command == 'push':
        client.set_parameters(bridge, {'push': arguments.push})
        return f'{_yaml(arguments.push)} m/s'
    if arguments.command == 'step':
        return client.trigger(bridge, 'step')
    service, value, _ = SWITCHES[arguments.command]
    return client.set_bool(bridge, service, value)


def _list(client: 'NodeClient') -> tuple[dict[str, Any], str]:
    policies, bridges = client.find_all()
    if not policies and not bridges:
        raise GraphError(
            'found no policy node and no bridge; `doctor` tests whether nodes are found'
        )
    answer = {
        'policy_nodes': [
            {'node': each, 'mode': client.latched(f'{each}/mode')} for each in policies
        ],
        'bridges': [{'node': each, 'bridge_state': client.bridge_state(each)} for each in bridges],
    }
    rows = [(each['node'], each['mode']) for each in answer['policy_nodes']]
    rows += [(each['node'], each['bridge_state']) for each in answer['bridges']]
    width = max(len(str(node)) for node, _ in rows)
    return answer, '\n'.join(f'{node:<{width}}  {text or "silent"}' for node, text in rows)


def _mode(client: 'NodeClient', node: str, bridge: str) -> tuple[dict[str, Any], str]:
    mode = client.mode(node)
    try:
        found = client.bridge(bridge)
        state = client.bridge_state(found)
    except GraphError as error:
        return {'node': node, 'mode': mode, 'bridge': None, 'bridge_state': None}, (
            f'mode          {mode}\nbridge_state  {error}'
        )
    answer = {'node': node, 'mode': mode, 'bridge': found, 'bridge_state': state}
    return answer, f'mode          {mode}\nbridge_state  {state or "silent"}'


def _yaml(value: Any) -> str:
    """Return a value as `set` reads it."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return text.removesuffix('\n').removesuffix('\n...')
