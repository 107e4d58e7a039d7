"""Sorts the events of a log by kind; limits, of hundreds of ticks, are in clipped.py."""

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
