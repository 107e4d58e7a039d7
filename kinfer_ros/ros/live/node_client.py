"""Asks the nodes of a graph for what `python -m kinfer_ros node` offers; every wait is bounded."""

import contextlib
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import ListParameters
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import GraphError
from kinfer_ros.ros.context import own_node
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.ros.qos import RELIABLE
from kinfer_ros.yaml_file import did_you_mean

FIND_S = 7.0
"""s in which a node is found: Fast DDS announces itself at once and, if that is lost, after 3 s;
names of nodes come after that."""
SETTLED_S = 1.0
"""s without a new node, after which the list is taken to be whole."""
ANSWER_S = 5.0
"""s for an answer."""
SLOW_ANSWER_S = 60.0
"""s for one of a transition or of ~/enable: the node loads a model, waits for sensors, fades."""
MESSAGE_S = 1.0
"""s for a latched message of a node that has been found."""
WARN, ERROR = 30, 40
"""Levels of rcl_interfaces/Log, as numbers."""
STRING = 'std_msgs/msg/String'

TRANSITIONS = {
    'configure': (Transition.TRANSITION_CONFIGURE, 'unconfigured', 'inactive'),
    'activate': (Transition.TRANSITION_ACTIVATE, 'inactive', 'active'),
    'deactivate': (Transition.TRANSITION_DEACTIVATE, 'active', 'inactive'),
    'cleanup': (Transition.TRANSITION_CLEANUP, 'inactive', 'unconfigured'),
}
"""Lifecycle transitions: number, from which state, to which."""


@contextlib.contextmanager
def node_client(namespace: str) -> 'Iterator[NodeClient]':
    """
    Make a client on a context of its own, and close it at the end.

    :raises ConfigError: the namespace, or a name that was given, cannot be one.
    """
    try:
        with own_node('node_command', namespace) as node:
            yield NodeClient(node)
    except NameValidationException as error:
        raise ConfigError(' '.join(str(error).split())) from None


