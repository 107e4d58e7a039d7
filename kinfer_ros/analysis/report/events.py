"""Sorts the events of a log by kind; limits, of hundreds of ticks, are in clipped.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.control.guards.verdict import GUARDS

FAULT, WARNING, MODE, OTHER = 'fault', 'warning', 'mode', 'other'
MAX_LISTED = 500
"""Events that a page lists; it says how many more there are."""
MAX_CHARACTERS = 1000
"""Of the text of one event."""


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


def listed(events: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """
    Return events by index of their record, for a list; a limit in words, once for ticks in a row.

    :param events: such as `(7, 'slew limit')`, in order.
    """
    found: list[tuple[int, str]] = []
    ticks: dict[str, tuple[int, int, int]] = {}  # by guard: place in `found`, first and last tick
    for index, text in events:
        if not is_limit(text):
            found.append((index, text))
            continue
        guard = text.removesuffix(' limit')
        place, first, last = ticks.get(guard, (-1, -1, -2))
        if index > last + 1:
            place, first = len(found), index
            found.append((index, ''))
        ticks[guard] = place, first, index
        count = index - first + 1
        found[place] = first, f'{guard}: {GUARDS[guard]}' + f', {count} ticks' * (count > 1)
    return found
