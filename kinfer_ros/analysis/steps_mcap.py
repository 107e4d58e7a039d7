"""Writes a step log as MCAP with ROS 2 messages, on the topics of the running graph.

Foxglove and PlotJuggler display these messages, with the same layout as a bag or the live robot.
"""

import re
import tempfile
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.derived import VELOCITY
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import component_names
from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RunError

MakeMessage = Callable[[int, Any], Any]
"""Makes the message of a record from its index and stamp; None where it has none."""

UNKNOWN_COVARIANCE = np.array([-1.0, *[0.0] * 8])
"""Covariance of a missing quantity (REP-145)."""

OF_TOPICS = (
    'joint_angles', 'target', 'gyro', 'accel', 'odom', 'joint_temps', *POSITION, *VELOCITY,
)  # fmt: skip
"""Keys that are part of messages on the graph's topics."""

MAX_STAMP_S = 2.0**31
"""s since the Unix epoch: the range of a ROS 2 stamp."""

_STORE: Any = get_typestore(Stores.LATEST)


def _new(msgtype: str, *fields: Any) -> Any:
    return _STORE.types[msgtype](*fields)


def _header(stamp: Any, frame: str = '') -> Any:
    return _new('std_msgs/msg/Header', stamp, frame)


def write_mcap(
    run: RecordedRun, columns: Columns, path: Path, progress: Callable[[int], None]
) -> None:
    """
    Write the file; times are the control clock, starting at the wall clock of the first record.

    :param progress: called with the number of records written so far.
    :raises RunError: the file cannot be written.
    """
    topics = _topics(run, columns)
    seconds = columns.began_us / 1e6 + columns.time - columns.time[0]
    if seconds.min() < 0.0 or seconds.max() >= MAX_STAMP_S:
        raise RunError(f'{run.log}: its times are outside the range of a ROS 2 stamp')
    stamps = round(columns.began_us * 1000) + np.round(
        (columns.time - columns.time[0]) * 1e9
    ).astype(np.int64)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='.mcap.') as folder:
            bag = Path(folder) / 'steps'
            with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
                channels: dict[str, Any] = {}
                for index, ns in enumerate(stamps.tolist()):
                    progress(index)
                    stamp = _new('builtin_interfaces/msg/Time', *divmod(ns, 10**9))
                    for topic, make in topics:
                        message = make(index, stamp)
                        if message is not None:
                            _write(writer, channels, topic, ns, message)
            (file,) = bag.glob('*.mcap')
            file.replace(path)
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error


def _write(writer: Writer, channels: dict[str, Any], topic: str, ns: int, message: Any) -> None:
    msgtype = message.__msgtype__
    if topic not in channels:
        channels[topic] = writer.add_connection(topic, msgtype, typestore=_STORE)
    writer.write(channels[topic], ns, _STORE.serialize_cdr(message, msgtype))


def _topics(run: RecordedRun, columns: Columns) -> list[tuple[str, MakeMessage]]:
    topics: list[tuple[str, MakeMessage]] = []

    def add_named(topic: str, key: str, rows: Float64 | None, *more: Float64 | None) -> None:
        if rows is not None:
            same = [
                each if each is not None and each.shape == rows.shape else None for each in more
            ]
            topics.append((topic, _named(component_names(run, key, rows.shape[1]), rows, *same)))

    position, torques = columns.row(*POSITION), columns.row('joint_torques')
    add_named('/joint_states', 'joint_angles', position, columns.row(*VELOCITY), torques)
    add_named('/joint_temperatures', 'joint_temps', columns.row('joint_temps'))
    add_named('/joint_commands', 'target', *_sent(columns))
    for key, rows in columns.rows.items():
        if key not in OF_TOPICS and not (rows is torques and position is not None):
            add_named(f'/policy/{_topic_name(key)}', key, rows)
    if _vectors(columns.row('gyro')) is not None:
        topics.append(('/imu/data', _imu(columns)))
    if _vectors(columns.row('odom')) is not None:
        topics.append(('/odom', _odometry(columns)))
    if columns.scalars:
        names = [key.replace('stage.', 'stage_us/') for key in columns.scalars]
        topics.append(('/policy/timing', _named(names, np.stack([*columns.scalars.values()], 1))))
    topics.append(('/policy_node/mode', _modes(columns)))
    topics.append(('/rosout', _events(columns)))
    return topics


