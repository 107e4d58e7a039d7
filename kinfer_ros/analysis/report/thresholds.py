"""The thresholds of guards as they were in force: a live change is a step."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RunError

_CHANGE = re.compile(r'set (\w+) (\S+) -> (\S+)')


@dataclass(frozen=True)
class Threshold:
    """
    A line that a curve should not cross, as a staircase.

    :ivar time: s.
    :ivar values: in the unit of the plot.
    """

    name: str
    run: int
    time: Float64
    values: Float64

    def at_more_times(self, times: Float64) -> tuple[Float64, Float64]:
        """Return the same staircase with points at these times as well."""
        place = np.clip(np.searchsorted(self.time, times, side='right') - 1, 0, None)
        time = np.append(self.time, times)
        values = np.append(self.values, self.values[place])
        order = np.argsort(time, kind='stable')
        return time[order], values[order]


def changes_of(run: ReportedRun, name: str) -> list[tuple[float, float, float]]:
    """Return time (s), old and new value of each live change of a setting."""
    found = []
    for index, text in run.columns.events:
        match = _CHANGE.fullmatch(text)
        if match is None or match[1] != name:
            continue
        try:
            found.append((float(run.columns.time[index]), float(match[2]), float(match[3])))
        except ValueError:
            continue
    return found


def staircases(
    runs: Sequence[ReportedRun], name: str, *, factor: float = 1.0, mirrored: bool = False
) -> list[Threshold]:
    """
    Return a setting of the policy node over time, of each run that has it; 0 is off.

    :param factor: units of the plot per unit of the setting.
    :param mirrored: the negative value is a threshold as well.
    """
    return [
        line
        for number, run in enumerate(runs)
        for line in _lines(run, number, name, factor, mirrored=mirrored)
    ]


def speed_limits(runs: Sequence[ReportedRun], joints: Sequence[str]) -> list[Threshold]:
    """Return the limits of the speed guard for these joints, rad/s, of each run that has them."""
    found = []
    for number, run in enumerate(runs):
        speeds: set[float] = set()
        for joint in joints:
            with suppress(RunError):  # a log of an earlier version, or not ours
                speeds.add(float(run.run.joint_numbers('limits', 'velocity', (joint,))[0]))
        for speed in sorted(speeds):
            found += _lines(run, number, 'joint_speed_factor', speed, mirrored=True)
    return found


def _lines(
    run: ReportedRun, number: int, name: str, factor: float, *, mirrored: bool
) -> list[Threshold]:
    time, values = _steps(run, name)
    values = np.where(values == 0.0, np.nan, values) * factor
    if not np.isfinite(values).any():
        return []
    signs = (1.0, -1.0) if mirrored else (1.0,)
    return [Threshold(name, number, time, sign * values) for sign in signs]


def values_at(run: ReportedRun, name: str, places: npt.NDArray[np.int64]) -> Float64:
    """Return a setting of the policy node in these records; NaN where it is not known."""
    time, values = _steps(run, name)
    at = np.searchsorted(time, run.columns.time[places], side='right') - 1
    return values[np.clip(at, 0, None)]


def _steps(run: ReportedRun, name: str) -> tuple[Float64, Float64]:
    changes = changes_of(run, name)
    # run.json is written at the end as well: before a change only the event knows the value.
    first = changes[0][1] if changes else run.setting(name)
    ends = run.columns.time[[0, -1]]
    if first is None:
        return ends, np.full(2, np.nan)
    time, values = [float(ends[0])], [first]
    for at, _, new in changes:
        time += [at, at]
        values += [values[-1], new]
    return np.array([*time, float(ends[1])]), np.array([*values, values[-1]])