class NodeClient:
    """Finds nodes and calls their services. Nodes are named in full: `/robot1/policy_node`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._group = PollOnlyGroup(node)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)

    # Finding -----------------------------------------------------------------------------

    def full_name(self, name: str) -> str:
        """Return the full name of a node, which is in the namespace unless it begins with `/`."""
        return name if name.startswith('/') else f'{self._node.get_namespace().rstrip("/")}/{name}'

    def find_all(self) -> tuple[list[str], list[str]]:
        """Return the policy nodes and the bridges of the namespace, once no more appear."""
        begin = changed = time.monotonic()
        found = self._nodes_now()
        while time.monotonic() - begin < FIND_S:
            self._executor.spin_once(timeout_sec=0.05)
            seen = self._nodes_now()
            if seen != found:
                found, changed = seen, time.monotonic()
            if any(found) and time.monotonic() - changed > SETTLED_S:
                break
        return found

    def bridge(self, name: str = '') -> str:
        """
        Return the full name of the bridge: of a given one, or of who publishes bridge_state.

        :raises GraphError: there is none, or there are several.
        """
        if name:
            return self.full_name(name)
        nodes: list[str] = []

        def look() -> bool:
            nodes[:] = self._publishers('bridge_state')
            return bool(nodes)

        topic = self._node.resolve_topic_name('bridge_state')
        if not self._wait(look, FIND_S):
            raise GraphError(f'found no bridge: nobody publishes {topic}. {self._others()}')
        if len(nodes) > 1:
            raise GraphError(f'{topic} is published by {", ".join(nodes)}: choose with --bridge')
        return nodes[0]

    def latched(self, topic: str, *, timeout: float = FIND_S) -> str | None:
        """Return the newest text of a state topic; None: nothing came."""
        if not self._wait(lambda: bool(self._publishers(topic)), timeout):
            return None
        infos = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
        kept = any(
            info.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL for info in infos
        )
        subscription = subscribe(
            self._node, String, topic, LATCHED if kept else RELIABLE, self._group
        )
        messages: list[Any] = []

        def look() -> bool:
            message = take_newest(subscription)
            if message is not None:
                messages.append(message)
            return bool(messages)

        self._wait(look, MESSAGE_S)
        self._node.destroy_subscription(subscription)
        return str(messages[-1].data) if messages else None

    def bridge_state(self, bridge: str) -> str | None:
        """Return the state that a bridge publishes; None: nothing came."""
        topics = [
            topic
            for topic, kinds in self._node.get_topic_names_and_types()
            if STRING in kinds and topic.endswith('/bridge_state')
            if bridge in self._publishers(topic)
        ]
        return self.latched(topics[0]) if topics else None

    def mode(self, policy_node: str) -> str:
        """
        Return mode and reason of a policy node.

        :raises GraphError: it is not there, or publishes none.
        """
        found = self.latched(f'{policy_node}/mode')
        if found is None:
            raise GraphError(self._missing(policy_node, f'topic {policy_node}/mode'))
        return found

    # Calling -----------------------------------------------------------------------------

    def trigger(self, node: str, name: str) -> str:
        """
        Call a std_srvs/Trigger service of a node.

        :return: its message.
        :raises GraphError: it is not there, does not answer, or refuses.
        """
        return self._checked(node, name, self._call(Trigger, node, name, Trigger.Request()))

    def set_bool(self, node: str, name: str, value: bool) -> str:
        """Call a std_srvs/SetBool service of a node; otherwise like `trigger`."""
        request = SetBool.Request(data=value)
        return self._checked(node, name, self._call(SetBool, node, name, request, SLOW_ANSWER_S))

    def transition(self, node: str, name: str) -> str:
        """
        Make a lifecycle node pass one of TRANSITIONS.

        :return: the state it is then in.
        :raises GraphError: it is not there, or refuses: with what it logged meanwhile.
        """
        number, begin, end = TRANSITIONS[name]
        log = subscribe(self._node, Log, '/rosout', QoSProfile(depth=100), self._group)
        state = self._call(GetState, node, 'get_state', GetState.Request()).current_state.label
        if state != begin:
            raise GraphError(
                f'{name}: {node} is {state}; {name} goes from {begin} to {end}, so it is refused'
            )
        list(take_all(log))
        request = ChangeState.Request(transition=Transition(id=number))
        if self._call(ChangeState, node, 'change_state', request, SLOW_ANSWER_S).success:
            return end
        reason = self._logged(node, log) or 'it gives no reason; its own output may have one'
        raise GraphError(f'{name}: {node} refused: {reason}')

    def get_parameters(self, node: str, names: Sequence[str]) -> dict[str, Any]:
        """
        Return parameters of a node; all of them if no names are given.

        :raises GraphError: it is not there, or has no such parameter.
        """
        known = self._parameter_names(node)
        self._check_known(node, names, known)
        wanted = names or [name for name in known if not name.startswith('qos_overrides.')]
        request = GetParameters.Request(names=list(wanted))
        values = self._call(GetParameters, node, 'get_parameters', request).values
        return {
            name: parameter_value_to_python(value)
            for name, value in zip(wanted, values, strict=False)
        }

    def set_parameters(self, node: str, values: Mapping[str, Any]) -> None:
        """
        Set parameters of a node, all or none.

        :raises GraphError: it is not there, has no such parameter, or refuses a value.
        """
        self._check_known(node, list(values), self._parameter_names(node))
        request = SetParametersAtomically.Request(
            parameters=[
                Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
            ]
        )
        service = 'set_parameters_atomically'
        result = self._call(SetParametersAtomically, node, service, request).result
        if not result.successful:
            raise GraphError(f'set: {node} refused: {result.reason or "it gives no reason"}')

    # Inside ------------------------------------------------------------------------------

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Serve the node until a condition holds; :return: whether it came true."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def _publishers(self, topic: str) -> list[str]:
        """Return who publishes; those whose names are not known yet are left out."""
        return [name for name in publisher_nodes(self._node, topic) if '/_' not in name]

    def _nodes_now(self, inside: str = '') -> tuple[list[str], list[str]]:
        """Return the policy nodes and bridges known by now, in the namespace or `inside`."""
        policies, bridges = set(), set()
        inside = inside or self._node.get_namespace().rstrip('/') + '/'
        for topic, kinds in self._node.get_topic_names_and_types():
            place, _, last = topic.rpartition('/')
            if STRING not in kinds or not topic.startswith(inside):
                continue
            if last == 'bridge_state':
                bridges.update(self._publishers(topic))
            elif last == 'mode' and place in self._publishers(topic):
                policies.add(place)
        return sorted(policies), sorted(bridges)

    def _call(
        self, kind: Any, node: str, name: str, request: Any, timeout: float = ANSWER_S
    ) -> Any:
        client = self._node.create_client(kind, f'{node}/{name}')
        if not self._wait(client.service_is_ready, FIND_S):
            raise GraphError(self._missing(node, f'service {node}/{name}'))
        future = client.call_async(request)
        if not self._wait(future.done, timeout):
            raise GraphError(
                f'{node}/{name} did not answer within {timeout:g} s: whether it was done is not '
                'known; `node mode` shows the state'
            )
        return future.result()

    @staticmethod
    def _checked(node: str, name: str, response: Any) -> str:
        if not response.success:
            reason = response.message or 'it gives no reason'
            raise GraphError(f'{name}: {node} refused: {reason}')
        return str(response.message)

    def _missing(self, node: str, what: str) -> str:
        """Say what was found in place of something of a node."""
        there = [
            f'{namespace.rstrip("/")}/{name}'
            for name, namespace in self._node.get_node_names_and_namespaces()
        ]
        own = self._node.get_fully_qualified_name()
        there = [name for name in there if name != own]
        if node in there:
            return f'found the node {node}, but no {what}. {self._others()}'
        return f'found no node {node}{did_you_mean(node, there)}. {self._others()}'

    def _others(self) -> str:
        policies, bridges = self._nodes_now(inside='/')
        if not policies and not bridges:
            return 'There is no policy node and no bridge; `doctor` tests whether nodes are found'
        return (
            f'There are: policy nodes {", ".join(policies) or "none"}; '
            f'bridges {", ".join(bridges) or "none"}'
        )

    def _logged(self, node: str, log: Any) -> str:
        """Return the newest error that a node has logged, else its newest warning."""
        logger = node.strip('/').replace('/', '.')
        newest: dict[bool, str] = {}

        def look() -> bool:
            for entry in take_all(log):
                if entry.name == logger and entry.level >= WARN:
                    newest[entry.level >= ERROR] = entry.msg
            return True in newest

        self._wait(look, 0.5)
        return newest.get(True) or newest.get(False, '')

    def _parameter_names(self, node: str) -> list[str]:
        found = self._call(ListParameters, node, 'list_parameters', ListParameters.Request())
        return sorted(found.result.names)

    @staticmethod
    def _check_known(node: str, names: Sequence[str], known: Sequence[str]) -> None:
        for name in names:
            if name not in known:
                raise GraphError(f"{node} has no parameter '{name}'{did_you_mean(name, known)}")
