"""The newest sensor samples, joints matched by name and the IMU rotated into the base frame."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.errors import ContractError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.rotations import multiply
from kinfer_ros.rotations import rotation_matrix
from kinfer_ros.rotations import yaw_of

GRAVITY = 9.81
"""m/s^2; kinfer scales `projected_gravity` by this, see docs/policies.md."""

MAX_JOINTS = 1024
"""In one message: more would take too long to match in a tick."""


class SensorFrame:
    """
    The newest joint, IMU and odometry samples, preallocated; stamps are 0 before the first.

    :ivar position: [N] rad, robot joint order.
    :ivar velocity: [N] rad/s.
    :ivar quaternion: [4] w x y z, the base in the world.
    :ivar gyro: [3] rad/s, base frame.
    :ivar accel: [3] specific force, m/s^2, base frame (+9.81 on z at rest, upright).
    :ivar gravity: [3] gravity in the base frame, m/s^2: R^-1 (0, 0, -9.81).
    :ivar base_velocity: [3] m/s, base frame, from odometry.
    :ivar needs_odometry: the policy takes `base_velocity`, so a stale one is a fault.
    :ivar joint_problem: why the newest joint sample cannot be used, or ''; `imu_problem` as well.
    :ivar joint_disorder: joint samples ignored because they were older than the newest one;
        `imu_disorder` and `odom_disorder` as well.
    :ivar joint_changes: how often the list of published joints changed.
    :ivar joint_values: [2 N] position and velocity in one array, named by `joint_value_names`.
    :ivar imu_values: [10] quaternion, gyro and accel in one array, named by `imu_value_names`.
    :ivar imu_from_base: [3, 3] rotates a vector of the base frame into the IMU's.
    :ivar imu_mounting: unit quaternion w x y z, the IMU frame in the base frame.
    """

    def __init__(self, robot: Robot) -> None:
        n = len(robot.joint_names)
        self.joint_names = robot.joint_names
        self.joint_values = np.zeros(2 * n)
        self.position, self.velocity = self.joint_values[:n], self.joint_values[n:]
        self.joint_value_names = [
            f'{what} of {name}' for what in ('position', 'velocity') for name in robot.joint_names
        ]
        self.imu_values = np.zeros(10)
        self.quaternion = self.imu_values[:4]
        self.gyro, self.accel = self.imu_values[4:7], self.imu_values[7:]
        self.quaternion[0] = 1.0
        self.imu_value_names = [
            *(f'quaternion {axis}' for axis in 'wxyz'),
            *(f'{what} {axis}' for what in ('gyro', 'accel') for axis in 'xyz'),
        ]
        self.gravity = np.array([0.0, 0.0, -GRAVITY])
        self.joint_disorder = self.imu_disorder = self.odom_disorder = 0
        self.joint_changes = 0
        self.base_velocity = np.zeros(3)
        self.needs_odometry = False
        self.restart()
        self._base_from_imu = rotation_matrix(robot.imu_mounting)
        self.imu_from_base = self._base_from_imu.T
        w, x, y, z = (float(v) for v in robot.imu_mounting)
        self.imu_mounting = (w, x, y, z)
        self._imu_to_base = (w, -x, -y, -z)  # conjugate: undoes the mounting
        self._names: Sequence[str] | None = None
        self._index = np.zeros(n, dtype=np.intp)

    def restart(self) -> None:
        """Accept the next samples with any stamp: the clock may be a new one."""
        self.joint_stamp_ns = self.imu_stamp_ns = self.odom_stamp_ns = 0
        self.joint_problem = self.imu_problem = ''
        self.take_any_order()

    def take_any_order(self) -> None:
        """Accept the next sample of each source even if it is older."""
        self._any_joint_order = self._any_imu_order = self._any_odom_order = True

    def update_joints(
        self, names: Sequence[str], position: Float64, velocity: Float64, stamp_ns: int
    ) -> None:
        """
        Take one joint sample; names are matched only when they differ from the last ones.

        A sample older than the newest one is ignored and counted.

        :raises ContractError: a joint of the robot is not in `names`, or the lengths differ.
        """
        if stamp_ns < self.joint_stamp_ns and not self._any_joint_order:
            self.joint_disorder += 1
            return
        if names != self._names:
            self._index = joint_index(self.joint_names, names, 'joint_states')
            names = list(names)
            self.joint_changes += self._names is not None and names != self._names
            self._names = names
        if len(position) != len(names) or len(velocity) != len(names):
            raise ContractError(
                f'joint_states: found {len(names)} names with {len(position)} positions and '
                f'{len(velocity)} velocities, expected as many of each: the driver has to publish '
                'position and velocity of every joint'
            )
        np.take(position, self._index, out=self.position)
        np.take(velocity, self._index, out=self.velocity)
        self.joint_stamp_ns = stamp_ns
        self._any_joint_order = False

    def update_imu(
        self,
        quaternion: tuple[float, float, float, float],
        gyro: tuple[float, float, float],
        accel: tuple[float, float, float],
        stamp_ns: int,
    ) -> None:
        """
        Take one IMU sample in the IMU's own frame (quaternion w x y z).

        A sample older than the newest one is ignored and counted.
        """
        if stamp_ns < self.imu_stamp_ns and not self._any_imu_order:
            self.imu_disorder += 1
            return
        w, x, y, z = multiply(quaternion, self._imu_to_base)
        self.quaternion[:] = (w, x, y, z)
        # Third row of the rotation matrix of a unit quaternion: the world's z axis in the base.
        self.gravity[0] = -GRAVITY * 2.0 * (x * z - w * y)
        self.gravity[1] = -GRAVITY * 2.0 * (y * z + w * x)
        self.gravity[2] = -GRAVITY * (1.0 - 2.0 * (x * x + y * y))
        np.dot(self._base_from_imu, gyro, out=self.gyro)
        np.dot(self._base_from_imu, accel, out=self.accel)
        self.imu_stamp_ns = stamp_ns
        self._any_imu_order = False

    def update_odometry(self, linear: tuple[float, float, float], stamp_ns: int) -> None:
        """Take the base's velocity, m/s, in its own frame; ignore and count an older sample."""
        if stamp_ns < self.odom_stamp_ns and not self._any_odom_order:
            self.odom_disorder += 1
            return
        self.base_velocity[:] = linear
        self.odom_stamp_ns = stamp_ns
        self._any_odom_order = False

    @property
    def oldest_ns(self) -> int:
        """Stamp of the oldest sample that the policy needs."""
        oldest = min(self.joint_stamp_ns, self.imu_stamp_ns)
        return min(oldest, self.odom_stamp_ns) if self.needs_odometry else oldest

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest sample that the policy needs."""
        newest = max(self.joint_stamp_ns, self.imu_stamp_ns)
        return max(newest, self.odom_stamp_ns) if self.needs_odometry else newest

    @property
    def yaw(self) -> float:
        """Heading of the base in the world, rad, -pi..pi."""
        return yaw_of(*self.quaternion.tolist())


def joint_index(expected: Sequence[str], found: Sequence[str], where: str) -> Indices:
    """
    Return the index in `found` of each name in `expected`.

    :raises ContractError: a name is missing or there twice; the text has both lists.
    """
    if len(found) > MAX_JOINTS:
        raise ContractError(f'{where}: found {len(found)} joints, expected at most {MAX_JOINTS}')
    counts = Counter(found)
    missing = [name for name in expected if name not in counts]
    twice = sorted(name for name, count in counts.items() if count > 1)
    if missing or twice:
        what = f'lacks {missing}' if missing else f'names {twice} twice'
        raise ContractError(
            f'{where} {what}: found joints {list(found)}, expected {list(expected)}; '
            'check the robot YAML and what the driver publishes'
        )
    place = {name: i for i, name in enumerate(found)}
    return np.array([place[name] for name in expected], dtype=np.intp)
