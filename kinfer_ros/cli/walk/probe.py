"""Checks that no other robot is in the graph before one is started.

Two robots on one topic would get each other's commands. `walk` calls this; `make walk` runs this
file before `ros2 launch`.
"""

import sys
import time
from collections.abc import Callable
from typing import NoReturn

from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState

from kinfer_ros.cli.common import run_command
from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.arguments import parse
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.context import ros_context
from kinfer_ros.ros.polling import NAMELESS
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all
from kinfer_ros.ros.qos import BEST_EFFORT

DISCOVERY_S = 4.5
"""s of discovery: Fast DDS announces itself at once and, if that is lost, every 3 s."""

ROBOT_TOPICS = ('imu/data', 'joint_commands')
NAMES_S = 0.3
"""s until the names of nodes are discovered, too."""


def main(argv: list[str] | None = None) -> int:
    """Check with the arguments of `walk`; exit code 2 and the reason if there is a robot."""
    return run_command(_command, sys.argv[1:] if argv is None else argv)


def _command(argv: list[str]) -> int:
    with ros_context() as context:
        refuse_second_robot(context, parse(argv), lambda: None)
    return 0


def refuse_second_robot(
    context: Context, arguments: dict[str, str], meanwhile: Callable[[], None]
) -> None:
    """
    Look for other publishers of the robot's topics, and of its joints.

    A gripper may publish joints of its own on joint_states.

    :param meanwhile: called while the probe listens.
    :raises ConfigError: there are some.
    """
    # With bridge:=none the driver is expected to publish the sensors.
    alone = arguments['bridge'] != 'none'
    topics = ROBOT_TOPICS if alone else ('joint_commands',)
    # Nor is joint_state_broadcaster another robot.
    unheard = alone and arguments['bridge'] != 'ros2_control'
    joints = set(load_robot(arguments['robot']).joint_names) if unheard else set()
    probe = Node(
        'walk_probe',
        context=context,
        namespace=arguments['namespace'],
        use_global_arguments=False,
        start_parameter_services=False,
    )
    try:
        states = subscribe(probe, JointState, 'joint_states', BEST_EFFORT, PollOnlyGroup(probe))
        deadline = time.monotonic() + DISCOVERY_S
        print('looking for another robot in the graph ...', file=sys.stderr)
        meanwhile()
        while time.monotonic() < deadline:
            for topic in topics:
                if probe.count_publishers(topic):
                    _refuse(probe, topic)
            for message in take_all(states):
                if joints.intersection(message.name):
                    _refuse(probe, 'joint_states')
            time.sleep(0.05)
    finally:
        probe.destroy_node()


def _refuse(probe: Node, topic: str) -> NoReturn:
    """:raises ConfigError: always, with the names of the publishers."""
    time.sleep(NAMES_S)
    names = ', '.join(publisher_nodes(probe, topic)) or NAMELESS
    raise ConfigError(
        f'{probe.resolve_topic_name(topic)} is already published by {names}: two '
        "robots on one topic would get each other's commands. Stop the other graph, or use "
        'another namespace:= or ROS_DOMAIN_ID'
    )


if __name__ == '__main__':
    raise SystemExit(main())
