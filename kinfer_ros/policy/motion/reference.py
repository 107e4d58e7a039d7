"""Writes what terms read of the motion: its row of the tick, and its anchor in the robot's."""

from collections.abc import Mapping

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.motion.clock import MotionClock
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.terms import COLUMNS
from kinfer_ros.policy.spec.terms import MOTION_FRAME
from kinfer_ros.policy.spec.terms import QUATERNION
from kinfer_ros.policy.spec.terms import REFERENCE_ANCHOR
from kinfer_ros.policy.spec.terms import REFERENCE_JOINTS
from kinfer_ros.policy.spec.terms import REFERENCE_POSITIONS
from kinfer_ros.policy.spec.terms import REFERENCE_VELOCITIES

MOTION_CONTROL = 'motion_control'
"""Input of policies with a motion: 1 to play it, 1 to begin it again."""


def reference_sizes(spec: PolicySpec) -> dict[str, int]:
    """Lengths of what terms read of the motion."""
    used = {(term.source, term.order == 'columns') for term in spec.terms}
    sources = {source for source, _ in used}
    return {
        **{each: len(spec.joints) * (each in sources) for each in REFERENCE_JOINTS},
        'anchor_columns': len(COLUMNS) * ((REFERENCE_ANCHOR, True) in used),
        'anchor_quaternion': 4 * ((REFERENCE_ANCHOR, False) in used),
        MOTION_FRAME: int(MOTION_FRAME in sources),
    }


class ReferenceViews:
    """
    Writes the motion's row of a tick to where terms read it.

    :ivar recorded: of the newest step, for the record: `reference`, rad, [joints], and
        `anchor_error`, rad, [1], where the anchor is known.
    """

    def __init__(
        self,
        spec: PolicySpec,
        timeline: Timeline,
        inputs: Mapping[str, Float32],
        views: Mapping[str, Float32],
    ) -> None:
        """:raises ModelError: a term needs what the motion lacks."""
        anchored = any(term.source == REFERENCE_ANCHOR for term in spec.terms)
        if anchored and not timeline.anchor:
            raise ModelError(
                f'{timeline.motion.where}: has no orientation of root or anchor, and the spec has '
                f'a term {REFERENCE_ANCHOR}; expected motion.network.anchor_orientation'
            )
        places = [spec.joints.index(joint.name) for joint in timeline.spec.anchor]
        self._clock = MotionClock(timeline, places)
        self._control = inputs[MOTION_CONTROL]
        self._base = inputs[QUATERNION] if anchored else None
        self._joints = inputs.get('joint_angles', np.zeros(0, np.float32))
        shown = views[REFERENCE_POSITIONS]
        reference = shown if shown.size else np.zeros(len(spec.joints), np.float32)
        self._rows = [(reference, timeline.positions.astype(np.float32))]
        if views[REFERENCE_VELOCITIES].size:
            velocities = timeline.velocities.astype(np.float32)
            self._rows.append((views[REFERENCE_VELOCITIES], velocities))
        self.recorded = {'reference': reference}
        if anchored:
            self.recorded['anchor_error'] = np.zeros(1, np.float32)
        self._angle = self.recorded.get('anchor_error')
        self._columns = views['anchor_columns']
        self._quaternion = views['anchor_quaternion']
        self._frame = views[MOTION_FRAME]

    def refresh(self, state: Float32) -> None:
        """Write the row of the state before the step."""
        clock = self._clock
        clock.refresh(state, self._control, self._base, self._joints)
        for view, table in self._rows:
            view[:] = table[clock.row]
        if self._columns.size:
            self._columns[:] = clock.columns()
        if self._quaternion.size:
            self._quaternion[:] = clock.relative
        if self._frame.size:
            self._frame[0] = clock.ticks
        if self._angle is not None:
            self._angle[0] = clock.angle()

    def has_ended(self, state: Float32) -> bool:
        """Whether the motion of a policy in this state has been shown to its end."""
        return self._clock.has_ended(state)

    def advance(self, following: Float32) -> None:
        """Write the state after the step."""
        self._clock.advance(following, self._control)
