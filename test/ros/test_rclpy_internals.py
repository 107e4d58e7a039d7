"""The names of rclpy that may change: where they are used, and what happens without them."""

from __future__ import annotations

import ast
import gc
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from std_msgs.msg import String
from std_srvs.srv import Trigger

import kinfer_ros
from helpers.processes import domain
from kinfer_ros.errors import ConfigError
from kinfer_ros.ros import polling
from kinfer_ros.ros import rclpy_internals as internals
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.executor import ControlExecutor
from kinfer_ros.ros.executor import ControlTimerGroup
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.polled_trigger import PolledTrigger
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import take_all
from kinfer_ros.ros.polling import take_bytes_with_info
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.polling import take_waiting_bytes

TIMEOUT_S = 10.0
PERIOD_S = 0.005


@pytest.fixture
def context() -> Iterator[Context]:
    """A context of its own, on this test run's domain."""
    made = Context()
    made.init(args=[], domain_id=domain())
    yield made
    made.try_shutdown()


@pytest.fixture
def node(context: Context) -> Iterator[Node]:
    """A node that no executor serves."""
    made = Node('internals', context=context, start_parameter_services=False)
    yield made
    made.destroy_node()


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Report names as missing."""

    def report(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(internals.PRESENT, name, False)

    monkeypatch.setattr(internals, '_warned', [])
    return report


def wait_for(find: Callable[[], object]) -> object:
    """Ask until the answer is neither None nor empty."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if found := find():
            return found
        time.sleep(0.005)
    raise AssertionError(f'nothing within {TIMEOUT_S} s')


def subscribe(node: Node, depth: int = 10):
    group = PollOnlyGroup(node)
    publisher = node.create_publisher(String, 'words', QoSProfile(depth=depth))
    subscription = polling.subscribe(node, String, 'words', QoSProfile(depth=depth), group)
    wait_for(lambda: publisher.get_subscription_count())
    return publisher, subscription


def test_nothing_is_missing_here() -> None:
    """On each distribution that the suite runs on."""
    assert internals.missing() == []


def test_the_names_are_used_in_one_module() -> None:
    """No private attribute of another object, and none of these, in code that imports rclpy."""
    names = {name.rpartition('.')[2] for name in internals.PRESENT}
    inherited = {'_context', '_is_shutdown', '_executor_event', '_tasks', '_cb_iter', '_guard'}
    found = []
    package = Path(kinfer_ros.__file__).parent
    for path in sorted(package.rglob('*.py')):
        text = path.read_text()
        if 'rclpy' not in text or path.name == 'rclpy_internals.py':
            continue
        for part in ast.walk(ast.parse(text)):
            if isinstance(part, ast.ImportFrom | ast.Import):
                modules = [getattr(part, 'module', None) or '', *(a.name for a in part.names)]
                private = any('rclpy.impl' in m or m.startswith('rclpy._') for m in modules)
            elif isinstance(part, ast.Attribute):
                own = isinstance(part.value, ast.Name) and part.value.id in ('self', 'cls')
                subclass = path.name in ('executor.py', 'polling.py')
                private = part.attr in names
                private |= part.attr.startswith('_') and not part.attr.startswith('__') and not own
                private |= subclass and part.attr in inherited
                private |= part.attr == 'handle'
            else:
                continue
            if private:
                found.append(f'{path.relative_to(package)}:{part.lineno}: {ast.unparse(part)}')
    assert found == []


def test_without_take_message_messages_still_come(node: Node, without) -> None:
    """The newest, all in order, as their bytes, with their info; and no more than the depth."""
    without(internals.TAKE_MESSAGE)
    publisher, subscription = subscribe(node)
    for i in range(12):
        publisher.publish(String(data=str(i)))
    wait_for(lambda: (newest := take_newest(subscription)) and newest.data == '11')
    assert take_newest(subscription) is None
    for word in ('a', 'b'):
        publisher.publish(String(data=word))
    taken: list[str] = []
    wait_for(lambda: len(taken) == 2 or taken.extend(m.data for m in take_all(subscription)))
    assert taken == ['a', 'b']
    publisher.publish(String(data='c'))
    ((data, _),) = wait_for(lambda: take_waiting_bytes(subscription))
    assert deserialize_message(data, String).data == 'c'
    publisher.publish(String(data='d'))
    ((data, info),) = wait_for(lambda: list(take_bytes_with_info(subscription)))
    assert deserialize_message(data, String).data == 'd'
    assert info['received_timestamp'] > 0


def test_without_take_message_an_executor_may_serve_the_node(
    node: Node, context: Context, without
) -> None:
    """As in a callback, in which the node's own executor serves nothing."""
    without(internals.TAKE_MESSAGE)
    publisher, subscription = subscribe(node, depth=1)
    taken: list[str] = []

    def tick() -> None:
        publisher.publish(String(data='here'))
        taken.append(wait_for(lambda: take_newest(subscription)).data)

    node.create_timer(PERIOD_S, tick)
    executor = ControlExecutor(context=context)
    executor.add_node(node)
    wait_for(lambda: executor.spin_once(timeout_sec=0.1) or len(taken) > 2)
    assert set(taken) == {'here'}
    assert node.executor is executor


