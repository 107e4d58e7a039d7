"""Listens to a running robot for a bounded time and holds the contracts of policies against it.

contract/live_sensors.py judges. The policy node asks at configure, `check --live` from outside.
"""

import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.contract.live_sensors import check_live_sensors
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import MAX_SAMPLES
from kinfer_ros.contract.sensor_capture import CapturedImu
from kinfer_ros.contract.sensor_capture import CapturedJointState
from kinfer_ros.contract.sensor_capture import CapturedOdometry
from kinfer_ros.contract.sensor_capture import CapturedScan
from kinfer_ros.contract.sensor_capture import SensorCapture
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import takes_odometry
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.robot.robot import Robot
from kinfer_ros.ros.context import own_node
from kinfer_ros.ros.messages import scan_heights
from kinfer_ros.ros.messages import stamp_ns
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all

DISCOVERY_S = 5.0
"""How long to wait for a first message of each topic."""
TIMEOUT_S = 2.0
"""The same for a node that has seen messages already."""
INSIDE_S = 0.4
"""s that a node listens: 20 samples at 50 Hz."""
POLL_S = 0.001
MAX_SCANS = 500
DRIVERS = 32
"""Newest messages in which the robot's joints are looked for: one driver a limb, and others."""
SENSORS = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class Sources:
    """Subscriptions that no executor serves; `clock` under simulated time."""

    joints: Subscription
    imu: Subscription
    odom: Subscription
    scan: Subscription
    clock: Subscription | None = None


def needs_odometry(policies: Sequence[Policy]) -> bool:
    """Whether one of the policies takes the base's linear velocity."""
    return any(takes_odometry(each.name for each in p.contract.inputs) for p in policies)


def _scan_of(policies: Sequence[Policy]) -> HeightScan | None:
    """Return the height scan that they take; of a set all take the same."""
    specs = [each.contract.spec for each in policies]
    return next((spec.scan for spec in specs if spec is not None and spec.scan is not None), None)


def _wanted(policies: Sequence[Policy]) -> tuple[str, ...]:
    """Name the lists of a capture that the policies need something in."""
    odom = ('odom',) if needs_odometry(policies) else ()
    return ('joints', 'imu', *odom, *(('scan',) if _scan_of(policies) is not None else ()))


def check_live(
    policies: Sequence[Policy],
    robot: Robot,
    *,
    namespace: str,
    seconds: float,
    use_sim_time: bool,
) -> list[Row]:
    """
    Join the graph, listen, and judge; at most `seconds` after the first messages.

    :param policies: one, or all of a set: what any of them needs has to be there.
    """
    with own_node('contract_check', namespace, rosout=True) as node:
        sources = _subscribe(node, use_sim_time)
        wanted = _wanted(policies)
        first = SensorCapture()
        listen(sources, first, DISCOVERY_S, lambda: _all_there(first, wanted, robot))
        capture = SensorCapture()
        listen(sources, capture, seconds)
    rate = policies[0].contract.control_rate_hz or DEFAULT_RATE_HZ
    return _judge(policies, robot, capture, rate)


def check_from_inside(
    policies: Sequence[Policy],
    robot: Robot,
    sources: Sources,
    rate_hz: float,
    *,
    lockstep: bool,
    sim: bool,
) -> list[Row]:
    """
    The same for a node that has subscriptions already and may be in a transition.

    :param lockstep: the simulation waits for the first command: one sample says all.
    :param sim: under simulated time, which stands still for a node in a transition.
    """
    wanted = _wanted(policies)
    capture = SensorCapture(has_clock=not sim, time_runs=not lockstep)
    listen(sources, capture, TIMEOUT_S, lambda: _all_there(capture, wanted, robot))
    if not lockstep:
        capture = SensorCapture(has_clock=not sim)
        listen(sources, capture, INSIDE_S)
    return _judge(policies, robot, capture, rate_hz)


def _judge(
    policies: Sequence[Policy], robot: Robot, capture: SensorCapture, rate_hz: float
) -> list[Row]:
    return check_live_sensors(
        capture, robot, rate_hz, needs_odometry=needs_odometry(policies), scan=_scan_of(policies)
    )


def _subscribe(node: Node, use_sim_time: bool) -> Sources:
    group = PollOnlyGroup(node)

    return Sources(
        subscribe(node, JointState, 'joint_states', SENSORS, group),
        subscribe(node, Imu, 'imu/data', SENSORS, group),
        subscribe(node, Odometry, 'odom', SENSORS, group),
        subscribe(node, Image, 'height_scan', SENSORS, group),
        subscribe(node, Clock, '/clock', SENSORS, group) if use_sim_time else None,
    )


def _all_there(capture: SensorCapture, wanted: tuple[str, ...], robot: Robot) -> bool:
    names: set[str] = set().union(*(sample.names for sample in capture.joints[-DRIVERS:]))
    return names.issuperset(robot.joint_names) and all(getattr(capture, name) for name in wanted)


def listen(
    sources: Sources,
    capture: SensorCapture,
    seconds: float,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Take what comes for a time, or until `enough`."""
    begin = time.monotonic()
    sim_now = 0
    while time.monotonic() - begin < seconds and not enough():
        if sources.clock is not None:
            for message in take_all(sources.clock):
                sim_now = message.clock.sec * 1_000_000_000 + message.clock.nanosec
        now = time.time_ns() if sources.clock is None else sim_now
        _take(sources, capture, now)
        time.sleep(POLL_S)
    capture.seconds += time.monotonic() - begin


def _take(sources: Sources, capture: SensorCapture, now: int) -> None:
    for message in take_all(sources.joints):
        if len(capture.joints) < MAX_SAMPLES:
            stamp = stamp_ns(message.header)
            capture.joints.append(
                CapturedJointState(
                    stamp,
                    now - stamp,
                    tuple(message.name),
                    np.array(message.position, np.float64),
                    np.array(message.velocity, np.float64),
                )
            )
    for message in take_all(sources.imu):
        if len(capture.imu) < MAX_SAMPLES:
            capture.imu.append(_imu_sample(message, now))
    for message in take_all(sources.odom):
        if len(capture.odom) < MAX_SAMPLES:
            v = message.twist.twist.linear
            stamp = stamp_ns(message.header)
            capture.odom.append(
                CapturedOdometry(
                    stamp, now - stamp, message.child_frame_id, np.array([v.x, v.y, v.z])
                )
            )

    for message in take_all(sources.scan):
        if len(capture.scan) < MAX_SCANS:
            capture.scan.append(_scan_sample(message, now))


def _scan_sample(message: Image, now: int) -> CapturedScan:
    stamp, shape = stamp_ns(message.header), (message.height, message.width)
    try:
        heights = scan_heights(message).astype(np.float64)
    except ContractError as error:
        return CapturedScan(stamp, now - stamp, shape, np.zeros(0), str(error))
    return CapturedScan(stamp, now - stamp, shape, heights)


def _imu_sample(message: Imu, now: int) -> CapturedImu:
    q, g, a = message.orientation, message.angular_velocity, message.linear_acceleration
    stamp = stamp_ns(message.header)
    return CapturedImu(
        stamp,
        now - stamp,
        message.header.frame_id,
        np.array([q.x, q.y, q.z, q.w]),
        np.array([g.x, g.y, g.z]),
        np.array([a.x, a.y, a.z]),
        message.orientation_covariance[0] != -1.0,
    )
