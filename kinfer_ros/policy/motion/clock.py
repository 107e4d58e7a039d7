"""What a tick reads of a motion: its row, turned to the robot's heading.

The state is three numbers of the carry: ticks since the start, whether the heading is aligned, and
the angle of that, so that a run replays and a swapped policy begins at its start.
"""

import math
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.motion.spec_motion import LOOP
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.motion.timeline import chain_rotation
from kinfer_ros.rotations import Quaternion
from kinfer_ros.rotations import multiply
from kinfer_ros.rotations import yaw_of

STATE = 3
"""Numbers in the carry: ticks (-1 - ticks once it is stopped), aligned, align_yaw."""
PLAY, JUMP = 0, 1
"""Places in the input `motion_control`: 1 to advance; 1 to begin again, -1 to end here."""
MAX_TICKS = 2**24 - 1


class MotionClock:
    """
    The motion's row of the present tick.

    :ivar ticks: since the start of the motion.
    :ivar stopped: it has been ended before its end, and stays where it is.
    :ivar row: index of the timeline.
    :ivar relative: orientation of the reference's anchor in the robot's anchor, w x y z.
    """

    def __init__(self, timeline: Timeline, places: Sequence[int]) -> None:
        """:param places: index of each joint of the anchor's chain among the policy's joints."""
        self._timeline = timeline
        self._chain = timeline.spec.anchor
        self._places = tuple(places)
        self.row = 0
        self.relative: Quaternion = (1.0, 0.0, 0.0, 0.0)
        self.ticks = 0
        self.stopped = False
        self._aligned = False
        self._yaw = 0.0
        self._turn, self._turned = (1.0, 0.0, 0.0, 0.0), 0.0

    def refresh(
        self, state: Float32, control: Float32, base: Float32 | None, joints: Float32
    ) -> None:
        """
        Find the row of a tick, and where its anchor is.

        :param state: of the carry before the step. :param control: [play, jump].
        :param base: orientation of the base in the world, w x y z, where a term needs the anchor;
            then `joints`, rad, are those measured.
        """
        ticks, aligned, yaw = state.tolist()
        self.ticks, self._aligned, self._yaw = int(ticks), aligned > 0.0, yaw
        self.stopped = ticks < 0.0
        if self.stopped:
            self.ticks = -1 - self.ticks
        if control[JUMP] > 0.0:
            self.ticks, self._aligned, self.stopped = 0, False, False
        elif control[JUMP] < 0.0:
            self.stopped = True
        timeline = self._timeline
        at = max(self.ticks - timeline.spec.lag, 0)
        self.row = min(at, timeline.ticks - 1)
        if base is None:
            return
        w, x, y, z = base.tolist()
        angles = [joints.item(place) for place in self._places]
        robot = multiply((w, x, y, z), chain_rotation(self._chain, angles))
        reference = timeline.anchor[self.row]
        if timeline.spec.align:
            if not self._aligned:
                # As the carry holds it: all ticks turn by the same angle.
                self._yaw = float(np.float32(yaw_of(*robot) - yaw_of(*reference)))
                self._aligned = True
            if self._turned != self._yaw:
                self._turned, half = self._yaw, 0.5 * self._yaw
                self._turn = (math.cos(half), 0.0, 0.0, math.sin(half))
            reference = multiply(self._turn, reference)
        rw, rx, ry, rz = robot
        self.relative = multiply((rw, -rx, -ry, -rz), reference)

    def columns(self) -> tuple[float, ...]:
        """Return the first two columns of the relative rotation matrix, row by row."""
        w, x, y, z = self.relative
        return (
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y - w * z),
            2.0 * (x * y + w * z),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (x * z - w * y),
            2.0 * (y * z + w * x),
        )

    def angle(self) -> float:
        """Return the angle between the robot's anchor and the reference's, rad."""
        w, x, y, z = self.relative
        return 2.0 * math.atan2(math.sqrt(x * x + y * y + z * z), abs(w))

    def advance(self, following: Float32, control: Float32) -> None:
        """Write the state for the next step."""
        ticks, aligned = self.ticks, self._aligned
        if control[PLAY] > 0.0 and not self.stopped:
            ticks = min(ticks + 1, MAX_TICKS)
            if self._timeline.spec.end == LOOP and ticks >= self._timeline.ticks:
                ticks, aligned = 0, False
        following[0] = -1 - ticks if self.stopped else ticks
        following[1] = float(aligned)
        following[2] = self._yaw

    def has_ended(self, state: Float32) -> bool:
        """Whether the motion of a policy in this state has been shown to its end, or stopped."""
        ticks = int(state[0])
        return ticks < 0 or (self._timeline.spec.end != LOOP and ticks >= self._timeline.ticks)
