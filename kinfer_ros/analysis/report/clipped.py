"""Names what limits held back: which joint or entry of the command, and in which ticks.

The log has the guard of each tick, but no name: a joint is found by its target, which lies at the
limit, and so is an entry of the command.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.derived import VELOCITY
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.events import is_limit
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.thresholds import values_at
from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.errors import RunError

SAME = 1e-5
"""rad, m/s; a value that is this close to a limit was clipped: both were float32."""

Places = npt.NDArray[np.int64]
"""Indices of records."""

_CLIPPED = {
    'limit': 'clipped at its joint limit',
    'slew': 'slowed down to target_slew',
    'slew_broken': 'moved faster than target_slew by a later limit',
    'torque': 'clipped at its torque limit',
    'command': 'of the command held at its limit',
    'acceleration': 'of the command slowed down to command_acceleration',
}


@dataclass(frozen=True)
class Clipped:
    """
    A limit that held a value back, over the whole run.

    :ivar what: such as `left_knee clipped at its joint limit`.
    :ivar places: of the ticks.
    """

    what: str
    places: Places


def clipped(run: ReportedRun) -> list[Clipped]:
    """Return what was limited, by name where the log shows it, most ticks first."""
    by_guard: dict[str, list[int]] = {}
    for index, text in run.columns.events:
        if is_limit(text):
            by_guard.setdefault(text.removesuffix(' limit'), []).append(index)
    found = []
    for guard, indices in by_guard.items():
        places = np.unique(np.array(indices, np.int64))
        unnamed = np.ones(len(places), dtype=bool)
        find = {
            'limit': _at_limit, 'slew': _slowed, 'slew_broken': _beyond_slew,
            'torque': _at_torque, 'command': _at_range, 'acceleration': _slowed_entries,
        }.get(guard)  # fmt: skip
        for name, hit in find(run, places) if find else ():
            if hit.any():
                found.append(Clipped(f'{name} {_CLIPPED[guard]}', places[hit]))
                unnamed &= ~hit
        if unnamed.any():
            found.append(Clipped(f'{guard}: {GUARDS[guard]}', places[unnamed]))
    return sorted(found, key=lambda each: -len(each.places))


Hits = Iterator[tuple[str, Bools]]
"""Name, and in which of the ticks it was limited."""


def _targets(run: ReportedRun) -> Iterator[tuple[str, int, Float64]]:
    """Yield the name, place and target [n] of each joint that is no wheel."""
    target = run.columns.row('target')
    count = 0 if target is None else target.shape[1]
    for at, joint in enumerate(run.joints[:count]):
        if at not in run.columns.wheels and target is not None:
            yield joint, at, target[:, at]


def _at_limit(run: ReportedRun, places: Places) -> Hits:
    limits = run.run.facts.get('limits') or {}
    names = limits.get('joints') or []
    for joint, _, target in _targets(run):
        if joint in names:
            sides = [float(limits[side][names.index(joint)]) for side in ('lower', 'upper')]
            yield joint, _is_at(target[places], *sides)


def _moved(values: Float64, places: Places) -> Float64:
    """Return how far a value [n] moved in each of the ticks."""
    return np.abs(values[places] - values[np.maximum(places - 1, 0)])


def _fastest(moved: Mapping[str, Float64]) -> Hits:
    """Find what moved furthest: what was slowed down moves equally far."""
    if not moved:
        return
    most = np.fmax.reduce(list(moved.values()), axis=0)
    for name, each in moved.items():
        yield name, (each > most - 1e-4) & (most > 0.0)


def _slowed(run: ReportedRun, places: Places) -> Hits:
    return _fastest({joint: _moved(each, places) for joint, _, each in _targets(run)})


def _beyond_slew(run: ReportedRun, places: Places) -> Hits:
    rate = run.run.facts.get('control_rate_hz') or np.nan
    step = values_at(run, 'target_slew', places) / rate
    for joint, _, target in _targets(run):
        yield joint, _moved(target, places) > step + SAME


def _slowed_entries(run: ReportedRun, places: Places) -> Hits:
    """Find the entries of the command whose change is the largest share of what is allowed."""
    accelerations = _of_twist(run, 'command_acceleration')
    return _fastest(
        {
            name: _moved(values, places) / accelerations[name]
            for name, values in run.by_name('command').items()
            if accelerations.get(name)
        }
    )


def _at_torque(run: ReportedRun, places: Places) -> Hits:
    """Find the joints whose target is at the edge of the torque band (TargetLimiter)."""
    position, velocity = run.columns.row(*POSITION), run.columns.row(*VELOCITY)
    if position is None or velocity is None:
        return
    settings = ('torque_band', 'kp_factor', 'kd_factor')
    band, kp_factor, kd_factor = (values_at(run, name, places) for name in settings)
    for joint, at, target in _targets(run):
        if at >= min(position.shape[1], velocity.shape[1]):
            return
        kp, kd, limit = (_gain(run, key, joint, places) for key in ('kp', 'kd', 'torque_limit'))
        with np.errstate(divide='ignore', invalid='ignore'):
            kp, measured = kp * kp_factor, position[places, at]
            rest, width = measured + velocity[places, at] * kd * kd_factor / kp, limit * band / kp
        low, high = np.fmin(rest - width, measured), np.fmax(rest + width, measured)
        yield joint, _is_at(target[places], low, high)


def _at_range(run: ReportedRun, places: Places) -> Hits:
    """Find the entries of the command at an end of their range, or at command_limit."""
    own = _of_twist(run, 'command_limit')
    for name, values in run.by_name('command').items():
        hit = np.zeros(len(places), dtype=bool)
        for member, chosen in _members(run, places):
            ranges = member.facts.get('command_ranges') or {}
            hit |= chosen & _is_at(values[places], *_numbers(ranges.get(name)))
        if own.get(name):
            hit |= _is_at(np.abs(values[places]), own[name])
        yield name, hit


def _of_twist(run: ReportedRun, parameter: str) -> dict[str, float]:
    """Return a parameter of the policy node by entry of the command."""
    parameters = run.run.facts.get('parameters') or {}
    return dict(zip(TWIST_ENTRIES, _numbers(parameters.get(parameter)), strict=False))


def _numbers(value: object) -> list[float]:
    """Return the numbers of a list of run.json; none of anything else."""
    found = value if isinstance(value, list) else []
    return [float(each) for each in found if isinstance(each, int | float)]


def _is_at(values: Float64, *limits: Float64 | float) -> Bools:
    hit: Bools = np.zeros(len(values), dtype=bool)
    for limit in limits:
        hit |= np.abs(values - limit) < SAME
    return hit


def _gain(run: ReportedRun, key: str, joint: str, places: Places) -> Float64:
    """Return the gain of a joint in each of the ticks; NaN where run.json does not tell."""
    values = np.full(len(places), np.nan)
    for member, chosen in _members(run, places):
        try:
            values[chosen] = member.joint_numbers('gains', key, (joint,))[0]
        except RunError:
            continue
    return values


def _members(run: ReportedRun, places: Places) -> Iterator[tuple[RecordedRun, Bools]]:
    """Yield the facts of each policy of a set, and in which of the ticks it ran."""
    known: Mapping[str, object] = run.run.facts.get('policies') or {}
    names = np.array(run.columns.policies or [''] * len(run.columns.time))[places]
    for name in dict.fromkeys(names.tolist()):
        yield run.run.of_policy(name) if name in known else run.run, names == name
