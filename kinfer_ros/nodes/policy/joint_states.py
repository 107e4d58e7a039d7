"""joint_states as they are in a graph: several drivers, other robots' joints, broken messages."""

import time
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from kinfer_ros.contract.second_publisher import WINDOW_NS
from kinfer_ros.contract.second_publisher import JointSenders
from kinfer_ros.contract.second_publisher import describe_conflict
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr import JointSample
from kinfer_ros.ros.cdr import JointStateReader
from kinfer_ros.ros.messages import read_joint_sample
from kinfer_ros.ros.polling import NAMELESS
from kinfer_ros.ros.polling import publisher_id
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.polling import take_waiting_bytes

REPORT_NS = 1_000_000_000
"""Between two looks at who publishes the same joints: a name may come later."""


class JointStates:
    """Takes the joint samples of a tick, and finds out who publishes them."""

    def __init__(self, node: Node, subscription: Subscription) -> None:
        self._node = node
        self._subscription = subscription
        self._reader = JointStateReader()
        self._publisher: bytes | None = None
        self._number = 0
        self._senders: JointSenders | None = None
        self._senders_until_ns = 0
        self._next_report_ns = 0
        self._strange: list[str] = []
        self._frame: SensorFrame | None = None

    def take(self, frame: SensorFrame) -> list[JointSample]:
        """
        Take the samples that wait, oldest first, from the newest that has all joints on.

        One that has too many names, or names a joint twice, becomes the frame's problem.
        """
        if frame is not self._frame:
            self._frame, self._senders = frame, None  # another setup: drivers may be others
        samples: list[JointSample] = []
        waiting = take_waiting_bytes(self._subscription)
        if waiting:
            self._find_second_publisher(waiting, frame)
        for data, _ in reversed(waiting):
            try:
                sample = read_joint_sample(data, self._reader)
                samples.append(sample)
                if len(sample.effort) not in (0, len(sample.names)):
                    self._warn_of_effort(sample)
                if frame.is_whole(sample.names):
                    break
            except MessageError as error:
                self._node.get_logger().warning(f'{error}: passed over', throttle_duration_sec=1.0)
            except ContractError as error:
                frame.joint_problem = str(error)
        if frame.strange_joints != self._strange:
            self._warn_of_strange(frame.strange_joints)
        return samples[::-1]

    def _find_second_publisher(self, waiting: list[tuple[bytes, Any]], frame: SensorFrame) -> None:
        """Count who sends which joints, from the first message of another publisher on."""
        other = False
        for _, info in waiting:
            publisher, number = publisher_id(info), info.get('publication_sequence_number') or 0
            other |= publisher != self._publisher or (publisher is None and number <= self._number)
            self._publisher, self._number = publisher, number
        now = time.monotonic_ns()
        if other:
            self._senders = self._senders or JointSenders(frame.joint_names)
            self._senders_until_ns = now + 2 * WINDOW_NS
        elif self._senders is None:
            return
        elif now > self._senders_until_ns:
            self._senders, frame.joint_conflict = None, ''
            return
        for data, info in waiting:
            try:
                names = read_joint_sample(data, self._reader).names
            except (MessageError, ContractError):
                continue
            number = info.get('publication_sequence_number')
            self._senders.on_message(publisher_id(info), names, number, now)
        self._report_conflict(self._senders.conflict(now), frame, now)

    def _report_conflict(self, joints: list[str], frame: SensorFrame, now_ns: int) -> None:
        """Log who publishes the same joints, where it has changed."""
        if not joints or (frame.joint_conflict and now_ns < self._next_report_ns):
            return
        self._next_report_ns = now_ns + REPORT_NS
        topic = self._subscription.topic_name
        text = describe_conflict(topic, joints, publisher_nodes(self._node, topic))
        if text != frame.joint_conflict:
            frame.joint_conflict = text
            self._node.get_logger().warning(text)

    def _warn_of_effort(self, sample: JointSample) -> None:
        self._node.get_logger().warning(
            f'joint_states: found {len(sample.names)} names with {len(sample.effort)} efforts, '
            'expected as many or none: the record has no torques of it',
            throttle_duration_sec=10.0,
        )

    def _warn_of_strange(self, joints: list[str]) -> None:
        topic = self._subscription.topic_name
        robot = publisher_nodes(self._node, 'bridge_state')
        found = publisher_nodes(self._node, topic)
        others = [name for name in found if name not in robot] or found
        self._strange = joints
        self._node.get_logger().warning(
            f"{topic}: messages with none of the robot's joints ({', '.join(joints[:5])}) are "
            f'passed over; published by {", ".join(others) or NAMELESS}'
        )
