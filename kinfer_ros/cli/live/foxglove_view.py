"""`python -m kinfer_ros watch --foxglove`: serve the topics of a running graph to Foxglove."""

import argparse
import ipaddress
import json
import sys
from pathlib import Path

from kinfer_ros.cli.common import require_module
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.archive import write_atomically
from kinfer_ros.viewers.foxglove_layout import SHIPPED
from kinfer_ros.viewers.foxglove_layout import layout_for

HOST, PORT = '127.0.0.1', 8765
"""What Foxglove's own dialog suggests."""


def add_foxglove_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `watch` for Foxglove."""
    add = parser.add_argument
    add('--foxglove', action='store_true', help='serve the topics to Foxglove instead of Rerun')
    add('--host', help=f'address to serve on (default {HOST}: this machine only)')
    add('--port', type=int, help=f'port to serve on (default {PORT}; 0: any)')


def check_arguments(arguments: argparse.Namespace) -> None:
    """:raises ConfigError: options that do not go together."""
    if not arguments.foxglove:
        if arguments.host is not None or arguments.port is not None:
            raise ConfigError('--host and --port are for --foxglove')
        return
    if arguments.run:
        raise ConfigError(
            'a recorded run needs no server: open its bag, RUN/bag/*.mcap, in Foxglove'
        )
    if arguments.out and arguments.out.suffix != '.json':
        raise ConfigError(
            f'--out: found {arguments.out}, expected a .json file: with --foxglove it takes the '
            'layout of the robot in --namespace'
        )
    if arguments.port is not None and not 0 <= arguments.port < 2**16:
        raise ConfigError(f'--port {arguments.port}, expected 0 to 65535')


def serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or the end of --seconds; :return: the exit code."""
    require_module('foxglove', 'watch --foxglove', 'foxglove-sdk')
    # Imported here: --help works without ROS.
    from kinfer_ros.ros.context import own_node
    from kinfer_ros.ros.live.served_graph import ServedGraph
    from kinfer_ros.viewers.foxglove_server import FoxgloveServer

    host = HOST if arguments.host is None else arguments.host
    port = PORT if arguments.port is None else arguments.port
    with own_node('foxglove_view', arguments.namespace) as node:
        mode = node.resolve_topic_name(f'{arguments.node}/mode')
        server = FoxgloveServer(host, port, 'kinfer_ros')
        try:
            _announce(host, server.port, quiet=arguments.json)
            layout = _layout(node.get_namespace(), arguments.out)
            if not arguments.json:
                print(f'layout       {layout}', flush=True)
            ServedGraph(node, server, _warn).follow(arguments.seconds)
        finally:
            server.close()
            if arguments.json:
                found = {'topics': server.topics, 'messages': server.sent}
                print(json.dumps({'host': host, 'port': server.port, **found}, indent=2))
    if mode not in server.topics:
        print(f'error: no policy node was found: nobody publishes {mode}', file=sys.stderr)
        return 1
    return 0


def _announce(host: str, port: int, *, quiet: bool) -> None:
    """Say how to look."""
    address = f'[{host}]' if ':' in host else host
    if not _is_loopback(host):
        _warn(
            f'{host} can be reached from other machines: whoever finds port {port} sees this '
            'robot; nobody can change anything'
        )
    if not quiet:
        print(f'serving      ws://{address}:{port}', flush=True)
        print('in Foxglove  Open connection, Foxglove WebSocket, this address')


def _layout(namespace: str, out: Path | None) -> str:
    """Write the layout of a robot, if that was asked for; :return: where a layout is."""
    if out is not None:
        text = json.dumps(layout_for(namespace), indent=2) + '\n'
        write_atomically(out, text.encode(), overwrite=True)
    elif namespace != '/':
        return f'--out FILE.json writes one for {namespace}; the shipped one has no namespace'
    return f'Layouts, Import from file: {out or SHIPPED}'


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def _warn(text: str) -> None:
    print(f'warning: {text}', file=sys.stderr)
