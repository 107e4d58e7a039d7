"""The state of a running robot as plain numbers, for the live views `top` and `watch`."""

import math
import time
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
from kinfer_ros.analysis.series import Panel

GONE_S = 3.0
"""s without /diagnostics of the policy node, which come each second, after which it is gone."""

MAX_VALUES = 60
"""Values kept for a sparkline: one minute at 1 Hz."""

MAX_JOINTS = 1024
"""Joints of one message; larger messages are ignored."""

Triple = tuple[float, float, float]
VELOCITIES = [title for title, _ in AXES.values()]

UNITS = {
    'gyro': 'rad/s',
    'accel': 'm/s^2',
    **{f'velocity {title}': unit for title, unit in AXES.values()},
    'joint velocities': 'rad/s',
    'torques': 'Nm',
}
"""Units of the panels; the other ones of joints are in rad, the figures say it in their names."""

FIGURES = ('rate_hz', 'late_p99_us', 'sample_age_p99_us')
BARS = '▁▂▃▄▅▆▇█'


@dataclass
class LiveJoint:
    """One joint: rad, rad/s, Nm; None where unknown."""

    position: float | None = None
    velocity: float | None = None
    effort: float | None = None
    target: float | None = None
    torque_limit: float | None = None

    @property
    def error(self) -> float | None:
        """Measured position minus target, rad."""
        if self.position is None or self.target is None:
            return None
        return self.position - self.target

    @property
    def load(self) -> float | None:
        """Torque relative to the torque limit."""
        if self.effort is None or not self.torque_limit:
            return None
        return abs(self.effort) / self.torque_limit


@dataclass
class LiveState:
    """
    The newest values of all topics.

    :ivar mode: mode and reason from ~/mode; '' before the first message.
    :ivar values: the policy node's values on /diagnostics; `level` and `message` of its status.
    :ivar base: `gyro` (rad/s), `accel` (m/s^2) of the IMU, `velocity` (m/s, m/s, rad/s), where
        subscribed.
    :ivar figures: the last MAX_VALUES values of each of FIGURES.
    :ivar heard_s: steady clock at the last status of the policy node.
    """

    mode: str = ''
    bridge: str = ''
    heard_s: float | None = None
    level: int = 0
    message: str = ''
    values: dict[str, str] = field(default_factory=dict)
    joints: dict[str, LiveJoint] = field(default_factory=dict)
    base: dict[str, Triple] = field(default_factory=dict)
    figures: dict[str, deque[float]] = field(
        default_factory=lambda: {name: deque(maxlen=MAX_VALUES) for name in FIGURES}
    )

    def update_joints(self, names: Sequence[str], **arrays: Sequence[float]) -> None:
        """Store arrays by joint name, such as position=[...]; non-finite numbers as None."""
        for key, numbers in arrays.items():
            if len(numbers) == len(names) <= MAX_JOINTS:
                for name, number in zip(names, numbers, strict=True):
                    value = float(number) if math.isfinite(number) else None
                    setattr(self.joints.setdefault(name, LiveJoint()), key, value)

    def update_base(self, **vectors: Triple) -> None:
        """Store vectors of the base, such as gyro=(x, y, z)."""
        self.base |= vectors

    def clear_targets(self) -> None:
        """Remove all targets: the policy node requests damping."""
        for joint in self.joints.values():
            joint.target = None

    def update_diagnostics(self, level: int, message: str, values: Mapping[str, str]) -> None:
        """Store the status of the policy node."""
        self.level, self.message, self.values = level, message, dict(values)
        self.heard_s = time.monotonic()
        for name, kept in self.figures.items():
            try:
                kept.append(float(values[name]))
            except (KeyError, ValueError):
                continue

    def gone(self) -> str:
        """Return that the policy node is not heard any more, or ''."""
        return describe_gone(self.heard_s)

    def guards(self) -> dict[str, str]:
        """Return the guards that have triggered, with their counts as text."""
        return {
            key.removeprefix('guard_'): text
            for key, text in self.values.items()
            if key.startswith('guard_')
        }

    def numbers(self) -> dict[tuple[str, str, str], float]:
        """Return every finite number by group, panel and label, as in analysis/series.py."""
        numbers: dict[tuple[str, str, str], float | None] = {}
        for key, vector in self.base.items():
            for index, (part, number) in enumerate(zip('xyz', vector, strict=True)):
                panel = f'velocity {VELOCITIES[index]}' if key == 'velocity' else key
                numbers[BASE, panel, key if key == 'velocity' else part] = number
        for name, joint in self.joints.items():
            numbers[JOINTS, name, 'joint_angles'] = joint.position
            numbers[JOINTS, name, 'target'] = joint.target
            numbers[JOINTS, 'joint velocities', name] = joint.velocity
            numbers[JOINTS, 'torques', name] = joint.effort
            numbers[JOINTS, 'tracking error', name] = joint.error
        for name, kept in self.figures.items():
            numbers[TIMING, name, name] = kept[-1] if kept else None
        return {key: n for key, n in numbers.items() if n is not None and math.isfinite(n)}

    def panels(self) -> list[Panel]:
        """Return the panels of these numbers."""
        labels: dict[tuple[str, str], list[str]] = {}
        for group, panel, label in self.numbers():
            labels.setdefault((group, panel), []).append(label)
        return [
            Panel(group, name, UNITS.get(name, 'rad' if group == JOINTS else ''), tuple(found))
            for (group, name), found in labels.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {
            'mode': self.mode,
            'gone': self.gone(),
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


def describe_gone(heard_s: float | None) -> str:
    """
    Return that a policy node is not heard any more, or ''.

    :param heard_s: steady clock at its last status; None before the first.
    """
    silent = 0.0 if heard_s is None else time.monotonic() - heard_s
    return f'the policy node is gone: silent for {silent:.0f} s' if silent > GONE_S else ''


def sparkline(values: Sequence[float]) -> str:
    """Draw numbers as a line of bars, scaled to the largest."""
    largest = max(values, default=0.0)
    if largest <= 0.0:
        return BARS[0] * len(values)
    return ''.join(BARS[min(int(max(v, 0.0) / largest * 8), 7)] for v in values)
