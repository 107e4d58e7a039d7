"""`python -m kinfer_ros kos`: look at a KOS robot, move it home, zero and calibrate it.

All connect directly, without ROS: they test robot, network and robot file before a node starts.
"""

import argparse
from pathlib import Path
from typing import Any

from kinfer_ros.bridges.kos.options import AUTO
from kinfer_ros.bridges.kos.options import BACKENDS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.robot.kos_home import SPEED
from kinfer_ros.cli.robot.kos_home import home
from kinfer_ros.cli.robot.kos_state import state
from kinfer_ros.cli.robot.kos_upkeep import calibrate
from kinfer_ros.cli.robot.kos_upkeep import parameters
from kinfer_ros.cli.robot.kos_upkeep import simulate
from kinfer_ros.cli.robot.kos_upkeep import zero
from kinfer_ros.robot.robot import load_robot


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'kos',
        "Show a KOS robot's actuators, move it slowly to home, zero and calibrate it, and steer "
        'the simulation of kos-sim (docs/kos.md).',
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
    homing.add_argument(
        '--zero', action='store_true', help='move every joint to 0 rad, not to the home pose'
    )
    add_epilog(
        looking,
        'kos state --host 192.168.1.20',
        'kos state --once --robot zbot',
        codes='0; with --once 1: an actuator or the IMU does not answer, or reports a fault',
    )
    add_epilog(
        homing,
        'kos home --host 192.168.1.20 --speed 0.2',
        codes='0: moved home and released; 1: it stopped on its own, or its torque may be on',
    )
    zeroing, calibrating = _add_zero(commands), _add_calibrate(commands)
    for each in (homing, zeroing, calibrating):
        each.add_argument('--yes', action='store_true', help='do not ask for confirmation')
    for each in (looking, homing, zeroing, calibrating, *_add_others(commands)):
        _add_connection(each)
    return parser


def _add_zero(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        'zero',
        help='make the present pose of joints, or of the IMU, its zero',
        description='Switch the torque of joints off and make their present positions their '
        'zeros, for good; or zero the IMU. It asks for confirmation, and looks whether the server '
        'did it: some say so and do not.',
    )
    parser.add_argument(
        'parts', nargs='+', metavar='JOINT', help='names or ids of joints; all; or imu'
    )
    parser.add_argument('--duration', type=float, default=1.0, help='of the IMU, s (%(default)s)')
    add_epilog(
        parser,
        'kos zero dof_left_knee_04 35 --host 192.168.1.20',
        'kos zero imu --host 192.168.1.20',
        codes='0: zeroed; 1: the server said so, and did not do it',
    )
    return parser


def _add_calibrate(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        'calibrate',
        help="start the server's calibration of a joint, or of the IMU",
        description="Start the server's calibration of a joint, which may move it to its ends, or "
        'of the IMU. It asks for confirmation.',
    )
    parser.add_argument('part', metavar='JOINT', help='name or id of a joint; or imu')
    add_epilog(
        parser,
        'kos calibrate imu --host 192.168.1.20',
        codes='0: started or done; 1: it failed, or the server started nothing',
    )
    return parser


def _add_others(commands: Any) -> list[argparse.ArgumentParser]:
    """Add `parameters` and `sim`."""
    dumping = commands.add_parser(
        'parameters',
        help='print what the actuators have in their registers; does not move the robot',
        description='Print the parameters that the actuators report (kos-zbot).',
    )
    dumping.add_argument(
        'parts', nargs='*', default=[], metavar='JOINT', help='names or ids; default: all'
    )
    add_json_argument(dumping)
    add_epilog(
        dumping,
        'kos parameters --robot zbot --host 192.168.1.20',
        codes='0; 1: an actuator does not answer',
    )
    simulating = commands.add_parser(
        'sim',
        help='reset, pause, resume or step the simulation of kos-sim',
        description='Reset, pause, resume or step the simulation of kos-sim. A reset puts a free '
        'base upright, and all joints at 0 rad.',
    )
    simulating.add_argument('action', choices=('reset', 'pause', 'resume', 'step'))
    add = simulating.add_argument
    add('--height', type=float, default=1.05, help='of a free base after a reset, m (%(default)s)')
    add('--steps', type=int, default=1, help='physics steps (%(default)s)')
    add_epilog(
        simulating,
        'kos sim reset --height 1.05',
        codes='0: done, as the server says',
    )
    return [dumping, simulating]


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
    return _run(connection, arguments)


def _run(connection: Connection, arguments: argparse.Namespace) -> int:
    command, robot = arguments.command, arguments.robot
    if command == 'state':
        return state(connection, robot, arguments.backend, once=arguments.once)
    if command == 'home':
        return home(
            connection, robot, arguments.backend, arguments.speed,
            zero=arguments.zero, sure=arguments.yes,
        )  # fmt: skip
    if command == 'sim':
        return simulate(connection, arguments.action, arguments.height, arguments.steps)
    loaded = load_robot(robot)
    if command == 'zero':
        return zero(connection, loaded, arguments.parts, arguments.duration, arguments.yes)
    if command == 'calibrate':
        return calibrate(connection, loaded, arguments.part, arguments.yes)
    return parameters(connection, loaded, arguments.parts, arguments.json)


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
