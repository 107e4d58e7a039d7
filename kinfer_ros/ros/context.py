"""Starts ROS in this process, on UDP: shared memory of Fast DDS lets others stop our samples.

A process that joins the graph, as each `ros2` command does, opens a port in shared memory. Whoever
sends to it may sleep for 333 ms first, with a lock that its own samples need (eProsima/Fast-DDS,
issue 6535): longer than `stale_timeout`. Without shared memory on one side none is used.
"""

import contextlib
import os
from collections.abc import Iterator
from collections.abc import MutableMapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from kinfer_ros.share import share_dir

TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""Of Fast DDS 3 (Kilted) and 2 (Jazzy)."""
RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
LOCALHOST_ONLY = 'ROS_LOCALHOST_ONLY'
"""The older name of LOCALHOST, which wins over the range."""
LAST_RCLPY_OF_FAST_DDS_2 = 8


def init(context: Context | None = None, args: list[str] | None = None) -> None:
    """
    Initialise rclpy without signal handlers and, if nobody chose otherwise, shared memory.

    rclpy's own handlers would invalidate the context before a damping frame is sent.
    """
    avoid_shared_memory(os.environ, rclpy.get_rmw_implementation_identifier())
    rclpy.init(args=args, context=context, signal_handler_options=SignalHandlerOptions.NO)


@contextlib.contextmanager
def ros_context() -> Iterator[Context]:
    """Create a context of one's own, and shut it down at the end."""
    context = Context()
    init(context, args=[])
    try:
        yield context
    finally:
        context.try_shutdown()


@contextlib.contextmanager
def own_node(name: str, namespace: str = '', *, rosout: bool = False) -> Iterator[Node]:
    """Make a node that only looks at the graph, on a context of its own; end both at the end."""
    with ros_context() as context:
        node = Node(
            name,
            context=context,
            namespace=namespace,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=rosout,
        )
        try:
            yield node
        finally:
            node.destroy_node()


def avoid_shared_memory(environment: MutableMapping[str, str], middleware: str) -> None:
    """
    Set the environment for participants on UDP alone.

    Nothing is changed where the user has set transports or a profile, or with another middleware.

    :param middleware: as rclpy names it.
    """
    if not middleware.startswith('rmw_fastrtps'):
        return
    if any(environment.get(name) for name in (TRANSPORTS, *PROFILES)):
        return
    if environment.get(RANGE) != 'LOCALHOST' and environment.get(LOCALHOST_ONLY) != '1':
        environment[TRANSPORTS] = 'UDPv4'
    elif not environment.get('ROS_STATIC_PEERS'):
        # rmw_fastrtps adds shared memory for LOCALHOST, whatever Fast DDS is told: the profile
        # has the rest of what it does (rmw_fastrtps_shared_cpp/src/participant.cpp).
        environment[profiles_name()] = str(share_dir() / 'config' / 'fastdds_localhost.xml')
        environment[RANGE] = 'SYSTEM_DEFAULT'
        environment.pop(LOCALHOST_ONLY, None)


def profiles_name() -> str:
    """Return the name of the variable that the installed Fast DDS reads."""
    try:
        old = int(version('rclpy').split('.')[0]) <= LAST_RCLPY_OF_FAST_DDS_2
    except (PackageNotFoundError, ValueError):
        old = False
    return PROFILES[old]
