"""What a run came to, as a person tells it: outcome, first cause, what followed, what next."""

import re
import shlex
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.advice import Advice
from kinfer_ros.analysis.report.advice import advice_for
from kinfer_ros.analysis.report.advice import guard_of
from kinfer_ros.analysis.report.clipped import Clipped
from kinfer_ros.analysis.report.events import FAULT
from kinfer_ros.analysis.report.events import MODE
from kinfer_ros.analysis.report.events import Event
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.thresholds import changes_of
from kinfer_ros.control.settings import LiveSettings

BEFORE_S = 5.0
"""s before a fault in which its causes are looked for, and which a page shows first."""
MAX_BEFORE = 6
MAX_AFTER = 4
THEN = '; then: '
CLIPPED_SHARE = 0.1
"""A joint that was clipped in more of the ticks before a fault is told."""

SETTINGS = {
    'tilt': ('max_tilt',), 'position': ('position_margin',), 'speed': ('joint_speed_factor',),
    'tracking': ('tracking_error', 'tracking_time'), 'temperature': ('max_temperature',),
    'battery': ('min_battery',), 'stale': ('stale_timeout',), 'missed': ('max_missed_ticks',),
    'future': ('clock_tolerance',), 'frozen': ('frozen_timeout',),
    'output': ('max_action', 'max_refused'),
}  # fmt: skip
"""Live settings that decide about a fault."""


@dataclass
class Story:
    """
    The card at the top of a page.

    :ivar cause: what came first, in words; '' of a run without a fault.
    :ivar before: what happened in the seconds before it.
    :ivar after: what followed.
    """

    good: bool
    outcome: str
    cause: str = ''
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    next: list[Advice] = field(default_factory=list)


def tell(run: ReportedRun, events: list[Event], limits: list[Clipped], path: Path) -> Story:
    """
    Tell the story of a run.

    :param path: of the run, for the commands.
    """
    if run.fault_at is not None:
        return _fault(run, events, limits, path)
    good = not run.problems
    story = Story(good, _outcome(run))
    if not good:
        story.cause = '; '.join(run.problems)
        story.after = _mode_changes(events, after=run.running[1])
    story.next = _advice(run, '', path, good=good)
    return story


def _outcome(run: ReportedRun) -> str:
    facts, (begin, end) = run.run.facts, run.running
    if run.run.path.is_file():
        return f'A step log without run.json, {_span(run.columns.time[-1] - run.columns.time[0])}'
    if run.problems and ('counters' not in facts or facts.get('ended') is None):
        return f'The run was cut off after {_span(end - begin)}'
    reason = str(facts.get('reason'))
    if 'run' not in run.columns.modes:
        return f'The policy never ran: {reason}'
    walked = facts.get('distance_m')
    where = f', {walked:.2f} m from where it began' if isinstance(walked, int | float) else ''
    ran = f'The policy ran for {_span(end - begin)}{where}. Ended: {reason}'
    return ran if run.problems else f'No problem found. {ran}'


def _fault(run: ReportedRun, events: list[Event], limits: list[Clipped], path: Path) -> Story:
    assert run.fault_at is not None
    time = run.columns.time
    at = float(time[run.fault_at])
    event = next((each for each in events if each.kind == FAULT), None)
    reason = str(run.run.facts.get('reason') or 'a fault')
    text = event.text.removeprefix('mode fault').removeprefix(': ') if event else reason
    first, *followed = text.split(THEN)
    guard = guard_of(first, run.run.facts)
    fell = guard == 'tilt' or bool(run.run.facts.get('falls'))
    began = run.running[0]
    when = (
        f'{_span(at - began)} after the policy began' if at >= began else 'before the policy ran'
    )
    story = Story(good=False, outcome=f'{"The robot fell" if fell else "A fault"} {when}')
    story.cause = _explained(run, guard, first, at)
    story.before = _before(run, events, limits, at)
    story.after = [
        *followed,
        f'in the same tick every joint was damped (mode fault, t = {at:.2f} s)',
    ]
    story.after += [
        f'{each.time - at:.2f} s later: {each.text}' for each in events if each.time > at
    ][:MAX_AFTER]
    story.next = _advice(run, guard, path, good=False)
    return story


def _explained(run: ReportedRun, guard: str, text: str, at: float) -> str:
    """Add to the text of a fault that somebody had set the threshold, which explains more."""
    names = SETTINGS.get(guard, ())
    for name in names:
        changes = [each for each in changes_of(run, name) if each[0] <= at]
        if changes:
            when, old, new = changes[-1]
            ago = f'{_span(at - when)} before' if at - when > 0.0 else 'in the same tick'
            return f'{text}. {name} had been changed from {old:g} to {new:g} {ago}'
    for name in names:
        value, default = run.setting(name), float(getattr(LiveSettings, name))
        if value is not None and value != default:
            return f'{text}. {name} is {value:g}, by default {default:g}'
    return text


def _before(run: ReportedRun, events: list[Event], limits: list[Clipped], at: float) -> list[str]:
    """Return what happened in the last seconds before a fault."""
    near = [
        f'{at - each.last:.2f} s before: {each.text}'
        for each in events
        if at - BEFORE_S <= each.last <= at and each.kind not in (FAULT, MODE)
    ][-MAX_BEFORE:]
    time = run.columns.time
    inside = (time >= max(at - BEFORE_S, run.running[0])) & (time <= at)
    ticks = int(inside.sum())
    for each in limits:
        count = int(inside[each.places].sum())
        if count > CLIPPED_SHARE * ticks:
            near.append(f'{each.what} in {count} of the last {ticks} ticks')
    return near[: 2 * MAX_BEFORE]


def _mode_changes(events: list[Event], after: float) -> list[str]:
    found = [each for each in events if each.kind == MODE and each.time >= after]
    return [f't = {each.time:.2f} s: {each.text}' for each in found][:MAX_AFTER]


def _advice(run: ReportedRun, guard: str, path: Path, *, good: bool) -> list[Advice]:
    facts = run.run.facts
    given = facts.get('parameters') or {}
    killed = not run.run.path.is_file() and facts.get('ended') is None
    words = {
        'run': _word(path),
        'model': _word(given.get('policies') or facts.get('model')),
        'robot': _word(given.get('robot') or facts.get('robot')),
        'spec': f' --spec {_word(given["spec"])}' if given.get('spec') else '',
    }
    return advice_for(guard, words, good=good, killed=killed, alone=run.run.path.is_file())


def _word(value: object) -> str:
    """Return a word of a shell; the log may hold anything, and people copy it."""
    return shlex.quote(re.sub(r'[\x00-\x1f\x7f]', '', str(value)))


def _span(seconds: float) -> str:
    if seconds < 120.0:
        return f'{seconds:.2f} s'
    return f'{int(seconds // 60)} min {seconds % 60:.0f} s'


def find_film(run: RecordedRun) -> Path | None:
    """Return the film in a run directory, the newest if there are several."""
    if run.path.is_file():
        return None
    films = [
        file
        for suffix in ('mp4', 'webm', 'webp', 'gif')
        for file in run.path.glob(f'*.{suffix}')
        if file.is_file()
    ]
    return max(films, key=lambda file: file.stat().st_mtime, default=None)
