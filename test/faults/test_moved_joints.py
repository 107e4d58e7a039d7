"""Another node moves a joint over DDS, and what it can do wrong: the robot is held meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from helpers.client import CLEANUP
from helpers.client import CONFIGURE
from kinfer_ros.ros.polling import NAMELESS

JOINT, TWIST = 'left_hip_yaw', 0.2
"""The first joint of the robot, and rad to which it is turned."""
PERIOD_S = 0.02


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(
        tmp_path_factory.mktemp('moved'), {'command_timeout': 5.0}, auto_run=False,
        override_joints=[JOINT, 'right_hip_yaw'], allow_legs=True, stale_timeout=4.0,
        max_missed_ticks=500,
    ) as made:  # fmt: skip
        made.start('hold')
        yield made


class Mover:
    """A node that publishes targets."""

    def __init__(self, running: Graph, name: str) -> None:
        self._client = running.client
        self._node = Node(name, context=running.client.node.context, use_global_arguments=False)
        self._publisher = self._node.create_publisher(JointState, 'joint_overrides', 10)
        heard = self._publisher.get_subscription_count
        assert running.client.spin_until(lambda: heard() > 0, SOON)

    def send(self, target: float = TWIST) -> None:
        """Publish a target of JOINT, stamped now."""
        self.publish(stamped(self._node, JointState(name=[JOINT], position=[target])))

    def publish(self, message: Any) -> None:
        """Publish a message, or bytes."""
        self._publisher.publish(message)

    def until(self, condition: Callable[[], bool], target: float = TWIST) -> bool:
        """Send all the time until a condition holds; :return: whether it came true."""

        def sending() -> bool:
            self.send(target)
            return condition()

        return bool(self._client.spin_until(sending, SOON))

    def leave(self) -> None:
        """End."""
        self._node.destroy_node()


def stamped(node: Node, message: JointState, ahead_s: float = 0.0) -> JointState:
    now = node.get_clock().now().nanoseconds + round(ahead_s * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 1_000_000_000)
    return message


@pytest.fixture
def mover(running: Graph) -> Iterator[Callable[[str], Mover]]:
    """Make nodes that move joints; in the end all have left, and the joint is back."""
    made: list[Mover] = []

    def make(name: str) -> Mover:
        made.append(Mover(running, name))
        return made[-1]

    yield make
    for each in made:
        each.leave()
    if running.mode.startswith('hold'):  # with who moves joints, while somebody does
        assert running.client.spin_until(lambda: bool(abs(sent(running)) < 1e-6), SOON)


def sent(running: Graph, count: int = 1) -> Any:
    """The newest targets of JOINT, rad."""
    targets = [each.targets[0] for each in running.relay.commands[-400:] if each.targets]
    return targets[-1] if count == 1 else np.array(targets[-count:])


def test_over_and_back(running: Graph, mover: Callable[[str], Mover]) -> None:
    """It is said who moves it; in silence it goes back at the speed of the parameter."""
    heard = running.client.follow(DiagnosticArray, '/diagnostics', QoSProfile(depth=50))

    def shown() -> bool:
        values = [value for each in heard for s in each.status for value in s.values]
        return any(v.key == 'override' and v.value == f'/wave moves {JOINT}' for v in values)

    wave = mover('wave')
    assert wave.until(lambda: abs(sent(running) - TWIST) < 1e-6 and shown())
    begin = len(running.relay.commands)
    assert running.client.spin_until(lambda: abs(sent(running)) < 1e-6, SOON)
    path = np.array([each.targets[0] for each in running.relay.commands[begin:]])
    assert np.abs(np.diff(path)).max() <= 1.0 * PERIOD_S + 1e-6
    running.step_with('override: all joints are back')
    # Perhaps without a name at first: DDS may tell it after the first messages.
    said = {event for event in running.events() if NAMELESS not in event}
    assert {event for event in said if event.startswith('override')} == {
        f'override: /wave moves {JOINT}',
        'override: /wave is silent: its joints go back',
        'override: all joints are back',
    }
    assert running.mode == 'hold'


def message(names: list[str], position: list[float]) -> JointState:
    return JointState(name=names, position=position)


@pytest.mark.parametrize(
    ('wrong', 'ahead_s', 'words'),
    [
        (message([JOINT], [math.nan]), 0.0, f'{JOINT} is not finite'),
        (message(['tail'], [0.1]), 0.0, 'the robot has no joints tail'),
        (message([JOINT, 'left_knee'], [0.1, 0.1]), 0.0, 'left_knee may not be moved'),
        (message([JOINT, JOINT], [0.1, 0.1]), 0.0, f'names {JOINT} twice'),
        (message([JOINT], []), 0.0, '1 names with 0 positions'),
        (message([f'j{i}' for i in range(1025)], []), 0.0, 'found 1025 joints'),
        (message([JOINT], [0.1]), -0.2, 'older than 0.1 s'),
        (message([JOINT], [0.1]), 1.0, 'in the future'),
        (b'\x00\x01\x00\x00\x00', 0.0, 'ends before its last value'),
    ],
    ids=['nan', 'unknown', 'leg', 'twice', 'lengths', 'many', 'old', 'ahead', 'bytes'],
)
def test_a_message_that_cannot_be_used(
    running: Graph, mover: Callable[[str], Mover], wrong: Any, ahead_s: float, words: str
) -> None:
    """Refused in the log with the publisher's name, once DDS knows it; nothing moves."""
    wave = mover('wrong')

    def lines() -> list[str]:
        said = running.policy.output.splitlines()
        return [line for line in said if words in line and '/wrong' in line]

    def said() -> bool:
        if not isinstance(wrong, bytes):
            stamped(running.client.node, wrong, ahead_s)
        wave.publish(wrong)
        return bool(lines())

    assert running.client.spin_until(said, SOON), running.policy.output[-2000:]
    (line,) = lines()
    assert 'is refused' in line
    assert abs(sent(running)) < 1e-6
    assert running.mode == 'hold'


