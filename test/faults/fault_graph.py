"""A robot that walks in real time with a relay on its sensors, and is put on its feet again."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fault_log import Fault
from fault_log import Step
from fault_log import read_fault
from fault_log import steps_of
from fault_policies import JOINTS
from fault_relay import REMAPS
from fault_relay import Relay
from fault_relay import Sent
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.parameter import parameter_value_to_python
from std_msgs.msg import String

from helpers.client import ACTIVATE
from helpers.client import CONFIGURE
from helpers.client import DEACTIVATE
from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL

START = 30.0
SOON = 10.0

# A busy machine delivers late and misses ticks, and then a robot falls: that is a fault, but not
# the one that these cases are about.
PATIENT = {
    'stale_timeout': 1.0,
    'max_missed_ticks': 100,
    'max_tilt': 3.1,
    'tracking_error': 0.0,
    'joint_speed_factor': 0.0,
    'position_margin': 10.0,
}


class Graph:
    """
    Bridge, relay and policy node, each but the relay in a process of its own.

    :ivar modes: what was heard on ~/mode, oldest first.
    :ivar states: the same of bridge_state.
    """

    def __init__(self, client: Client, relay: Relay, robot: Process, policy: Process) -> None:
        self.client = client
        self.relay = relay
        self.robot = robot
        self.policy = policy
        self.modes: list[String] = client.follow(String, 'policy_node/mode')
        self.states: list[String] = client.follow(String, 'bridge_state')
        self._runs: list[String] = client.follow(String, 'policy_node/run')
        self._faults = 0
        self._offset = 0
        self._changed: dict[str, Any] = {}

    @property
    def mode(self) -> str:
        """Mode and reason, as last heard."""
        return self.modes[-1].data if self.modes else ''

    @property
    def run(self) -> Path:
        """The run directory."""
        return Path(self._runs[-1].data)

    @property
    def session(self) -> str:
        """Id of the newest session that has sent targets for every joint, or ''."""
        sent = reversed(self.relay.commands)
        return next((each.session for each in sent if len(each.targets) == JOINTS), '')

    def until(self, mode: str, timeout: float = SOON) -> str:
        """Wait for a mode, given by its beginning; :return: mode and reason."""
        found = self.client.spin_until(lambda: self.mode.startswith(mode), timeout)
        assert found, f'expected mode {mode}, found {self.mode}:\n{self.policy.output[-3000:]}'
        return self.mode

    def configure(self) -> None:
        """Configure, and know of the run directory."""
        self._runs.clear()
        assert self.client.transition('policy_node', CONFIGURE), self.policy.output
        assert self.client.spin_until(lambda: bool(self._runs), START)

    def refused_activation(self) -> str:
        """Activate in vain; :return: what the node printed meanwhile."""
        before = len(self.policy.output)
        self.set(sensor_timeout=0.3)
        assert not self.client.transition('policy_node', ACTIVATE)
        self.set(sensor_timeout=20.0)
        return self.policy.output[before:]

    def start(self, mode: str = 'run') -> None:
        """Put the robot on its feet, with nothing broken, and activate."""
        self.relay.mend()
        self.rest()
        if self._changed:
            self.set(**{name: PATIENT[name] for name in self._changed})
            self._changed = {}
        assert self.client.trigger('mujoco_bridge/reset').success
        reset = self.relay.joints.last + 50_000_000
        assert self.client.spin_until(lambda: self.relay.joints.last > reset, SOON)
        self.client.trigger('policy_node/reset')
        self.begin_case()
        self.activate()
        self.until(mode)

    def activate(self) -> None:
        """Activate; fails with all that the node has printed."""
        assert self.client.transition('policy_node', ACTIVATE), self.policy.output[-3000:]

    def rest(self) -> None:
        """Deactivate, where it is active."""
        if self.mode and not self.mode.startswith('inactive'):
            assert self.client.transition('policy_node', DEACTIVATE)
            self.until('inactive')

    def begin_case(self) -> None:
        """Look at the log from here on."""
        self._faults = len(list(self.run.glob('fault_*.ndjson')))
        self._offset = (self.run / 'steps.ndjson').stat().st_size

    def set(self, **values: Any) -> str:
        """Set parameters of the policy node, all at once; :return: the reason if refused."""
        self._changed |= {name: entry for name, entry in values.items() if name in PATIENT}
        parameters = [Parameter(name, value=entry) for name, entry in values.items()]
        request = SetParametersAtomically.Request(
            parameters=[parameter.to_parameter_msg() for parameter in parameters]
        )
        service = 'policy_node/set_parameters_atomically'
        result = self.client.call(SetParametersAtomically, service, request).result
        assert bool(result.reason) != result.successful
        return str(result.reason)

    def get(self, name: str) -> Any:
        """Value of a parameter of the policy node."""
        request = GetParameters.Request(names=[name])
        found = self.client.call(GetParameters, 'policy_node/get_parameters', request)
        return parameter_value_to_python(found.values[0])

    def steps(self) -> list[Step]:
        """The records of this case so far."""
        return steps_of(self.run, self._offset)

    def step_with(self, event: str, timeout: float = SOON) -> Step:
        """Wait for the record of the step in which something was said, given by its beginning."""
        found: list[Step] = []

        def said() -> bool:
            found[:] = [s for s in self.steps() if any(e.startswith(event) for e in s['events'])]
            return bool(found)

        assert self.client.spin_until(said, timeout), f'no event {event}: {self.events()}'
        return found[0]

    def events(self) -> list[str]:
        """All that was said in this case so far."""
        return [event for step in self.steps() for event in step['events']]

    def sent(self, session: str) -> list[Sent]:
        """All that a session has sent, as far as it was heard."""
        return [each for each in self.relay.commands if each.session == session]

    def fault(self, words: str) -> Fault:
        """Wait for the fault of this case, some ticks more, and its file; checked."""
        reason = self.until('fault')
        assert words in reason, reason
        number = self._faults + 1
        path = self.run / f'fault_{number}.ndjson'
        assert self.client.spin_until(path.exists, SOON)
        assert self.client.spin_until(
            lambda: [step['mode'] for step in self.steps()][-3:] == ['fault'] * 3, SOON
        )
        fault = read_fault(self.run, number, self._offset)
        assert f'fault: {fault.reason}' == reason
        assert fault.before[-1]['target'] is not None
        session = self.session
        assert self.client.spin_until(
            lambda: any(each.mode == 'fault' for each in self.sent(session)), SOON
        )
        sent = self.sent(session)
        first = next(i for i, each in enumerate(sent) if each.mode == 'fault')
        assert all(each.damping for each in sent[first:])
        return fault


@contextmanager
def graph(
    folder: Path,
    bridge: Mapping[str, object] | None = None,
    remaps: Mapping[str, str] = REMAPS,
    **parameters: object,
) -> Iterator[Graph]:
    """
    Start one, configured and inactive.

    :param bridge: parameters of the bridge; all others are those of the policy node.
    :param remaps: names of the bridge's topics.
    """
    environment = domain_environment()
    domain = int(environment['ROS_DOMAIN_ID'])
    given = {
        'robot': 'biped',
        **({} if 'policies' in parameters else {'model': MODEL}),
        'runs_dir': folder / 'runs',
        'auto_run': True,
        'sensor_timeout': 20.0,
        'fade_time': 0.1,
        **PATIENT,
    }
    other = {'robot': 'biped', 'command_timeout': 1.0, 'sensor_rate': 100.0} | dict(bridge or {})
    # Client and relay leave first: rclpy may crash where they leave while processes do.
    with (
        node('mujoco_bridge', folder, environment, other, remaps=remaps) as robot,
        node('policy_node', folder, environment, given | parameters) as policy,
        Client(domain) as client,
        Relay(domain, reliable=False) as relay,
    ):
        made = Graph(client, relay, robot, policy)
        made.configure()
        yield made
        assert 'Traceback' not in policy.output
        assert 'Traceback' not in robot.output
