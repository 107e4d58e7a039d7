"""Sorts the events of a log: what happened once, and what was clipped in hundreds of ticks."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import GUARDS

FAULT, WARNING, MODE, OTHER = 'fault', 'warning', 'mode', 'other'
MAX_LISTED = 500
"""Events that a page lists; it says how many more there are."""
MAX_CHARACTERS = 1000
"""Of the text of one event."""

SAME = 1e-5
"""rad; a target that is this close to a limit was clipped: both were float32."""

_CLIPPED = {
    'limit': 'clipped at its joint limit',
    'slew': 'slowed down to target_slew',
    'torque': 'kept within its torque limit',
}


@dataclass(frozen=True)
class Event:
    """
    What happened, first at a time.

    :ivar time: s.
    :ivar count: how often the same text was logged.
    :ivar last: s, of the last one.
    """

    time: float
    text: str
    kind: str
    count: int = 1
    last: float = 0.0


@dataclass(frozen=True)
class Clipped:
    """
    A limit that held a value back, over the whole run.

    :ivar what: such as `left_knee clipped at its joint limit`.
    :ivar places: [ticks], indices of the records.
    """

    what: str
    places: npt.NDArray[np.int64]


def kind_of(text: str) -> str:
    """Return the kind of an event by its text."""
    if text.startswith('mode fault'):
        return FAULT
    if text.startswith('warning '):
        return WARNING
    return MODE if text.startswith('mode ') else OTHER


def is_limit(text: str) -> bool:
    """Return whether a guard only limited a value in this tick."""
    return text.endswith(' limit') and text.removesuffix(' limit') in GUARDS


def happened(run: ReportedRun) -> list[Event]:
    """Return the events that are no limits, in order; the same text again is counted."""
    found: list[Event] = []
    places: dict[str, int] = {}
    time = run.columns.time
    for index, text in run.columns.events:
        if is_limit(text):
            continue
        text = text[:MAX_CHARACTERS]
        kind, at = kind_of(text), float(time[index])
        place = places.setdefault(text, len(found))
        if place == len(found) or kind in (FAULT, MODE):
            found.append(Event(at, text, kind, 1, at))
        else:
            before = found[place]
            found[place] = replace(before, count=before.count + 1, last=at)
    return found


def clipped(run: ReportedRun) -> list[Clipped]:
    """Return what was limited, the joint by name where the log shows it, most ticks first."""
    by_guard: dict[str, list[int]] = {}
    for index, text in run.columns.events:
        if is_limit(text):
            by_guard.setdefault(text.removesuffix(' limit'), []).append(index)
    found = []
    for guard, indices in by_guard.items():
        places = np.unique(np.array(indices, np.int64))
        unnamed = np.ones(len(places), dtype=bool)
        for joint, hit in _joints(run, guard, places):
            found.append(Clipped(f'{joint} {_CLIPPED[guard]}', places[hit]))
            unnamed &= ~hit
        if unnamed.any():
            found.append(Clipped(f'{guard}: {GUARDS[guard]}', places[unnamed]))
    return sorted(found, key=lambda each: -len(each.places))


def _joints(
    run: ReportedRun, guard: str, places: npt.NDArray[np.int64]
) -> Iterator[tuple[str, Bools]]:
    """Yield the joints that a guard limited, and in which of the ticks."""
    target = run.columns.rows.get('target')
    if target is None:
        return
    hits = {'limit': _at_limit, 'slew': _fastest}.get(guard)
    if hits is None:
        return
    for at, joint in enumerate(run.joints[: target.shape[1]]):
        hit = hits(run, target, at, places)
        if hit.any():
            yield joint, hit


def _at_limit(run: ReportedRun, target: Float64, at: int, places: npt.NDArray[np.int64]) -> Bools:
    limits = run.run.facts.get('limits') or {}
    names, joint = limits.get('joints') or [], run.joints[at]
    hit: Bools = np.zeros(len(places), dtype=bool)
    if joint not in names or at in run.columns.wheels:
        return hit
    for side in ('lower', 'upper'):
        value = float(limits[side][names.index(joint)])
        hit |= np.abs(target[places, at] - value) < SAME
    return hit


def _fastest(run: ReportedRun, target: Float64, at: int, places: npt.NDArray[np.int64]) -> Bools:
    """Return where a joint's target moved furthest: those that were slowed move equally far."""
    others = [each for each in range(target.shape[1]) if each not in run.columns.wheels]
    moved = np.abs(target[places] - target[np.maximum(places - 1, 0)])
    most = np.fmax.reduce(moved[:, others], axis=1, initial=0.0)
    hit: Bools = (moved[:, at] > most - 1e-4) & (most > 0.0) & (at in others)
    return hit
