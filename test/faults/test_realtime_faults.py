"""Faults of time: sensors that stop, come late, come too seldom; and what the robot tells."""

from __future__ import annotations

import resource
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from fault_log import facts_of
from fault_log import steps_of
from rclpy.qos import QoSProfile
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import JointState

from helpers.client import CLEANUP

STALE_NS = 500_000_000


pytestmark = pytest.mark.alone


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(tmp_path_factory.mktemp('realtime')) as made:
        yield made


@pytest.fixture
def walking(running: Graph) -> Graph:
    running.start()
    return running


def shifted(seconds: int) -> Callable[[Any], Any]:
    """Change the stamp of a sample."""

    def change(message: Any) -> Any:
        message.header.stamp.sec += seconds
        return message

    return change


class OneIn:
    """Hands on one sample in `count`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0

    def __call__(self, message: Any) -> Any:
        """Keep back all but one in `count`."""
        self._seen += 1
        return message if self._seen % self._count == 0 else None


@pytest.mark.parametrize('wire', ['imu', 'joints'])
def test_a_sensor_that_stops(walking: Graph, wire: str) -> None:
    """The first tick after stale_timeout damps, and the log has every tick up to then."""
    assert walking.set(stale_timeout=STALE_NS / 1e9) == ''
    broken = getattr(walking.relay, wire)
    broken.tamper(lambda message: None)
    topic = {'imu': 'imu/data', 'joints': 'joint_states'}[wire]
    fault = walking.fault(f'{topic} is stale: the newest sample is 5')
    assert 'samples arrive' not in fault.reason
    assert fault.header['guards']['stale']['faults'] >= 1
    assert fault.ticks_later_than(broken.last + STALE_NS) <= 1
    refused = walking.client.trigger('policy_node/reset')
    assert not refused.success
    assert f'the cause is still there: {topic} is stale' in refused.message
    broken.mend()
    assert walking.client.spin_until(
        lambda: walking.client.trigger('policy_node/reset').success, SOON
    )
    assert walking.until('damp') == 'damp: reset'
    assert not walking.client.trigger('policy_node/start').success


def test_an_imu_ten_seconds_late(walking: Graph) -> None:
    """Samples older than the one before are passed over, with a warning; then it is stale."""
    assert walking.set(stale_timeout=STALE_NS / 1e9) == ''
    walking.relay.imu.tamper(shifted(-10))
    fault = walking.fault('imu/data is stale')
    assert fault.ticks_later_than(walking.relay.imu.last + STALE_NS) <= 1
    assert 'warning order: imu/data' in str(walking.events())


def test_an_imu_that_is_late_from_the_start_is_not_activated(running: Graph) -> None:
    """Its samples arrive and are in order: only their stamps tell."""
    running.start()
    running.rest()
    running.relay.imu.tamper(shifted(-10))
    assert running.client.spin_until(lambda: bool(running.relay.imu.first), SOON)
    said = running.refused_activation()
    assert 'imu/data is stale' in said
    assert 'samples arrive, so they are held up' in said


def test_a_sample_from_the_future(walking: Graph) -> None:
    """The clocks of two hosts differ: the text says so, and names what sets them."""
    walking.relay.imu.tamper(shifted(10))
    fault = walking.fault('in the future: the clocks of the hosts differ (chrony or ptp')
    assert fault.header['guards']['future']['faults'] >= 1


def test_joint_states_at_a_tenth_of_the_rate(walking: Graph) -> None:
    """Younger than stale_timeout is borne; a time-out between the two rates finds it."""
    walking.relay.joints.tamper(OneIn(10))
    fresh = walking.relay.joints.last
    assert walking.client.spin_until(
        lambda: any(s['stamp_ns'] > fresh + STALE_NS for s in walking.steps()), SOON
    )
    assert walking.mode == 'run'
    assert walking.set(stale_timeout=0.08) == ''
    walking.fault('joint_states is stale')


@pytest.mark.parametrize(
    ('guard', 'topic', 'bad', 'worse', 'good'),
    [
        (
            'temperature',
            'joint_temperatures',
            JointState(name=['left_knee'], position=[85.0]),
            JointState(name=['left_knee'], position=[95.0]),
            JointState(name=['left_knee'], position=[40.0]),
        ),
        (
            'battery',
            'battery_state',
            BatteryState(percentage=0.08),
            BatteryState(percentage=0.03),
            BatteryState(percentage=0.9),
        ),
    ],
    ids=['temperature', 'battery'],
)
def test_the_robots_health(
    walking: Graph, guard: str, topic: str, bad: Any, worse: Any, good: Any
) -> None:
    """A warning first, then a fault, and no reset before it is well again."""
    client = walking.client
    publisher = client.node.create_publisher(type(bad), topic, QoSProfile(depth=1))

    def tell(message: Any, until: Callable[[], bool]) -> bool:
        def told() -> bool:
            publisher.publish(message)
            return until()

        return client.spin_until(told, SOON)

    assert tell(bad, lambda: f'warning {guard}' in str(walking.events()))
    assert walking.mode == 'run'
    assert tell(worse, lambda: walking.mode.startswith('fault'))
    fault = walking.fault({'temperature': 'left_knee is at 95 deg C', 'battery': 'at 3 %'}[guard])
    assert fault.header['guards'][guard]['faults'] >= 1
    assert not client.trigger('policy_node/reset').success
    assert tell(good, lambda: client.trigger('policy_node/reset').success)
    client.node.destroy_publisher(publisher)


def test_the_disk_is_full_under_the_log(walking: Graph) -> None:
    """
    The robot walks on, /diagnostics says it, and what was written before is whole.

    The last of this graph: its run is closed.
    """
    found = walking.client.follow(DiagnosticArray, '/diagnostics', QoSProfile(depth=50))
    log = walking.run / 'steps.ndjson'
    # The kernel refuses to let any file of this process grow beyond that: as on a full disk.
    limit = log.stat().st_size + 50_000
    resource.prlimit(walking.policy.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def said() -> bool:
        values = [v for m in found for s in m.status for v in s.values if v.key == 'log_error']
        return any('writing failed' in v.value for v in values)

    assert walking.client.spin_until(said, SOON)
    assert walking.mode == 'run'
    assert log.stat().st_size <= limit
    ids = [step['step_id'] for step in steps_of(walking.run)]
    assert ids == list(range(len(ids)))
    walking.relay.imu.tamper(shifted(10))
    walking.until('fault')
    walking.rest()
    resource.prlimit(
        walking.policy.pid,
        resource.RLIMIT_FSIZE,
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    )
    walking.relay.mend()
    run = walking.run
    assert walking.client.transition('policy_node', CLEANUP)
    facts = facts_of(run)
    assert 'writing failed' in facts['counters']['log']['error']
    assert facts['counters']['log']['dropped'] > 0
    # Of the last four, written at once, some may have got through.
    assert len(ids) - 3 <= facts['counters']['log']['written'] <= len(ids)
