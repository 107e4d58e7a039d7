"""The newest sensor samples, joints matched by name and the IMU rotated into the base frame."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.errors import ContractError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.rotations import multiply
from kinfer_ros.rotations import rotation_matrix
from kinfer_ros.rotations import yaw_of

MAX_REST_GYRO = 0.3
"""rad/s up to which the base counts as at rest."""
GRAVITY = 9.81
"""m/s^2; kinfer scales `projected_gravity` by this, see docs/policies.md."""

MAX_JOINTS = 1024
"""In one message: more would take too long to match in a tick."""
MAX_SCAN = 4096
"""Points of a height scan."""
MAX_LISTS = 32
"""Different lists of joint names that are remembered; a new one takes time to match."""
MAX_SPREAD_NS = 50_000_000
"""Between the stamps of joints that come in several messages and are put together."""


class JointList:
    """
    One list of joint names that is published.

    :ivar place: robot joint indices that it has, and `found`: where they are in the list.
    :ivar whole: it has every joint of the robot.
    :ivar stamp_ns: of its newest message.
    """

    def __init__(self, robot_joints: tuple[str, ...], names: Sequence[str]) -> None:
        """:raises ContractError: it is too long, or names a joint of the robot twice."""
        self.names = names if isinstance(names, list) else list(names)
        self.place, self.found = joint_index(robot_joints, self.names, 'joint_states')
        self.whole = len(self.place) == len(robot_joints)
        self.stamp_ns = 0


class SensorFrame:
    """
    The newest samples of all sensors, preallocated; stamps are 0 before the first.

    :ivar position: [N] rad, robot joint order.
    :ivar velocity: [N] rad/s.
    :ivar effort: [N] Nm, for the record alone; NaN where the driver does not report it.
    :ivar quaternion: [4] w x y z, the base in the world.
    :ivar gyro: [3] rad/s, base frame.
    :ivar accel: [3] specific force, m/s^2, base frame (+9.81 on z at rest, upright).
    :ivar gravity: [3] gravity in the base frame, m/s^2: R^-1 (0, 0, -9.81).
    :ivar base_velocity: [3] m/s, base frame, from odometry.
    :ivar needs_odometry: the policy takes `base_velocity`, so a stale one is a fault.
    :ivar scan: [MAX_SCAN] m, the newest height scan, then zeros.
    :ivar scan_shape: rows and columns of the scan that the policy takes, so that a stale one is a
        fault; (0, 0): none.
    :ivar scan_problem: why the newest height scan cannot be used, or ''.
    :ivar joint_problem: why the newest joint sample cannot be used, or ''; `imu_problem` as well.
    :ivar joint_conflict: that two publishers send the same joints, or ''.
    :ivar unstamped: topics whose newest sample has the stamp 0.
    :ivar joint_disorder: joint samples ignored because they were older than the newest one;
        `imu_disorder`, `odom_disorder` and `scan_disorder` as well.
    :ivar joint_changes: how often a new list of joint names came, after the first.
    :ivar joint_lists: the lists that have joints of the robot.
    :ivar strange_joints: the newest list that has none: passed over; `strange_messages` counts.
    :ivar values: [2 N + 13] `joint_values`, `imu_values` and `gravity` in one array.
    :ivar joint_values: [2 N] position and velocity in one array, named by `joint_value_names`.
    :ivar imu_values: [10] quaternion, gyro and accel in one array, named by `imu_value_names`.
    :ivar imu_velocity: [3] m/s, of the IMU, base frame: `base_velocity` + gyro x its position.
    :ivar imu_from_base: [3, 3] rotates a vector of the base frame into the IMU's.
    :ivar imu_mounting: unit quaternion w x y z, the IMU frame in the base frame.
    """

    def __init__(self, robot: Robot) -> None:
        n = len(robot.joint_names)
        self.joint_names = robot.joint_names
        self.values = np.zeros(2 * n + 13)
        self.joint_values = self.values[: 2 * n]
        self.position, self.velocity = self.joint_values[:n], self.joint_values[n:]
        self.effort = np.full(n, np.nan)
        self.joint_value_names = [
            f'{what} of {name}' for what in ('position', 'velocity') for name in robot.joint_names
        ]
        self.imu_values, self.gravity = self.values[2 * n : -3], self.values[-3:]
        self.quaternion = self.imu_values[:4]
        self.gyro, self.accel = self.imu_values[4:7], self.imu_values[7:]
        self.quaternion[0] = 1.0
        self.imu_value_names = [
            *(f'quaternion {axis}' for axis in 'wxyz'),
            *(f'{what} {axis}' for what in ('gyro', 'accel') for axis in 'xyz'),
        ]
        self.gravity[2] = -GRAVITY
        self.joint_disorder = self.imu_disorder = self.odom_disorder = self.scan_disorder = 0
        self.joint_changes = 0
        self.joint_lists: list[JointList] = []
        self.unstamped: set[str] = set()
        self.strange_joints: list[str] = []
        self._strange_lists: list[list[str]] = []
        self.strange_messages = 0
        self._joint_stamps = np.zeros(n, dtype=np.int64)
        self._parts = np.zeros((3, n))
        self.base_velocity = np.zeros(3)
        self.imu_velocity = np.zeros(3)
        self._imu_position = (0.0, 0.0, 0.0) if robot.imu_position is None else robot.imu_position
        self.needs_odometry = False
        self.scan = np.zeros(MAX_SCAN)
        self.scan_shape = (0, 0)
        self.restart()
        self._base_from_imu = rotation_matrix(robot.imu_mounting)
        self.imu_from_base = self._base_from_imu.T
        w, x, y, z = (float(v) for v in robot.imu_mounting)
        self.imu_mounting = (w, x, y, z)
        self._imu_to_base = (w, -x, -y, -z)  # conjugate: undoes the mounting

    def restart(self) -> None:
        """Accept the next samples with any stamp: the clock may be a new one."""
        self.joint_stamp_ns = self.imu_stamp_ns = self.odom_stamp_ns = self.scan_stamp_ns = 0
        self.joint_problem = self.imu_problem = self.joint_conflict = self.scan_problem = ''
        self.joint_lists.clear()
        self.unstamped.clear()
        self.effort.fill(np.nan)
        self.take_any_order()

    def take_any_order(self) -> None:
        """Accept the next sample of each source even if it is older."""
        self._any_joint_order = self._any_imu_order = True
        self._any_odom_order = self._any_scan_order = True
        self._joint_stamps.fill(0)
        for joints in self.joint_lists:
            joints.stamp_ns = 0

    def update_joints(
        self,
        names: Sequence[str],
        position: Float64,
        velocity: Float64,
        stamp_ns: int,
        effort: Float64 | None = None,
    ) -> None:
        """
        Take one joint sample; names are matched only where the list is a new one.

        Joints that come in several messages are put together where their stamps differ by at most
        MAX_SPREAD_NS. A message with no joint of the robot is passed over and counted, and so is a
        sample that is older than the newest one of its list.

        :param effort: Nm; none, or of another length: not reported.
        :raises ContractError: a joint of the robot is named twice, or the lengths differ.
        """
        joints = self._joint_list(names)
        if joints is None:
            self.strange_messages += 1
            return
        newest = self.joint_stamp_ns if joints.whole else joints.stamp_ns
        if stamp_ns < newest and not self._any_joint_order:
            self.joint_disorder += 1
            return
        if len(position) != len(names) or len(velocity) != len(names):
            raise ContractError(
                f'joint_states: found {len(names)} names with {len(position)} positions and '
                f'{len(velocity)} velocities, expected as many of each: the driver has to publish '
                'position and velocity of every joint'
            )
        joints.stamp_ns = stamp_ns
        self._check_stamp('joint_states', stamp_ns)
        if effort is not None and len(effort) != len(names):
            effort = None
        if joints.whole:
            # mode='clip' is numpy's fastest; every index is in range.
            position.take(joints.found, None, self.position, 'clip')
            velocity.take(joints.found, None, self.velocity, 'clip')
            if effort is None:
                self.effort.fill(np.nan)
            else:
                effort.take(joints.found, None, self.effort, 'clip')
            self._joint_stamps.fill(stamp_ns)
            self.joint_stamp_ns = stamp_ns
        else:
            self._put_together(joints, position, velocity, effort)
        self._any_joint_order = False

    def is_whole(self, names: Sequence[str]) -> bool:
        """
        Whether a list of names has every joint of the robot.

        :raises ContractError: it is too long, or names a joint of the robot twice.
        """
        joints = self._joint_list(names)
        return joints is not None and joints.whole

    def _joint_list(self, names: Sequence[str]) -> JointList | None:
        """:return: the list of these names, or None if it has no joint of the robot."""
        for joints in self.joint_lists:
            if names is joints.names or names == joints.names:
                return joints
        if names in self._strange_lists:
            return None
        joints = JointList(self.joint_names, names)
        if not len(joints.place):
            self.strange_joints = joints.names
            self._strange_lists = [*self._strange_lists[1 - MAX_LISTS :], joints.names]
            return None
        self.joint_changes += bool(self.joint_lists)
        if len(self.joint_lists) == MAX_LISTS:
            del self.joint_lists[0]
        self.joint_lists.append(joints)
        return joints

    def _put_together(
        self, joints: JointList, position: Float64, velocity: Float64, effort: Float64 | None
    ) -> None:
        """Take a part of the joints, and all of them once the rest is as new."""
        if self._joint_stamps.min() == self._joint_stamps.max():  # the last sample was a whole one
            self._parts[:] = self.position, self.velocity, self.effort
        self._parts[0, joints.place] = position[joints.found]
        self._parts[1, joints.place] = velocity[joints.found]
        self._parts[2, joints.place] = np.nan if effort is None else effort[joints.found]
        self._joint_stamps[joints.place] = joints.stamp_ns
        oldest = int(self._joint_stamps.min())
        if oldest and int(self._joint_stamps.max()) - oldest <= MAX_SPREAD_NS:
            self.position[:], self.velocity[:], self.effort[:] = self._parts
            self.joint_stamp_ns = oldest

    def missing_joints(self, since_ns: int | None = None) -> list[str]:
        """
        Return the joints that no sample had since then, where others came.

        :param since_ns: stamp; by default MAX_SPREAD_NS before the newest one.
        """
        newest = int(self._joint_stamps.max())
        since_ns = max(newest - MAX_SPREAD_NS if since_ns is None else since_ns, 1)
        late = np.flatnonzero(self._joint_stamps < since_ns)
        return [self.joint_names[i] for i in late] if newest >= since_ns else []

    def update_imu(
        self,
        quaternion: Sequence[float],
        gyro: Sequence[float] | Float64,
        accel: Sequence[float] | Float64,
        stamp_ns: int,
    ) -> None:
        """
        Take one IMU sample in the IMU's own frame (quaternion w x y z).

        A sample older than the newest one is ignored and counted.
        """
        if stamp_ns < self.imu_stamp_ns and not self._any_imu_order:
            self.imu_disorder += 1
            return
        self._check_stamp('imu/data', stamp_ns)
        w, x, y, z = multiply(quaternion, self._imu_to_base)
        self.quaternion[:] = (w, x, y, z)
        # Third row of the rotation matrix of a unit quaternion: the world's z axis in the base.
        self.gravity[0] = -GRAVITY * 2.0 * (x * z - w * y)
        self.gravity[1] = -GRAVITY * 2.0 * (y * z + w * x)
        self.gravity[2] = -GRAVITY * (1.0 - 2.0 * (x * x + y * y))
        self._base_from_imu.dot(gyro, self.gyro)
        self._base_from_imu.dot(accel, self.accel)
        self.imu_stamp_ns = stamp_ns
        self._any_imu_order = False

    def update_odometry(self, linear: Sequence[float], stamp_ns: int) -> None:
        """Take the base's velocity, m/s, in its own frame; ignore and count an older sample."""
        if stamp_ns < self.odom_stamp_ns and not self._any_odom_order:
            self.odom_disorder += 1
            return
        self._check_stamp('odom', stamp_ns)
        self.base_velocity[:] = linear
        self.odom_stamp_ns = stamp_ns
        self._any_odom_order = False

    @property
    def needs_scan(self) -> bool:
        """Whether the policy takes a height scan."""
        return self.scan_shape != (0, 0)

    def update_scan(self, heights: Float32, shape: tuple[int, int], stamp_ns: int) -> None:
        """
        Take a height scan; ignore and count one that is older than the newest.

        :param heights: m, flat. :param shape: rows and columns as sent.
        :raises ContractError: it has other points than the policy takes.
        """
        rows, columns = self.scan_shape
        if shape not in ((rows, columns), (1, rows * columns)):
            flat = '' if rows == 1 else f', or one row of {rows * columns}'
            raise ContractError(
                f'height_scan: found {shape[0]} rows of {shape[1]} points, expected {rows} of '
                f'{columns}{flat}, as the policy takes'
            )
        if stamp_ns < self.scan_stamp_ns and not self._any_scan_order:
            self.scan_disorder += 1
            return
        self._check_stamp('height_scan', stamp_ns)
        self.scan[: heights.size] = heights
        self.scan[heights.size :] = 0.0
        self.scan_stamp_ns = stamp_ns
        self._any_scan_order = False

    def update_imu_velocity(self) -> None:
        """Move the base's velocity to the IMU, for the policies that take it there."""
        (x, y, z), (wx, wy, wz) = self._imu_position, self.gyro.tolist()
        vx, vy, vz = self.base_velocity.tolist()
        self.imu_velocity[0] = vx + wy * z - wz * y
        self.imu_velocity[1] = vy + wz * x - wx * z
        self.imu_velocity[2] = vz + wx * y - wy * x

    def _check_stamp(self, topic: str, stamp_ns: int) -> None:
        """Remember that a driver does not fill in header.stamp: its age is not known."""
        if not stamp_ns:
            self.unstamped.add(topic)
        else:
            self.unstamped.discard(topic)

    def silence(self, topic: str) -> str:
        """Return why there is no sample of a topic."""
        if topic in self.unstamped:
            return f'samples on {topic} have stamp 0: the driver has to fill in header.stamp'
        if topic == 'joint_states' and self.only_strange_joints:
            found, expected = (
                ', '.join(names[:5]) for names in (self.strange_joints, self.joint_names)
            )
            return f"{topic}: found only messages with {found}; expected the robot's: {expected}"
        lacks = self.missing_joints() if topic == 'joint_states' else []
        what = f'no message with {", ".join(lacks)} yet' if lacks else 'no message yet'
        return f'{what} on {topic}'

    @property
    def only_strange_joints(self) -> bool:
        """Whether messages on joint_states come, and none has a joint of the robot."""
        return bool(self.strange_joints) and not self.joint_lists

    @property
    def oldest_ns(self) -> int:
        """Stamp of the oldest sample that the policy needs."""
        return min(self._stamps)

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest sample that the policy needs."""
        return max(self._stamps)

    @property
    def _stamps(self) -> tuple[int, ...]:
        found: tuple[int, ...] = (self.joint_stamp_ns, self.imu_stamp_ns)
        if self.needs_odometry:
            found = (*found, self.odom_stamp_ns)
        return (*found, self.scan_stamp_ns) if self.needs_scan else found

    @property
    def yaw(self) -> float:
        """Heading of the base in the world, rad, -pi..pi."""
        return yaw_of(*self.quaternion.tolist())


def joint_index(
    expected: Sequence[str], found: Sequence[str], where: str
) -> tuple[Indices, Indices]:
    """
    Match joints by name.

    :return: indices in `expected` of the names that `found` has, and where each is in `found`.
    :raises ContractError: `found` is too long, or has one of them twice.
    """
    if len(found) > MAX_JOINTS:
        raise ContractError(f'{where}: found {len(found)} joints, expected at most {MAX_JOINTS}')
    place = {name: i for i, name in enumerate(found)}
    known = [i for i, name in enumerate(expected) if name in place]
    if len(place) < len(found):
        counts = Counter(found)
        twice = [expected[i] for i in known if counts[expected[i]] > 1]
        if twice:
            raise ContractError(
                f'{where} names {twice} twice: found joints {list(found)}; check what the driver '
                'publishes'
            )
    there = [place[expected[i]] for i in known]
    return np.array(known, dtype=np.intp), np.array(there, dtype=np.intp)
