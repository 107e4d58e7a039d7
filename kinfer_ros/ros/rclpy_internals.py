"""All private and undocumented names of rclpy that the package uses.

Another release of rclpy may lack them. `missing` lists those that the installed one lacks; what
needs them then uses rclpy's public interface, which takes more CPU time.
"""

from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any

from rclpy.executors import Executor
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.time_source import TimeSource
from rclpy.timer import Timer

TAKE_MESSAGE = 'Subscription.handle.take_message'
TAKE_REQUEST = 'Service.handle.service_take_request'
TIMER_READY = 'Timer.handle.is_timer_ready'
CALL_TIMER = 'Timer.handle.call_timer'
READY_CALLBACKS = 'Executor.wait_for_ready_callbacks'
OVERRIDES = 'Node._parameter_overrides'
PARAMETERS = 'Node._parameters'
TIME_SOURCE = 'Node._time_source'
CLOCK_SUBSCRIPTION = 'TimeSource._clock_sub'
CLOCK_CALLBACK = 'TimeSource.clock_callback'
STATE_MACHINE = 'LifecycleNodeMixin._state_machine'


def _in_c(kind: str, name: str) -> bool:
    """Whether a class of rclpy's C++ part has a method."""
    try:
        singleton = import_module('rclpy.impl.implementation_singleton')
    except ImportError:
        return False
    return hasattr(getattr(singleton.rclpy_implementation, kind, None), name)


def _set_by(kind: type, name: str) -> bool:
    """Whether the constructor of a class uses such an attribute."""
    constructor = vars(kind).get('__init__')  # where the pages are built, rclpy is a stand-in
    return constructor is not None and name in constructor.__code__.co_names


PRESENT = {
    TAKE_MESSAGE: _in_c('Subscription', 'take_message'),
    TAKE_REQUEST: _in_c('Service', 'service_take_request'),
    TIMER_READY: _in_c('Timer', 'is_timer_ready'),
    CALL_TIMER: _in_c('Timer', 'call_timer'),
    READY_CALLBACKS: hasattr(Executor, 'wait_for_ready_callbacks'),
    OVERRIDES: _set_by(Node, '_parameter_overrides'),
    PARAMETERS: _set_by(Node, '_parameters'),
    TIME_SOURCE: _set_by(Node, '_time_source'),
    CLOCK_SUBSCRIPTION: _set_by(TimeSource, '_clock_sub'),
    CLOCK_CALLBACK: hasattr(TimeSource, 'clock_callback'),
    STATE_MACHINE: _set_by(LifecycleNodeMixin, '_state_machine'),
}
"""Whether the installed rclpy has each of them."""

_EFFECTS = {
    TAKE_MESSAGE: 'messages come through callbacks, which takes more CPU time',
    TAKE_REQUEST: 'service calls come through callbacks, which takes more CPU time',
    TIMER_READY: "rclpy's executor calls the control timer, so that more ticks are late",
    CALL_TIMER: "rclpy's executor calls the control timer, so that more ticks are late",
    READY_CALLBACKS: "rclpy's executor calls the control timer, so that more ticks are late",
    OVERRIDES: 'misspelt parameters are not found, and 1 is not taken for 1.0 in a file',
    PARAMETERS: 'misspelt parameters are not found',
    TIME_SOURCE: 'a run under use_sim_time may begin with missed ticks',
    CLOCK_SUBSCRIPTION: 'a run under use_sim_time may begin with missed ticks',
    CLOCK_CALLBACK: 'a run under use_sim_time may begin with missed ticks',
    STATE_MACHINE: 'a policy node stays in the graph for some time after it is destroyed',
}

_warned: list[str] = []


def missing() -> list[str]:
    """List the names that the installed rclpy lacks."""
    return [name for name, present in PRESENT.items() if not present]


def warn_of_missing(node: Node) -> None:
    """Log one warning in this process, if any are missing."""
    names = missing()
    if names and not _warned:
        _warned.extend(names)
        effects = '; '.join(dict.fromkeys(_EFFECTS[name] for name in names))
        node.get_logger().warning(
            f'this release of rclpy lacks {", ".join(names)}: {effects}. Please report it.'
        )


def can_call_timers() -> bool:
    """Whether an executor can call a timer itself, and serve single nodes."""
    return PRESENT[TIMER_READY] and PRESENT[CALL_TIMER] and PRESENT[READY_CALLBACKS]


def take_one(subscription: Subscription) -> tuple[bytes, Any] | None:
    """Take a message that waits; :return: its bytes and its info; None if none waits."""
    handle = subscription.handle
    with handle:
        taken: tuple[bytes, Any] | None = handle.take_message(subscription.msg_type, True)
    return taken


def take_each(subscription: Subscription) -> Iterator[tuple[bytes, Any]]:
    """Yield the bytes of the messages that wait, each with its info."""
    handle, msg_type = subscription.handle, subscription.msg_type
    with handle:
        yield from iter(partial(handle.take_message, msg_type, True), None)


def take_request(service: Service) -> Any:
    """Take a request that waits; :return: the header to answer it with, or None."""
    with service.handle:
        _, header = service.handle.service_take_request(service.srv_type.Request)
    return header


def call_if_ready(timer: Timer) -> bool:
    """
    Tell rcl that a timer is called, if it is due; the caller then calls its callback.

    :return: whether it was due.
    :raises InvalidHandle: it was destroyed.
    """
    handle = timer.handle
    with handle:
        if not handle.is_timer_ready():
            return False
        handle.call_timer()
    return True


def next_ready(executor: SingleThreadedExecutor, nodes: list[Node]) -> Any:
    """
    Return the task of a callback of these nodes that is ready now.

    :raises TimeoutException: none is ready.
    :raises ShutdownException: the executor was shut down.
    """
    return executor.wait_for_ready_callbacks(0, nodes)[0]


def parameter_names(node: Node) -> tuple[list[str], list[str]] | None:
    """:return: names of the parameters given to a node, and of those declared; None: unknown."""
    if not (PRESENT[OVERRIDES] and PRESENT[PARAMETERS]):
        return None
    return list(node._parameter_overrides), list(node._parameters)


def parameter_overrides(node: Node) -> dict[str, Any]:
    """:return: the parameters given to a node, to be changed before they are declared."""
    overrides: dict[str, Any] = node._parameter_overrides if PRESENT[OVERRIDES] else {}
    return overrides


def clock_source(node: Node) -> tuple[Callable[[], Subscription | None], Callable[[Any], None]]:
    """:return: functions for the subscription to /clock, and to set the clock by a message."""
    if not (PRESENT[TIME_SOURCE] and PRESENT[CLOCK_SUBSCRIPTION] and PRESENT[CLOCK_CALLBACK]):
        return lambda: None, lambda message: None
    source = node._time_source
    return lambda: source._clock_sub, source.clock_callback


def destroy_state_machine(node: LifecycleNode) -> None:
    """Destroy what keeps a destroyed lifecycle node in the graph; `destroy_node` leaves it."""
    if PRESENT[STATE_MACHINE]:
        node._state_machine.destroy_when_not_in_use()
