"""
The recorder: a rosbag2 bag of every topic, beside the step log in the run directory.

| direction | topic | type | what |
|---|---|---|---|
| in | every topic of the graph | any installed message type | recorded serialised |
| in | `policy_node/run` (parameter run_topic), latched | std_msgs/String | the run directory |
| out | `/diagnostics` | diagnostic_msgs/DiagnosticArray | counters, once a second |

One thread discovers topics, takes the waiting messages of each subscription 20 times a second and
writes them. It needs no executor: recording works in any composition, before and after a spin, and
delays a callback by at most one short slice.
"""

import fcntl
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RunError
from kinfer_ros.parameters import Declared
from kinfer_ros.recording.bag_sink import BagSink
from kinfer_ros.recording.bag_types import MessageTypes
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.topic_recorder import RecordedTopic
from kinfer_ros.ros.topic_recorder import TopicRecorder
from kinfer_ros.run.versions import ros_distro

PERIOD = 0.05
"""s between two batches."""
DISCOVERY_PERIOD = 0.5
FLUSH_PERIOD = 1.0
"""s between two flushes and diagnostics: the most that a killed recorder loses."""

# Messages taken and written without a pause, about 25 us each with the interpreter's lock held,
# for which the tick of a policy node in the same process may be waiting.
_SLICE = 8
_PAUSE = 0.0003
# From this batch size on (a simulation much faster than real time) pauses are rarer, so that no
# message is lost.
_FLOOD = 400
_FLOOD_SLICE = 64

# At the end: time for publishers to leave or fall silent, then time for messages on their way.
# Every node has to be down within 4 s of a Ctrl-C.
_LEAVE_TIMEOUT = 2.5
_SILENCE = 1.0
_DRAIN = 1.0
_QUIET = 0.2
_CLOSE_TIMEOUT = 2.0

# Topics that every node publishes, the recorder included.
_COMMON_TOPICS = ('/rosout', '/parameter_events', '/diagnostics')

RECORDER_PARAMETERS = (
    Declared('run_topic', 'policy_node/run', '',
             'Latched topic with the run directory; the bag is made in it.', read_only=True),
    Declared('bag_path', '', '',
             'Directory of the bag; if set, run_topic is ignored.', read_only=True),
    Declared('exclude', [''], '',
             'Topics not recorded: names, or regular expressions that match a whole name.',
             read_only=True),
)  # fmt: skip


