"""The parameters of the KOS bridge, and their values as one object."""

from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.kos.options import AUTO
from kinfer_ros.bridges.kos.options import GYRO_UNITS
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import backend_of
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.real_bridge import read_timeouts
from kinfer_ros.parameters import Declared
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value

KOS_PARAMETERS = (
    Declared('robot', 'kbot', '',
             'Robot: a name in config/robots, or the path of a YAML; its joints need ids.',
             read_only=True),
    Declared('kos_host', '127.0.0.1', '',
             'Host name or address of the KOS server.', read_only=True),
    Declared('kos_port', 50051, '', 'Port of the KOS server.', 1, 65535, read_only=True),
    Declared('backend', AUTO, '',
             'Kind of KOS server: kos-kbot, kos-zbot, kos-sim, or auto: by the robot (zbot: '
             'kos-zbot, else kos-kbot).', read_only=True),
    Declared('gyro_unit', AUTO, '',
             "Angle unit of the gyro: rad, deg, or auto: the robot YAML's.", read_only=True),
    Declared('sensor_rate', 200.0, 'Hz',
             'Rate of reads of joints and IMU; 0: as fast as the server answers.',
             0.0, 2000.0, read_only=True),
    Declared('phase_lead', 0.0, 's',
             'Each read begins this long before the next command is due, so that the policy gets '
             'a fresh sample; 0: no particular phase.', 0.0, 1.0, read_only=True),
    Declared('kos_timeout', 0.1, 's',
             'Deadline of each read and command.', 0.001, 10.0, read_only=True),
    Declared('kos_configure_timeout', 1.0, 's',
             'Deadline of the configuration of all actuators, which are configured at once.',
             0.001, 10.0, read_only=True),
    Declared('lost_timeout', 0.5, 's',
             'Time without a whole sample of the joints after which the robot is lost: damped, or '
             'disabled where it cannot be reached.', 0.01, 60.0, read_only=True),
    Declared('ramp_time', 1.0, 's',
             'Time in which the stiffness is reduced to zero before the torque goes off.',
             0.0, 2.0, read_only=True),
    Declared('auto_enable', False, '',
             'Switch the torque on at the first connection, without ~/enable. For simulated '
             'robots.', read_only=True),
    Declared('kos_tls', False, '', 'Use TLS.', read_only=True),
    Declared('kos_tls_ca', '', '', 'PEM file with the trusted certificates.', read_only=True),
    Declared('kos_tls_cert', '', '',
             'PEM file with the certificate of this client.', read_only=True),
    Declared('kos_tls_key', '', '', 'PEM file with the key of kos_tls_cert.', read_only=True),
    Declared('kos_tls_name', '', '',
             "Name in the server's certificate, if not kos_host.", read_only=True),
    Declared('command_timeout', 0.5, 's',
             'Time without a command after which the joints are damped.', 0.001, 60.0),
)  # fmt: skip


@dataclass(frozen=True)
class KosSettings:
    """What the parameters ask for."""

    robot: Robot
    connection: Connection
    backend: Backend
    gyro_factor: float
    timeouts: Timeouts
    period_ns: int
    lead_ns: int
    auto_enable: bool


def read_settings(node: Node) -> KosSettings:
    """
    Declare and read the parameters.

    :raises KinferRosError: a value cannot be used, or the robot's YAML is wrong.
    """
    declare(node, KOS_PARAMETERS)
    refuse_misspelt_parameters(node)
    robot = load_robot(value(node, 'robot'))
    rate = value(node, 'sensor_rate')
    return KosSettings(
        robot=robot,
        connection=_connection(node),
        backend=backend_of(value(node, 'backend'), robot.name),
        gyro_factor=_gyro_factor(value(node, 'gyro_unit'), robot),
        timeouts=read_timeouts(node),
        period_ns=round(SECOND / rate) if rate else 0,
        lead_ns=round(SECOND * value(node, 'phase_lead')),
        auto_enable=value(node, 'auto_enable'),
    )


def _connection(node: Node) -> Connection:
    def file(name: str) -> Path | None:
        return Path(value(node, name)) if value(node, name) else None

    connection = Connection(
        host=value(node, 'kos_host'),
        port=value(node, 'kos_port'),
        timeout=value(node, 'kos_timeout'),
        configure_timeout=value(node, 'kos_configure_timeout'),
        tls=value(node, 'kos_tls'),
        ca_file=file('kos_tls_ca'),
        cert_file=file('kos_tls_cert'),
        key_file=file('kos_tls_key'),
        tls_name=value(node, 'kos_tls_name'),
    )
    check_connection(connection)
    return connection


def _gyro_factor(unit: str, robot: Robot) -> float:
    if unit == AUTO:
        unit = robot.gyro_unit
    if unit not in GYRO_UNITS:
        raise ConfigError(f'found gyro_unit {unit!r}, expected auto, {" or ".join(GYRO_UNITS)}')
    return GYRO_UNITS[unit]
