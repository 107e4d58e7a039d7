"""`walk`: the graph of walk.launch.py composed in one process, with a status line and a verdict.

This is what runs where there is no `ros2 launch`; arguments are the same, written the same way.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NoReturn

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from kinfer_ros.cli.common import run_command
from kinfer_ros.control.controller import Mode
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.graph import ARGUMENTS
from kinfer_ros.graph import NodeSpec
from kinfer_ros.graph import nodes
from kinfer_ros.graph import parse
from kinfer_ros.graph import ros_arguments

USAGE = """\
usage: python -m kinfer_ros walk [name:=value ...]

Walks a robot: starts its bridge (MuJoCo), the policy node and the recorder in this process,
shows a status line, and ends with a summary. Ctrl-C ends it softly. Exit code 0: the robot stayed
up and every file is closed; 1: it fell or faulted, or a file is not closed; 2: a bad argument or
file.

arguments:"""

DISCOVERY_S = 3.0
"""How long to look for others that publish the robot's topics; DDS can take 2 s to find them."""

ROBOT_TOPICS = ('joint_states', 'imu/data', 'joint_commands')
STATUS_PERIOD = 0.5
CLEAR_LINE = '\r\x1b[K'
STOP_PATIENCE = 4.0
RECORDER_PATIENCE = 2.0

SWITCH_INTERVAL = 0.0005
"""s after which a waiting thread gets the interpreter; Python's 5 ms are a quarter of a tick."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; see USAGE."""
    return run_command(walk, sys.argv[1:] if argv is None else argv)


def walk(argv: list[str]) -> int:
    """
    Walk; :return: the exit code.

    :raises KinferRosError: a bad argument or file, or a graph that has this robot already.
    """
    if any(word in ('-h', '--help', '-s', '--show-args') for word in argv):
        print(USAGE)
        for argument in ARGUMENTS:
            default = f' (default {argument.default})' if argument.default else ''
            print(f'  {argument.name + ":=":15} {argument.description}{default}')
        return 0
    arguments = parse(argv)
    specs = nodes(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL)
    stopped = threading.Event()
    with _signals(stopped), _context() as context:
        _refuse_a_taken_graph(context, arguments, specs)
        graph = Composition(context, specs, arguments)
        try:
            graph.start()
            _watch(graph, stopped)
        finally:
            graph.stop()
    return _verdict(graph, interrupted=stopped.is_set())


@contextlib.contextmanager
def _signals(stopped: threading.Event) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into an event; a second one does no harm."""
    previous = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _context() -> Iterator[Context]:
    if sys.stderr.isatty():
        # A log line clears the status line that it would else be appended to.
        log_format = CLEAR_LINE + '[{severity}] [{name}]: {message}'
        os.environ.setdefault('RCUTILS_CONSOLE_OUTPUT_FORMAT', log_format)
    context = Context()
    # Our own handlers: rclpy's would invalidate the context before a damping frame can go out.
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield context
    finally:
        context.try_shutdown()


def _refuse_a_taken_graph(
    context: Context, arguments: dict[str, str], specs: list[NodeSpec]
) -> None:
    """:raises ConfigError: somebody publishes one of the robot's topics already."""
    # With bridge:=none the sensors are somebody else's, as they should be.
    topics = ROBOT_TOPICS if arguments['bridge'] != 'none' else ('joint_commands',)
    probe = Node(
        'walk_probe',
        context=context,
        namespace=arguments['namespace'],
        use_global_arguments=False,
        start_parameter_services=False,
    )
    try:
        deadline = time.monotonic() + DISCOVERY_S
        for spec in specs:
            _node_class(spec.executable)  # imports take a second, while the probe listens
        while time.monotonic() < deadline:
            for topic in topics:
                if probe.count_publishers(topic):
                    _refuse(probe, topic)
            time.sleep(0.05)
    finally:
        probe.destroy_node()