class Recorder(Node):
    """Records every topic from its construction until stop()."""

    def __init__(self, node_name: str = 'recorder', **kwargs: Any) -> None:
        """
        Start recording, into memory until a directory is known.

        :raises ConfigError: a parameter has an invalid value.
        """
        super().__init__(node_name, **kwargs)
        declare(self, RECORDER_PARAMETERS)
        refuse_misspelt_parameters(self)
        self._capture = TopicRecorder(
            self, self._read_exclude(), self._offer, self.get_logger().warning
        )
        self._sink = BagSink(MessageTypes(ros_distro()))
        self._logged: set[str] = set()
        self._bag: Path | None = None
        self._lost_before: dict[str, int] = {}
        self._lost_logged = 0
        self._lock: RunLock | None = None
        self._run = ''
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._run_subscription = subscribe(
            self, String, value(self, 'run_topic'), latched, PollOnlyGroup(self)
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._stop = threading.Event()
        if value(self, 'bag_path'):
            self._open(Path(value(self, 'bag_path')).expanduser().absolute())
        self._thread = threading.Thread(target=self._record, name='recorder', daemon=True)
        self._thread.start()

    def counters(self) -> dict[str, Any]:
        """
        Return the counters of the messages so far.

        :return: 'bag' (path of the last one opened, or None), 'error' (why recording is off, or
            None), 'discarded' (messages dropped from memory before a bag was known), 'topics':
            {topic: {'messages', 'lost', 'type'}}; 'lost' are gaps in a publisher's numbering.
        """
        return {
            'bag': None if self._bag is None else str(self._bag),
            'error': self._sink.error,
            'discarded': self._sink.discarded,
            'topics': {
                entry.topic: {'messages': entry.taken, 'lost': entry.lost, 'type': entry.msgtype}
                for entry in list(self._capture.taps.values())
            },
        }

    @property
    def failure(self) -> RunError | None:
        """Why the last bag is not complete, or None; sets the exit code of the process."""
        return None if self._sink.error is None else RunError(self._sink.error)

    def stop(self) -> None:
        """Record until the publishers have left and all is written, 3.5 s at most; then close."""
        self._stop.set()
        self._thread.join(_LEAVE_TIMEOUT + _DRAIN + _CLOSE_TIMEOUT)

    def destroy_node(self) -> None:
        """Stop recording before the subscriptions go."""
        self.stop()
        super().destroy_node()

    def _read_exclude(self) -> list[str]:
        patterns = [pattern for pattern in value(self, 'exclude') if pattern]
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(
                    f'parameter exclude: {pattern!r} is not a regular expression ({error})'
                ) from error
        return patterns

    def _record(self) -> None:
        """Body of the thread."""
        try:
            discovery = flush = 0.0
            flood = False
            while not self._stop.wait(0.0 if flood else PERIOD):
                now = time.monotonic()
                flood = self._write_batch() > _FLOOD
                self._follow_run()
                if now >= discovery:
                    discovery = now + DISCOVERY_PERIOD
                    self._capture.discover()
                if now >= flush:
                    flush = now + FLUSH_PERIOD
                    self._sink.flush()
                    self._report()
            self._drain()
        except Exception as error:  # the context was shut down, or a bug
            if self.context.ok():
                self.get_logger().error(f'recording stopped: {error!r}')
        finally:
            self._close()

    def _write_batch(self) -> int:
        """Take and write all waiting messages; return the number from robot topics."""
        robot_messages = 0
        for count, (entry, stamp_ns, data) in enumerate(self._capture.take(), start=1):
            self._sink.add(entry.topic, entry.msgtype, stamp_ns, data)
            robot_messages += entry.topic not in _COMMON_TOPICS
            if count % (_SLICE if count < _FLOOD else _FLOOD_SLICE) == 0:
                time.sleep(_PAUSE)
        return robot_messages

    def _drain(self) -> None:
        """Record until the publishers have left or fallen silent and no message arrives."""
        begin = quiet_since = time.monotonic()
        gone_since = None
        while True:
            now = time.monotonic()
            if self._write_batch():
                quiet_since = now
            over = now - begin > _LEAVE_TIMEOUT or now - quiet_since > _SILENCE
            if gone_since is None and (over or self._publishers_left()):
                gone_since = now
            if gone_since is not None and (
                now - gone_since > _DRAIN or now - max(gone_since, quiet_since) > _QUIET
            ):
                return
            time.sleep(PERIOD)

    def _publishers_left(self) -> bool:
        """Tell whether no recorded topic has a publisher, except those of every node."""
        # A lifecycle node of this process publishes transition_event until it is collected.
        topics = [
            topic
            for topic in self._capture.taps
            if topic not in _COMMON_TOPICS and not topic.endswith('/transition_event')
        ]
        return not any(self.count_publishers(topic) for topic in topics)

    def _follow_run(self) -> None:
        """Open the bag of a new run."""
        if value(self, 'bag_path'):
            return
        message = take_newest(self._run_subscription)
        if message is None or not message.data or message.data == self._run:
            return
        self._run = message.data
        run = Path(message.data)
        try:
            lock = RunLock(run)
        except BlockingIOError:
            self.get_logger().error(f'another recorder records {run}: this one does not')
            return
        except (OSError, ValueError):  # not there, not readable, or no path at all
            lock = None
        if lock is not None:
            self._open(_unused_path(run / 'bag'))
            if self._lock is not None:
                self._lock.release()
            self._lock = lock
            return
        self.get_logger().error(
            f'run directory {run} is not there, or not readable, on this machine: this run is '
            'not recorded; set bag_path, or start the recorder where the policy node runs'
        )

    def _open(self, path: Path) -> None:
        self._close()
        if self._sink.open(path):
            self._bag = path
            self.get_logger().info(f'recording into {path}')
        self._log_error()

    def _close(self) -> None:
        """Close the open bag, if there is one; lost messages are noted in its metadata.yaml."""
        lost = {
            topic: entry.lost - self._lost_before.get(topic, 0)
            for topic, entry in self._capture.taps.items()
            if entry.lost > self._lost_before.get(topic, 0)
        }
        notes = {'lost': json.dumps(lost), 'discarded': str(self._sink.discarded)}
        counts = self._sink.close(notes)
        self._log_error()
        if counts is not None and self._sink.error is None:
            self._lost_before = {topic: entry.lost for topic, entry in self._capture.taps.items()}
            self.get_logger().info(
                f'closed {self._bag}: {sum(counts.values())} messages of {len(counts)} topics'
                + (f', lost {lost}' if lost else '')
            )

    def _offer(self, entry: RecordedTopic) -> None:
        # The last lines of the log are no state to begin a new bag with.
        latched = 0 if entry.topic == '/rosout' else entry.latched
        self._sink.offer(entry.topic, entry.msgtype, reliable=entry.reliable, latched=latched)

    def _log_error(self) -> None:
        error = self._sink.error
        if error is not None and error not in self._logged:
            self._logged.add(error)
            self.get_logger().error(f'{error}. Recording is off; nothing else is affected')

    def _report(self) -> None:
        """Log new problems, and publish the counters."""
        self._log_error()
        for topic, why in self._sink.refused().items():
            if topic not in self._logged:
                self._logged.add(topic)
                self.get_logger().warning(f'{topic} is not recorded: {why}')
        counters = self.counters()
        lost = {t: c['lost'] for t, c in counters['topics'].items() if c['lost']}
        if sum(lost.values()) > self._lost_logged:
            self._lost_logged = sum(lost.values())
            self.get_logger().warning(f'messages lost before they could be recorded: {lost}')
        self._diagnostics.publish(self._make_diagnostics(counters, sum(lost.values())))

    def _make_diagnostics(self, counters: dict[str, Any], lost: int) -> DiagnosticArray:
        status = DiagnosticStatus(level=DiagnosticStatus.OK, message='recording')
        status.name = f'{self.get_fully_qualified_name()}: bag'
        if counters['error'] is not None:
            status.level, status.message = DiagnosticStatus.ERROR, 'recording is off'
        elif lost or counters['discarded']:
            status.level, status.message = DiagnosticStatus.WARN, 'messages lost'
        elif counters['bag'] is None:
            status.message = 'waiting for a run directory'
        entries = {
            'bag': counters['bag'] or '',
            'error': counters['error'] or '',
            'topics': len(counters['topics']),
            'messages': sum(t['messages'] for t in counters['topics'].values()),
            'lost': lost,
            'discarded': counters['discarded'],
        }
        status.values = [KeyValue(key=key, value=str(text)) for key, text in entries.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        return array


class RunLock:
    """Keeps the recorders of other launches out of a run directory; it ends with the process."""

    def __init__(self, run: Path) -> None:
        """:raises OSError: no such directory; BlockingIOError: another recorder has it."""
        folder = os.open(run, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(folder)
            raise
        self._folder: int | None = folder

    def release(self) -> None:
        """Let others record this run."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _unused_path(path: Path) -> Path:
    """Return the path, or with -2, -3 ... the first that does not exist."""
    number, unused = 1, path
    while unused.exists():
        number += 1
        unused = path.with_name(f'{path.name}-{number}')
    return unused


def main(args: list[str] | None = None) -> int:
    """Run the recorder as a process; return its exit code."""
    from kinfer_ros.ros.process import run_node

    return run_node(Recorder, args)


if __name__ == '__main__':
    raise SystemExit(main())
