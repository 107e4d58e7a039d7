"""The motion that a policy plays, as the controller and the record see it."""

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.motion.timeline import Timeline


@dataclass(frozen=True, eq=False)
class PlayingMotion:
    """
    The motion of a session.

    :ivar timeline: its rows.
    :ivar recorded: what of the newest step goes into the record, by key: views.
    :ivar has_ended: whether it has been shown to its end, or was stopped.
    """

    timeline: Timeline
    recorded: Mapping[str, Float32]
    has_ended: Callable[[], bool]