def _sent(columns: Columns) -> tuple[Float64 | None, Float64 | None]:
    """Return targets as they were sent: positions, and velocities where there are wheels."""
    target, measured = columns.row('target'), columns.row(*POSITION)
    if target is None or not columns.wheels:
        return target, None
    position, velocity = target.copy(), np.zeros(target.shape)
    same = measured is not None and measured.shape == target.shape
    for at in columns.wheels:
        velocity[:, at] = target[:, at]
        position[:, at] = measured[:, at] if measured is not None and same else np.nan
    return position, velocity


def _topic_name(key: str) -> str:
    """Return a key as a part of a topic name; other projects' logs have any keys."""
    name = re.sub(r'[^A-Za-z0-9_]', '_', key.removeprefix('inputs.'))
    return name if name[:1].isalpha() else f'_{name}'


def _vectors(rows: Float64 | None) -> Float64 | None:
    """Return the rows if they have three components: a log may be damaged."""
    return rows if rows is not None and rows.shape[1] == 3 else None


def _named(
    names: Sequence[str],
    rows: Float64,
    velocity: Float64 | None = None,
    effort: Float64 | None = None,
) -> MakeMessage:
    """Make JointState messages of named numbers."""
    empty = np.asarray(np.isnan(rows).all(axis=1))
    # ROS allows empty arrays, but PlotJuggler reads one entry for every name.
    unknown = np.full(rows.shape[1], np.nan)

    def make(index: int, stamp: Any) -> Any:
        if empty[index]:
            return None
        more = [unknown if each is None else each[index] for each in (velocity, effort)]
        fields = _header(stamp), list(names), rows[index], *more
        return _new('sensor_msgs/msg/JointState', *fields)

    return make


def _imu(columns: Columns) -> MakeMessage:
    """Make Imu messages in the policy frame; the log has no orientation."""
    gyro, accel = columns.rows['gyro'], _vectors(columns.row('accel'))

    def vector(values: Any) -> Any:
        return _new('geometry_msgs/msg/Vector3', *values.tolist())

    def make(index: int, stamp: Any) -> Any:
        if np.isnan(gyro[index]).all():
            return None
        force = np.zeros(3) if accel is None else accel[index]
        covariance = UNKNOWN_COVARIANCE if accel is None else np.zeros(9)
        return _new(
            'sensor_msgs/msg/Imu', _header(stamp, 'base'),
            _new('geometry_msgs/msg/Quaternion', 0.0, 0.0, 0.0, 1.0), UNKNOWN_COVARIANCE,
            vector(gyro[index]), np.zeros(9), vector(force), covariance,
        )  # fmt: skip

    return make


def _odometry(columns: Columns) -> MakeMessage:
    """Make Odometry messages: recorded poses, with the mean velocity around them."""
    poses = columns.rows['odom']
    velocity = base_velocity(columns)

    def make(index: int, stamp: Any) -> Any:
        """Make the message of a record; None where it has no pose."""
        x, y, yaw = poses[index].tolist()
        if x != x:
            return None
        vx, vy, wz = (0.0, 0.0, 0.0) if velocity is None else velocity[index].tolist()
        rotation = _new('geometry_msgs/msg/Quaternion', 0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2))
        position = _new('geometry_msgs/msg/Point', x, y, 0.0)
        linear = _new('geometry_msgs/msg/Vector3', vx, vy, 0.0)
        angular = _new('geometry_msgs/msg/Vector3', 0.0, 0.0, wz)
        return _new(
            'nav_msgs/msg/Odometry', _header(stamp, 'odom'), 'base',
            _new('geometry_msgs/msg/PoseWithCovariance',
                 _new('geometry_msgs/msg/Pose', position, rotation), np.zeros(36)),
            _new('geometry_msgs/msg/TwistWithCovariance',
                 _new('geometry_msgs/msg/Twist', linear, angular), np.zeros(36)),
        )  # fmt: skip

    return make


def _modes(columns: Columns) -> MakeMessage:
    states = columns.states

    def make(index: int, stamp: Any) -> Any:
        if index and states[index - 1] == states[index]:
            return None
        return _new('std_msgs/msg/String', states[index])

    return make


def _events(columns: Columns) -> MakeMessage:
    """Make log messages of the events, one for each tick that has any."""
    texts: dict[int, list[str]] = {}
    for index, text in columns.events:
        texts.setdefault(index, []).append(text)

    def make(index: int, stamp: Any) -> Any:
        if index not in texts:
            return None
        text = '; '.join(texts[index])
        return _new('rcl_interfaces/msg/Log', stamp, 20, 'policy_node', text, '', '', 0)

    return make
