"""Distance and rotation of the base since the run began, from ground truth or an estimator."""

import math


class Odometer:
    """
    Integrates the motion of the base on the floor.

    :ivar distance: m, straight line from the start of the run.
    :ivar path: m, length of the path, sampled by `update`.
    :ivar heading: rad, rotation since the start, not wrapped.
    :ivar pose: m, m, rad in the fixed frame, of the last `update`; None before it, and once taken.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset; the next `update` is the start."""
        self.distance = 0.0
        self.path = 0.0
        self.heading = 0.0
        self.pose: tuple[float, float, float] | None = None
        self._start: tuple[float, float] | None = None
        self._last = (0.0, 0.0, 0.0)

    def update(self, x: float, y: float, yaw: float) -> None:
        """Add a pose of the base: (x, y) m, heading `yaw` rad in a fixed frame."""
        if not math.isfinite(x + y + yaw):
            return
        if self._start is None:
            self._start = (x, y)
        else:
            last_x, last_y, last_yaw = self._last
            self.path += math.hypot(x - last_x, y - last_y)
            self.heading += math.remainder(yaw - last_yaw, math.tau)
            self.distance = math.hypot(x - self._start[0], y - self._start[1])
        self._last = self.pose = (x, y, yaw)

    def take_pose(self) -> tuple[float, float, float] | None:
        """Return the pose if it is newer than the last call, else None."""
        pose, self.pose = self.pose, None
        return pose
