"""`python -m kinfer_ros kos`: show a KOS robot's actuators, or move it slowly to home.

Both connect directly, without ROS: they test robot, network and robot file before a node starts.
"""

import argparse
from pathlib import Path

from kinfer_ros.bridges.kos.options import AUTO
from kinfer_ros.bridges.kos.options import BACKENDS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.robot.kos_home import SPEED
from kinfer_ros.cli.robot.kos_home import home
from kinfer_ros.cli.robot.kos_state import state


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'kos',
        "Show a KOS robot's actuators, or move it slowly to home (docs/kos.md).",
        'kos state --host 192.168.1.20',
        'kos home --host 192.168.1.20 --speed 0.2',
        codes='0: the robot is well; 1: it is not',
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    looking = commands.add_parser(
        'state',
        help='show a live table of the actuators; does not move the robot',
        description='Show the actuators and the IMU until Ctrl-C. Exit code with --once: 0, or 1 '
        'if an actuator or the IMU does not answer or reports a fault.',
    )
    looking.add_argument('--once', action='store_true', help='print one table and exit')
    homing = commands.add_parser(
        'home',
        help='switch the torque on and move slowly to the home pose',
        description='Switch the torque on, move slowly to the home pose of the robot file, hold '
        'it until Ctrl-C, then ramp the stiffness down and switch the torque off.',
    )
    homing.add_argument(
        '--speed', type=float, default=SPEED, help='rad/s of the fastest joint (%(default)s)'
    )
    homing.add_argument('--yes', action='store_true', help='move without asking for confirmation')
    add_epilog(
        looking,
        'kos state --host 192.168.1.20',
        'kos state --once --robot zbot',
        codes='0; with --once 1: an actuator or the IMU does not answer, or reports a fault',
    )
    add_epilog(
        homing,
        'kos home --host 192.168.1.20 --speed 0.2',
        codes='0: moved home and released; 1: the robot stopped on its own',
    )
    for each in (looking, homing):
        _add_connection(each)
    return parser


@command(make_parser, draws=True)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 for a problem of the robot, 2 for a user error."""
    connection = Connection(
        host=arguments.host,
        port=arguments.port,
        timeout=arguments.timeout,
        tls=arguments.tls,
        ca_file=arguments.tls_ca,
        cert_file=arguments.tls_cert,
        key_file=arguments.tls_key,
        tls_name=arguments.tls_name,
    )
    check_connection(connection)
    if arguments.command == 'state':
        return state(connection, arguments.robot, arguments.backend, once=arguments.once)
    return home(
        connection, arguments.robot, arguments.backend, arguments.speed, sure=arguments.yes
    )


def _add_connection(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_robot_argument(parser, 'kbot')
    add('--host', default='127.0.0.1', help='host of the KOS server (%(default)s)')
    add('--port', type=int, default=50051, help='its port (%(default)s)')
    add('--backend', default=AUTO, choices=(AUTO, *BACKENDS), help='type of the server')
    add('--timeout', type=float, default=0.5, help='deadline of a call, s (%(default)s)')
    add('--tls', action='store_true', help='use TLS')
    add('--tls-ca', type=Path, help='PEM file with the certificates to trust')
    add('--tls-cert', type=Path, help='PEM file with our certificate')
    add('--tls-key', type=Path, help='PEM file with its key')
    add('--tls-name', default='', help="name in the server's certificate, if not the host")