def test_a_jump(running: Graph, mover: Callable[[str], Mover]) -> None:
    """It is limited as any target is, and counted."""
    wave = mover('wave')
    assert wave.until(lambda: abs(sent(running) - TWIST) < 1e-6)
    assert running.set(target_slew=1.0) == ''
    wave.until(lambda: abs(sent(running) + TWIST) < 1e-6, -TWIST)
    path = sent(running, 60)
    assert path[-1] == pytest.approx(-TWIST)
    assert np.abs(np.diff(path)).max() <= 1.0 * PERIOD_S + 1e-6
    running.step_with('slew limit')
    assert running.set(target_slew=60.0) == ''


def test_a_second_publisher(running: Graph, mover: Callable[[str], Mover]) -> None:
    """Refused and named; the joint stays with the first."""
    wave, other = mover('wave'), mover('other')
    assert wave.until(lambda: abs(sent(running) - TWIST) < 1e-6)

    def refused() -> bool:
        other.send(-TWIST)
        # Jazzy does not tell who of the two sent a message: it names both.
        said = running.policy.output
        return any('/other' in line and '/wave' in line for line in said.splitlines())

    assert wave.until(refused), running.policy.output[-2000:]
    begin = len(running.relay.commands)
    assert wave.until(lambda: refused() and len(running.relay.commands) > begin + 30)
    # On a loaded machine this test may fall silent for a while: the joint then starts back.
    assert sent(running, 30).min() >= 0.0


def test_a_stop(running: Graph, mover: Callable[[str], Mover]) -> None:
    """It wins at once, whatever goes on being sent."""
    wave = mover('wave')
    assert wave.until(lambda: abs(sent(running) - TWIST) < 1e-6)
    assert running.client.trigger('policy_node/stop').success
    assert wave.until(lambda: running.mode.startswith('damp'))
    begin = len(running.relay.commands)
    assert wave.until(lambda: len(running.relay.commands) > begin + 20)
    assert all(each.damping for each in running.relay.commands[begin:])


def test_a_leg_needs_a_word_of_its_own(running: Graph) -> None:
    """The last of this graph: configure is refused, and says what to do."""
    running.rest()
    assert running.client.transition('policy_node', CLEANUP)
    assert running.set(allow_legs=False) == ''
    assert not running.client.transition('policy_node', CONFIGURE)
    assert f"['{JOINT}', 'right_hip_yaw'] are of a leg" in running.policy.output
    assert 'set allow_legs' in running.policy.output