@pytest.mark.parametrize('missing', [[], [internals.TAKE_REQUEST]])
def test_a_polled_trigger_answers_late(
    node: Node, context: Context, without, missing: list[str]
) -> None:
    """Two calls before the first answer: each gets its own, in any order."""
    without(*missing)
    trigger = PolledTrigger(node, 'stop')
    theirs = Node('caller', context=context, start_parameter_services=False)
    client = theirs.create_client(Trigger, 'stop')
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(theirs)
    assert client.wait_for_service(TIMEOUT_S)
    assert trigger.take() is None
    first, second = (client.call_async(Trigger.Request()) for _ in range(2))
    calls = [wait_for(trigger.take) for _ in range(2)]
    trigger.answer(calls[1], 'too late')
    executor.spin_until_future_complete(second, timeout_sec=TIMEOUT_S)
    assert (second.result().success, second.result().message) == (False, 'too late')
    assert not first.done()
    trigger.answer(calls[0], '')
    executor.spin_until_future_complete(first, timeout_sec=TIMEOUT_S)
    assert (first.result().success, first.result().message) == (True, 'done')
    assert trigger.take() is None
    theirs.destroy_node()


@pytest.mark.parametrize(
    'name', [internals.TIMER_READY, internals.CALL_TIMER, internals.READY_CALLBACKS]
)
def test_without_timers_the_control_timer_still_ticks(
    node: Node, context: Context, without, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is an ordinary timer then, beside the others."""
    without(name)
    monkeypatch.setattr(internals, 'call_if_ready', None)
    monkeypatch.setattr(internals, 'next_ready', None)
    ticks: list[int] = []
    others: list[int] = []
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    group = ControlTimerGroup()
    executor = ControlExecutor(context=context)
    executor.add_node(node)
    timer = node.create_timer(PERIOD_S, lambda: ticks.append(1), callback_group=group, clock=clock)
    executor.place(timer)
    node.create_timer(PERIOD_S, lambda: others.append(1))
    wait_for(lambda: executor.spin_once(timeout_sec=0.1) or (len(ticks) > 5 and len(others) > 5))


def test_without_parameters_nothing_is_refused(context: Context, without) -> None:
    """Nor does it fail."""
    given = [Parameter('lockstp', value=True)]
    node = Node('misspelt', context=context, parameter_overrides=given)
    node.declare_parameter('lockstep', False)
    with pytest.raises(ConfigError, match='lockstp'):
        refuse_misspelt_parameters(node)
    without(internals.PARAMETERS)
    refuse_misspelt_parameters(node)
    node.destroy_node()


@pytest.mark.parametrize(
    'name', [internals.TIME_SOURCE, internals.CLOCK_SUBSCRIPTION, internals.TAKE_MESSAGE]
)
def test_without_time_source_the_clock_is_as_it_is(context: Context, without, name: str) -> None:
    """Callbacks set it, later."""
    without(name)
    sim_time = [Parameter('use_sim_time', value=True)]
    node = Node('late', context=context, parameter_overrides=sim_time)
    clocks = Clocks(node)
    clocks.catch_up()
    assert clocks.control_now() == 0
    node.destroy_node()


@pytest.mark.parametrize('missing', [[], [internals.STATE_MACHINE]])
def test_a_destroyed_lifecycle_node_leaves_the_graph(
    node: Node, context: Context, without, missing: list[str]
) -> None:
    """At once, not when the garbage collector finds it: who asks would see a node that is gone."""
    without(*missing)
    theirs = LifecycleNode('machine', context=context)
    wait_for(lambda: 'machine' in node.get_node_names())
    gc.disable()
    try:
        theirs.destroy_node()
        internals.destroy_state_machine(theirs)
        assert ('machine' in node.get_node_names()) == bool(missing)
    finally:
        gc.enable()


def test_one_warning_names_what_is_missing(node: Node, context: Context, without) -> None:
    """And says what that costs, once in a process."""
    warnings: list[str] = []
    node.get_logger = lambda: type('Logger', (), {'warning': staticmethod(warnings.append)})
    executor = ControlExecutor(context=context)
    executor.add_node(node)
    assert warnings == []
    executor.remove_node(node)
    without(internals.CALL_TIMER, internals.TIMER_READY)
    executor.add_node(node)
    PollOnlyGroup(node)
    assert warnings == [
        'this release of rclpy lacks Timer.handle.is_timer_ready, Timer.handle.call_timer: '
        "rclpy's executor calls the control timer, so that more ticks are late. Please report it."
    ]