def _refuse(probe: Node, topic: str) -> NoReturn:
    """:raises ConfigError: always, with the names of those who publish."""
    time.sleep(0.3)  # the names of nodes are found a little later than their publishers
    names = sorted(
        f'{info.node_namespace.rstrip("/")}/{info.node_name}'
        for info in probe.get_publishers_info_by_topic(topic)
    )
    raise ConfigError(
        f'{probe.resolve_topic_name(topic)} is published already by {", ".join(names)}: two '
        "robots on one topic would get each other's commands. Stop the other graph, or use "
        'another namespace:= or ROS_DOMAIN_ID'
    )


class Composition:
    """
    The nodes of the graph in this process, each on an executor and thread of its own.

    :ivar policy: the policy node.
    :ivar records: there is a recorder.
    """

    def __init__(self, context: Context, specs: list[NodeSpec], arguments: dict[str, str]) -> None:
        """:raises KinferRosError: a node could not be made; those made before are gone again."""
        self._context = context
        self._threads: list[threading.Thread] = []
        self._running = threading.Event()
        self._crash: BaseException | None = None
        self.nodes: dict[str, Any] = {}
        try:
            for spec in specs:
                self.nodes[spec.executable] = _node_class(spec.executable)(
                    context=context,
                    namespace=arguments['namespace'],
                    cli_args=ros_arguments(spec, arguments['params_file']),
                    use_global_arguments=False,
                )
        except BaseException:
            self._destroy()
            raise
        self.policy = self.nodes['policy_node']
        self.records = 'recorder' in self.nodes

    def start(self) -> None:
        """Start a thread for each node, the policy's last."""
        self._running.set()
        for name in self.nodes:
            if name != 'policy_node':
                self._start_thread(name)
        if self.records:
            self._wait_for_recorder()
        self._start_thread('policy_node')

    def _start_thread(self, name: str) -> None:
        thread = threading.Thread(
            target=self._spin, args=(self.nodes[name],), name=name, daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _wait_for_recorder(self) -> None:
        """Subscribing to everything holds the interpreter for 0.1 s: not while it walks."""
        commands = self.policy.resolve_topic_name('joint_commands')
        deadline = time.monotonic() + RECORDER_PATIENCE
        while time.monotonic() < deadline:
            if commands in self.nodes['recorder'].counters()['topics']:
                return
            time.sleep(0.02)

    def _spin(self, node: Node) -> None:
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(node)
        try:
            while self._running.is_set() and not getattr(node, 'finished', False):
                executor.spin_once(timeout_sec=0.1)
        except BaseException as error:
            self._crash = error
        finally:
            executor.remove_node(node)
            executor.shutdown(timeout_sec=0.0)

    @property
    def ended(self) -> bool:
        """The policy node has nothing more to do, or a node has crashed."""
        return self.policy.finished or self._crash is not None

    def stop(self) -> None:
        """Stop the policy first, then the bridge, the recorder last; raise what crashed."""
        if not self.policy.finished:
            self.policy.request_end('stopped by a signal')
            deadline = time.monotonic() + STOP_PATIENCE
            while not self.ended and self._threads and time.monotonic() < deadline:
                time.sleep(0.01)
        self._running.clear()
        for thread in self._threads:
            thread.join(1.0)
        for name in ('policy_node', 'mujoco_bridge', 'recorder'):
            # The recorder goes on until the other publishers have left.
            if name in self.nodes:
                self.nodes[name].stop()
                self.nodes.pop(name).destroy_node()
        if self._crash is not None:
            raise self._crash

    def _destroy(self) -> None:
        for node in self.nodes.values():
            node.destroy_node()


def _node_class(executable: str) -> Any:
    """Import a node only when the graph has it: the bridge needs MuJoCo, the recorder rosbags."""
    if executable == 'mujoco_bridge':
        from kinfer_ros.nodes.mujoco_bridge import MujocoBridge

        return MujocoBridge
    if executable == 'recorder':
        from kinfer_ros.nodes.recorder import Recorder

        return Recorder
    from kinfer_ros.nodes.policy_node import PolicyNode

    return PolicyNode


def _watch(graph: Composition, stopped: threading.Event) -> None:
    """Show the status line until the run ends, a fault ends it, or a signal comes."""
    tty = sys.stderr.isatty()
    begin = time.monotonic()
    next_line = 0.0
    while not graph.ended and not stopped.wait(0.05):
        policy = graph.policy
        loaded = policy.loaded
        if loaded is not None and loaded.controller.mode is Mode.FAULT:
            policy.request_end(f'fault: {loaded.controller.reason}')
        now = time.monotonic()
        if now >= next_line:
            next_line = now + (STATUS_PERIOD if tty else 5.0)
            line = f'{_status(policy)}  [{now - begin:5.1f} s]'
            print(f'{CLEAR_LINE}{line}' if tty else line, end='' if tty else '\n', file=sys.stderr)
            sys.stderr.flush()
    if tty:
        print(CLEAR_LINE, end='', file=sys.stderr)


def _status(policy: Any) -> str:
    session, loaded = policy.session, policy.loaded
    if session is None or loaded is None:
        return f'starting  {policy.failure or ""}'
    controller = loaded.controller
    return (
        f'{controller.mode!s:8} run {controller.run_ns / 1e9:5.1f} s  {policy.rate:5.1f} Hz  '
        f'late p99 {session.late.quantile_ns(0.99) / 1e6:5.2f} ms  '
        f'distance {session.odometer.distance:5.2f} m'
    )


def _verdict(graph: Composition, *, interrupted: bool) -> int:
    """Print the summary of run.json; :return: the exit code."""
    policy = graph.policy
    if policy.run_path is None:
        if interrupted:
            print('stopped before the run began', file=sys.stderr)
            return 130
        raise policy.failure or KinferRosError('the run did not begin, see the log')
    run = Path(policy.run_path)
    facts = json.loads((run / 'run.json').read_text())
    problems = _problems(graph, run, facts)
    for line in _summary(facts):
        print(line)
    for problem in problems:
        print(f'problem      {problem}')
    print(f'run          {_shown(run)}')
    return 1 if problems else 0


def _problems(graph: Composition, run: Path, facts: dict[str, Any]) -> list[str]:
    problems = []
    if facts['falls']:
        problems.append(f'the robot fell ({facts["reason"]})')
    elif facts['counters']['faults']:
        problems.append(str(facts['reason']))
    if not facts['counters']['run_ticks']:
        problems.append(f'the policy never ran ({facts["reason"]})')
    log = facts['counters']['log']
    if log and (log['error'] or log['dropped']):
        problems.append(
            f'step log: {log["dropped"]} records dropped, {log["error"] or "no error"}'
        )
    if graph.records and not (run / 'bag' / 'metadata.yaml').is_file():
        problems.append(f'the bag in {run / "bag"} was not closed')
    return problems


def _summary(facts: dict[str, Any]) -> list[str]:
    timing, counters = facts['timing'], facts['counters']
    late, age = timing['late_us'], timing['sample_age_us']
    log = counters['log'] or {'written': 0, 'dropped': 0}
    return [
        f'ended        {facts["reason"]}, after {facts["run_s"]:.1f} s of run',
        f'distance     {facts["distance_m"]:.2f} m (path {facts["path_m"]:.2f} m, '
        f'turned {facts["turned_rad"]:+.2f} rad)',
        f'falls        {facts["falls"]}',
        f'ticks        {counters["ticks"]}, missed {counters["missed_ticks"]}',
        f'lateness     p50 {late["p50"] / 1000:.2f} ms, p99 {late["p99"] / 1000:.2f} ms',
        f'sample age   p50 {age["p50"] / 1000:.2f} ms, p99 {age["p99"] / 1000:.2f} ms',
        f'records      {log["written"]} written, {log["dropped"]} dropped',
    ]


def _shown(path: Path) -> str:
    """Shorten a path to one relative to here, where it is below here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == '__main__':
    raise SystemExit(main())
