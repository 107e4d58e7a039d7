"""The parameters of the Unitree bridge, and their values as one object."""

from dataclasses import dataclass

from rclpy.node import Node

from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.unitree.link import check_interface
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.bridges.unitree.options import AUTO
from kinfer_ros.bridges.unitree.options import family_of
from kinfer_ros.nodes.real_bridge import read_timeouts
from kinfer_ros.parameters import Declared
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value

UNITREE_PARAMETERS = (
    Declared('robot', 'g1', '',
             'Robot: a name in config/robots (g1, g1_23, go2), or the path of a YAML; its joints '
             'need ids.', read_only=True),
    Declared('network_interface', '', '',
             'Network interface of this machine that leads to the robot; there is no default.',
             read_only=True),
    Declared('dds_domain', 0, '',
             'DDS domain of the robot: 0 on robots; simulators often have 1.', 0, 230,
             read_only=True),
    Declared('family', AUTO, '',
             "The robot's messages: hg (G1, H1-2), go (Go2, B2, H1), or auto: by the robot.",
             read_only=True),
    Declared('check_motion_switcher', True, '',
             "Enable only where the robot's motion switcher says that no controller of its own is "
             'active; false for simulated robots that have none.', read_only=True),
    Declared('lost_timeout', 0.5, 's',
             'Time without a new lowstate after which the robot is damped.', 0.01, 60.0,
             read_only=True),
    Declared('ramp_time', 1.0, 's',
             'Time in which the stiffness is reduced to zero before the motors go off.', 0.0, 2.0,
             read_only=True),
    Declared('command_timeout', 0.5, 's',
             'Time without a command, or without a word of this process, after which the joints '
             'are damped.', 0.02, 60.0),
)  # fmt: skip


@dataclass(frozen=True)
class UnitreeSettings:
    """What the parameters ask for."""

    robot: Robot
    family: Family
    interface: str
    domain: int
    check_switcher: bool
    timeouts: Timeouts


def read_settings(node: Node) -> UnitreeSettings:
    """
    Declare and read the parameters.

    :raises KinferRosError: a value cannot be used, or the robot's YAML is wrong.
    """
    declare(node, UNITREE_PARAMETERS)
    refuse_misspelt_parameters(node)
    robot = load_robot(value(node, 'robot'))
    interface = value(node, 'network_interface')
    check_interface(interface)
    return UnitreeSettings(
        robot=robot,
        family=family_of(value(node, 'family'), robot.name),
        interface=interface,
        domain=value(node, 'dds_domain'),
        check_switcher=value(node, 'check_motion_switcher'),
        timeouts=read_timeouts(node),
    )
