"""Runs one node as a process: signals, errors and exit codes.

rclpy's own signal handlers invalidate the context at once, so that a robot's last command, to
damp, could not be sent any more. Here a signal only sets a flag: the node is stopped in order,
whatever ended it, and a user's mistake is one line instead of a traceback.
"""

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.parent import LaunchParent
from kinfer_ros.ros.context import init
from kinfer_ros.ros.executor import ControlExecutor

USER_ERROR = 2
"""Exit code for what the user can mend."""
SWITCH_INTERVAL = 0.0005
"""s after which a waiting thread gets the interpreter; Python's 5 ms are a quarter of a tick."""
LINGER_TIMEOUT = 0.005
"""s between two questions whether a node still lingers."""
SPIN_TIMEOUT = 0.1
"""s; a signal handler does not wake a spinning executor, this does."""


class StopFlag:
    """Set by SIGINT and SIGTERM, however often; the handlers stay until the process ends."""

    def __init__(self) -> None:
        self.is_set = False
        self.on_set: Callable[[], None] = _nothing
        self._launch = LaunchParent()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        self.on_set()

    def follow_launch(self) -> None:
        """Set the flag when the launch that started this process is gone."""
        if self._launch.is_gone and not self.is_set:
            self.is_set = True
            self.on_set()
            # The launch read what nodes print: with it, the other end of the pipe is gone.
            with contextlib.suppress(OSError):
                print('the launch that started this node is gone: it ends, too', file=sys.stderr)


def _never() -> bool:
    """Stand in for a node without `lingers`."""
    return False


def _nothing() -> None:
    """Stand in for a node without `interrupt`."""


def run_node(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """
    Make a node, spin it until a signal comes or it has `finished`, stop it, destroy it.

    Of the node, `interrupt()` (called by the signal handler: ends what waits inside a callback),
    `lingers()` (True after a signal: go on spinning), `stop()` (called once, with the context
    still valid), `finished` (True ends the spinning) and `failure` (an error to report) are used
    where they are there. The end of the launch that started the process counts as a signal.

    :param args: command line, with its --ros-args; None for that of the process.
    :return: exit code: 2 after a KinferRosError, which is printed as one message; else the node's
        `exit_code`, or 0.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    flag = StopFlag()
    try:
        _initialise(args)
        return _run(make_node, flag)
    except KinferRosError as error:
        print(f'error: {error}', file=sys.stderr)
        return USER_ERROR
    finally:
        rclpy.try_shutdown()


def _initialise(args: list[str] | None) -> None:
    try:
        init(args=args)
    except Exception as error:  # rcl's errors on arguments and parameter files share no base
        text = ' '.join(str(error).split(', at ')[0].split())
        raise ConfigError(f'ROS does not start with these arguments: {text}') from None


def _run(make_node: Callable[[], Node], flag: StopFlag) -> int:
    node = make_node()
    try:
        try:
            flag.on_set = getattr(node, 'interrupt', _nothing)
            if flag.is_set:
                flag.on_set()
            _spin(node, flag)
        finally:
            stop = getattr(node, 'stop', None)
            if stop is not None:
                stop()
    finally:
        node.destroy_node()
    failure = getattr(node, 'failure', None)
    if failure is not None:
        raise failure
    return int(getattr(node, 'exit_code', 0))


def _spin(node: Node, flag: StopFlag) -> None:
    executor = ControlExecutor()
    executor.add_node(node)
    try:
        while not flag.is_set and not getattr(node, 'finished', False):
            executor.spin_once(timeout_sec=SPIN_TIMEOUT)
            flag.follow_launch()
        while flag.is_set and getattr(node, 'lingers', _never)():
            executor.spin_once(timeout_sec=LINGER_TIMEOUT)
    except ExternalShutdownException:
        pass
    finally:
        executor.remove_node(node)
        executor.shutdown(timeout_sec=0.0)
