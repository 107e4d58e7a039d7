"""What a live view shows of a running robot, from messages that were turned into plain numbers.

Without this module what `top` says could be tested only by looking at a terminal.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kinfer_ros.analysis.series import AXES
from kinfer_ros.analysis.series import BASE
from kinfer_ros.analysis.series import JOINTS
from kinfer_ros.analysis.series import TIMING

KEPT = 60
"""Values of a figure that are kept for its sparkline: a minute, at one a second."""

MAX_JOINTS = 1024
"""Of one message: more are no robot's."""

Triple = tuple[float, float, float]
VELOCITIES = [title for title, _ in AXES.values()]

FIGURES = ('rate_hz', 'late_p99_us', 'sample_age_p99_us')
BARS = '▁▂▃▄▅▆▇█'


@dataclass
class Joint:
    """One joint: rad, rad/s, Nm; None where nobody says it."""

    position: float | None = None
    velocity: float | None = None
    effort: float | None = None
    target: float | None = None
    torque_limit: float | None = None

    @property
    def error(self) -> float | None:
        """Measured position less target, rad."""
        if self.position is None or self.target is None:
            return None
        return self.position - self.target

    @property
    def load(self) -> float | None:
        """Share of the torque limit that is used, from 0."""
        if self.effort is None or not self.torque_limit:
            return None
        return abs(self.effort) / self.torque_limit


@dataclass
class LiveState:
    """
    The newest of everything.

    :ivar mode: mode and reason, as ~/mode says them; '' before the first.
    :ivar values: the policy node's values on /diagnostics; `level` and `message` of its status.
    :ivar base: `gyro` (rad/s), `accel` (m/s^2) of the IMU, `velocity` (m/s, m/s, rad/s), where
        they are followed.
    :ivar figures: the last KEPT values of each of FIGURES.
    """

    mode: str = ''
    bridge: str = ''
    level: int = 0
    message: str = ''
    values: dict[str, str] = field(default_factory=dict)
    joints: dict[str, Joint] = field(default_factory=dict)
    base: dict[str, Triple] = field(default_factory=dict)
    figures: dict[str, deque[float]] = field(
        default_factory=lambda: {name: deque(maxlen=KEPT) for name in FIGURES}
    )

    def take_joints(self, names: Sequence[str], **arrays: Sequence[float]) -> None:
        """Take named numbers, such as position=[...]; one that is not finite is none."""
        for key, numbers in arrays.items():
            if len(numbers) == len(names) <= MAX_JOINTS:
                for name, number in zip(names, numbers, strict=True):
                    known = float(number) if math.isfinite(number) else None
                    setattr(self.joints.setdefault(name, Joint()), key, known)

    def take_base(self, **vectors: Triple) -> None:
        """Take vectors of the base, such as gyro=(x, y, z)."""
        self.base |= vectors

    def no_target(self) -> None:
        """The policy node asks for damping: there is no target."""
        for joint in self.joints.values():
            joint.target = None

    def take_diagnostics(self, level: int, message: str, values: Mapping[str, str]) -> None:
        """Take the status of the policy node."""
        self.level, self.message, self.values = level, message, dict(values)
        for name, kept in self.figures.items():
            try:
                kept.append(float(values[name]))
            except (KeyError, ValueError):
                continue

    def guards(self) -> dict[str, str]:
        """Guards that have spoken, with their counts in words."""
        return {
            key.removeprefix('guard_'): text
            for key, text in self.values.items()
            if key.startswith('guard_')
        }

    def numbers(self) -> dict[tuple[str, str, str], float]:
        """Every number by group, panel and label, named as those of a step log."""
        found: dict[tuple[str, str, str], float | None] = {}
        for key, vector in self.base.items():
            for place, (part, number) in enumerate(zip('xyz', vector, strict=True)):
                panel = f'velocity {VELOCITIES[place]}' if key == 'velocity' else key
                found[BASE, panel, key if key == 'velocity' else part] = number
        for name, joint in self.joints.items():
            found[JOINTS, name, 'joint_angles'] = joint.position
            found[JOINTS, name, 'target'] = joint.target
            found[JOINTS, 'joint velocities', name] = joint.velocity
            found[JOINTS, 'torques', name] = joint.effort
            found[JOINTS, 'tracking error', name] = joint.error
        for name, kept in self.figures.items():
            found[TIMING, name, name] = kept[-1] if kept else None
        return {key: n for key, n in found.items() if n is not None and math.isfinite(n)}

    def as_json(self) -> dict[str, Any]:
        """Say it as plain data."""
        return {
            'mode': self.mode,
            'bridge': self.bridge,
            'level': self.level,
            'message': self.message,
            'values': self.values,
            'joints': {
                name: {
                    'position': joint.position,
                    'velocity': joint.velocity,
                    'effort': joint.effort,
                    'target': joint.target,
                    'error': joint.error,
                    'torque_limit': joint.torque_limit,
                }
                for name, joint in self.joints.items()
            },
        }


def sparkline(values: Sequence[float]) -> str:
    """Draw numbers as a line of bars, the largest one full."""
    most = max(values, default=0.0)
    if most <= 0.0:
        return BARS[0] * len(values)
    return ''.join(BARS[min(int(max(v, 0.0) / most * 8), 7)] for v in values)
