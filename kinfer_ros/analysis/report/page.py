"""Writes the report of runs as one HTML file that opens offline: first the story, then plots."""

import os
import re
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import orjson

from kinfer_ros.analysis.html_page import PAGE
from kinfer_ros.analysis.html_page import code
from kinfer_ros.analysis.html_page import make_html
from kinfer_ros.analysis.html_page import row
from kinfer_ros.analysis.html_page import scrolling_table
from kinfer_ros.analysis.html_page import text
from kinfer_ros.analysis.overlay import LETTERS
from kinfer_ros.analysis.report.charts import LEAST_TIME
from kinfer_ros.analysis.report.charts import Charts
from kinfer_ros.analysis.report.charts import Drawn
from kinfer_ros.analysis.report.charts import View
from kinfer_ros.analysis.report.charts import library
from kinfer_ros.analysis.report.clipped import Clipped
from kinfer_ros.analysis.report.clipped import clipped
from kinfer_ros.analysis.report.colours import DASH_NAMES
from kinfer_ros.analysis.report.colours import mode_colour
from kinfer_ros.analysis.report.curves import CurveReducer
from kinfer_ros.analysis.report.events import FAULT
from kinfer_ros.analysis.report.events import MAX_LISTED
from kinfer_ros.analysis.report.events import WARNING
from kinfer_ros.analysis.report.events import Event
from kinfer_ros.analysis.report.events import happened
from kinfer_ros.analysis.report.plots import Group
from kinfer_ros.analysis.report.plots import Plot
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.story import BEFORE_S
from kinfer_ros.analysis.report.story import Story
from kinfer_ros.analysis.report.story import find_film
from kinfer_ros.analysis.report.story import tell
from kinfer_ros.analysis.report.tables import Table
from kinfer_ros.analysis.report.tables import facts_of
from kinfer_ros.analysis.report.tables import joint_table
from kinfer_ros.analysis.report.tables import timing_table

AFTER_S = 0.5
"""s after a fault, or after the end of a run, that are shown at first."""
MAX_MARKS = 200
"""Events of a run with a line in every plot."""
SINKS = (
    'After the end of a run the motors are damped and then released: the robot sinks down. That '
    'is no fault of the policy, and is not shown at first.'
)
FOOT = (
    'Keys: + and \N{MINUS SIGN} zoom, arrows move, 0 shows all. Drag across a plot to zoom in; a '
    'double click shows the run. Red and dashed: limits and thresholds, as they were in force. '
    'Vertical lines: events, red at a fault. Every number in a table is of all records; curves '
    'are thinned out, with every peak kept, except around a fault.'
)


def make_report(subjects: Sequence[ReportedRun], paths: Sequence[Path], out: Path) -> bytes:
    """
    Return the HTML file of one run, or of several.

    :param paths: of the runs, as the user names them.
    :param out: where the page will lie; links lead from there.
    """
    events = [happened(subject) for subject in subjects]
    limits = [clipped(subject) for subject in subjects]
    stories = [
        tell(subject, listed, held, path)
        for subject, listed, held, path in zip(subjects, events, limits, paths, strict=True)
    ]
    view = _view(subjects)
    charts = Charts(_reducers(subjects), view, _marks(events))
    title = ' against '.join(subject.name for subject in subjects)
    body = [
        f'<h1>{text(title)}</h1>',
        *(_card(*each, several=len(subjects) > 1)
          for each in zip(range(len(subjects)), subjects, stories, strict=True)),
        *(_film_link(subject, out) for subject in subjects),
        _bar(subjects, charts, view),
        *(_group(group, subjects, charts) for group in plot_groups(subjects)),
        _events_section(subjects, events, limits),
        _facts_section(subjects),
        f'<footer>{text(FOOT)}</footer>',
    ]  # fmt: skip
    return _page(title, '\n'.join(body), charts)


def _page(title: str, body: str, charts: Charts) -> bytes:
    docs, items = charts.finish()
    # No text of a log may end the script element that contains it.
    data = orjson.dumps({'docs': _plain(docs), 'items': items}, default=str).decode()
    data = data.replace('<', '\\u003c')
    return make_html(
        title,
        body,
        style=(PAGE / 'run.css').read_text(),
        scripts=f'<script type="application/json" id="data">{data}</script>\n'
        f'<script>{library()}</script>\n<script>{(PAGE / "charts.js").read_text()}</script>',
        # Bokeh compiles the formatters of its ticks.
        allowed="img-src data:; script-src 'unsafe-inline' 'unsafe-eval'",
    )


def _plain(docs: object) -> object:
    from bokeh.core.json_encoder import serialize_json

    return orjson.loads(serialize_json(docs))


def _named(run: int, subject: ReportedRun) -> str:
    """Name one of several runs."""
    return f'{LETTERS[run]}: {subject.name}'


# What is shown at first --------------------------------------------------------------------


def _view(subjects: Sequence[ReportedRun]) -> View:
    first = min(float(subject.columns.time[0]) for subject in subjects)
    last = max(float(subject.columns.time[-1]) for subject in subjects)
    faults = [
        float(subject.columns.time[subject.fault_at])
        for subject in subjects
        if subject.fault_at is not None
    ]
    begin, end = _running(subjects)
    if faults:
        begin, end = faults[0] - BEFORE_S, faults[0]
    start, stop = max(begin, first), min(end + (AFTER_S if faults else 0.0), last)
    last = max(last, first + LEAST_TIME)
    if stop - start < LEAST_TIME:
        start, stop = first, last
    return View(start, stop, first, last)


def _running(subjects: Sequence[ReportedRun]) -> tuple[float, float]:
    """Return the first and the last time at which one of the runs was in mode run, s."""
    begins, ends = zip(*(subject.running for subject in subjects), strict=True)
    return min(begins), max(ends)


def _reducers(subjects: Sequence[ReportedRun]) -> list[CurveReducer]:
    reducers = []
    for subject in subjects:
        time, fine = subject.columns.time, []
        if subject.fault_at is not None:
            at = float(time[subject.fault_at])
            fine = [(at - 2 * BEFORE_S, at + 2 * AFTER_S)]
        reducers.append(CurveReducer(time, fine))
    return reducers


def _marks(events: Sequence[Sequence[Event]]) -> list[Event]:
    found: list[Event] = []
    for each in events:
        faults = [event for event in each if event.kind == FAULT][:MAX_MARKS]
        others = [event for event in each if event.kind != FAULT][: MAX_MARKS - len(faults)]
        found += [*others, *faults]
    return found


# Parts of the page -------------------------------------------------------------------------


def _card(run: int, subject: ReportedRun, story: Story, *, several: bool) -> str:
    kind = 'good' if story.good else 'bad'
    rows = [('First cause', [story.cause] if story.cause else []), ('Before it', story.before),
            ('What followed', story.after)]  # fmt: skip
    parts = [
        f'<dt>{title}</dt><dd>{"".join(f"<p>{text(each)}</p>" for each in texts)}</dd>'
        for title, texts in rows
        if texts
    ]
    steps = ''.join(
        f'<p>{text(each.text)}' + (code(each.command) if each.command else '') + '</p>'
        for each in story.next
    )
    name = f'<h2>{text(_named(run, subject))}</h2>' if several else ''
    return (
        f'<section class="card {kind}">{name}<p class="outcome {kind}">{text(story.outcome)}.</p>'
        f'<dl>{"".join(parts)}<dt>What to do next</dt><dd>{steps}</dd></dl></section>'
    )


def _film_link(subject: ReportedRun, out: Path) -> str:
    film = find_film(subject.run)
    if film is None:
        return ''
    link = os.path.relpath(film.absolute(), out.absolute().parent)
    address = quote(os.fsencode(link))
    return f'<p><a href="./{address}">Film of the run: {text(film.name)}</a></p>'


def _bar(subjects: Sequence[ReportedRun], charts: Charts, view: View) -> str:
    spans = [spans_of(subject) for subject in subjects]
    charts.add_strip(spans)
    several = len(subjects) > 1
    modes = dict.fromkeys(name for each in spans for _, _, name in each)
    keys = ''.join(
        f'<span class="key"><i style="background:{mode_colour(mode)}"></i>'
        f'{text(mode or "no mode")}</span>'
        for mode in modes
    )
    runs = ''.join(
        f'<span class="key">{text(_named(run, subject))} ({DASH_NAMES[run]})</span>'
        for run, subject in enumerate(subjects)
        if several
    )
    fault = any(subject.fault_at is not None for subject in subjects)
    begin, end = _running(subjects)
    jumps = [('run', 'the run', begin, end), ('everything', 'everything', view.first, view.last)]
    if fault:
        jumps.insert(0, ('fault', f'{BEFORE_S:g} s before the fault', view.start, view.end))
    buttons = ''.join(
        f'<button type="button" data-from="{a:.4f}" data-to="{b:.4f}" id="{name}">'
        f'{text(word)}</button>'
        for name, word, a, b in jumps
    )
    sinks = (
        f'<p class="dim">{SINKS} Press <b>everything</b> to see it.</p>'
        if view.last > end + AFTER_S
        else ''
    )
    return (
        f'{sinks}<nav aria-label="time" id="bar"><div class="chart" id="strip"></div>'
        f'<div class="keys">{runs}{keys}</div><div class="buttons">'
        '<button type="button" data-act="in" title="zoom in (+)">+</button>'
        '<button type="button" data-act="out" title="zoom out (-)">&minus;</button>'
        '<button type="button" data-act="left" title="earlier (left arrow)">&larr;</button>'
        '<button type="button" data-act="right" title="later (right arrow)">&rarr;</button>'
        f'{buttons}<output id="range"></output></div></nav>'
    )


def spans_of(subject: ReportedRun) -> list[tuple[float, float, str]]:
    """Return start, end (s) and name of each mode, and of each policy of a set."""
    spans: list[tuple[float, float, str]] = []
    for time, mode in zip(subject.columns.time.tolist(), subject.columns.states, strict=True):
        if spans and spans[-1][2] == mode:
            spans[-1] = (spans[-1][0], time, mode)
            continue
        if spans:
            spans[-1] = (spans[-1][0], time, spans[-1][2])
        spans.append((time, time, mode))
    return spans


def _group(group: Group, subjects: Sequence[ReportedRun], charts: Charts) -> str:
    if not group.plots and not group.histograms:
        return ''
    tables = {'Timing': timing_table, 'Joints': joint_table}
    make = tables.get(group.title)
    table = _table(make(subjects)) if make else ''
    boxes = [_plot(plot, charts, several=len(subjects) > 1) for plot in group.plots]
    boxes += [
        f'<div class="plot"><h3>{text(each.title)}: how often</h3>'
        f'<div class="chart" id="{charts.add_histogram(each)}"></div></div>'
        for each in group.histograms
    ]
    return (
        f'<h2>{text(group.title)}</h2>\n<section>{table}<div class="plots">'
        + '\n'.join(boxes)
        + '</div></section>'
    )


def _plot(plot: Plot, charts: Charts, *, several: bool) -> str:
    name, drawn = charts.add_plot(plot)
    unit = f', {plot.unit}' if plot.unit else ''
    lines = dict.fromkeys(_threshold_text(each.name, each.values) for each in plot.thresholds)
    limits = ''.join(f'<span class="key limit"><i></i>{text(each)}</span>' for each in lines)
    buttons = ''.join(_legend(each, several=several) for each in drawn)
    return (
        f'<div class="plot"><h3>{text(plot.title + unit)}</h3>'
        f'<div class="chart" id="{name}"></div>'
        f'<div class="legend">{buttons}{limits}</div></div>'
    )


def _threshold_text(name: str, values: Iterable[float]) -> str:
    steps = dict.fromkeys(f'{value:g}' for value in values if value == value)
    return f'{name} {" to ".join(list(steps)[:4])}'


def _legend(drawn: Drawn, *, several: bool) -> str:
    label = f'{drawn.curve.name} ({LETTERS[drawn.curve.run]})' if several else drawn.curve.name
    dash = ' class="dashed"' if drawn.curve.run else ''
    return (
        f'<button type="button" aria-pressed="true" data-line="{drawn.renderer}" '
        f'data-run="{drawn.curve.run}" data-column="{drawn.column}">'
        f'<i{dash} style="color:{drawn.colour}"></i><span>{text(label)}</span><b></b></button>'
    )


def _table(table: Table, kind: str = '') -> str:
    if not table.rows:
        return ''
    head = row('th', map(text, table.head)) if table.head else ''
    rows = [['' if cell is None else text(cell) for cell in each] for each in table.rows]
    return scrolling_table(head, rows, kind)


def _pairs(rows: Iterable[Sequence[object]]) -> str:
    return _table(Table([], [[str(cell) for cell in row] for row in rows]), 'facts')


def _events_section(
    subjects: Sequence[ReportedRun],
    events: Sequence[Sequence[Event]],
    limits: Sequence[Sequence[Clipped]],
) -> str:
    parts = ['<h2>Guards and events</h2><section>']
    several = len(subjects) > 1
    for run, (subject, listed, held) in enumerate(zip(subjects, events, limits, strict=True)):
        if several:
            parts.append(f'<h3>{text(_named(run, subject))}</h3>')
        parts.append(_guards(subject))
        if held:
            parts.append('<h3>Limits that held a value back</h3>' + _limit_rows(subject, held))
        if listed:
            parts.append('<h3>Events</h3>' + _event_rows(listed))
    return '\n'.join([*parts, '</section>'])


def _guards(subject: ReportedRun) -> str:
    counts = subject.run.facts.get('guards') or {}
    rows = [
        [str(name), *(str(each.get(key, '')) for key in ('limits', 'warns', 'faults'))]
        for name, each in counts.items()
        if isinstance(each, dict)
    ]
    if not rows:
        return '<p class="dim">No guard has spoken.</p>'
    return _table(Table(['guard', 'limits', 'warnings', 'faults'], rows))


def _time_button(time: float) -> str:
    around = f'data-from="{time - 1:.4f}" data-to="{time + 1:.4f}"'
    return f'<button type="button" class="at" {around}>{time:.2f} s</button>'


def _limit_rows(subject: ReportedRun, held: Sequence[Clipped]) -> str:
    time = subject.columns.time
    rows = [
        f'<tr><td>{_time_button(float(time[each.places[0]]))}</td><td>{text(each.what)}, '
        f'{len(each.places)} tick{"s" * (len(each.places) > 1)}, the last at '
        f'{time[each.places[-1]]:.2f} s</td></tr>'
        for each in held
    ]
    return f'<table class="facts">{"".join(rows)}</table>'


def _event_rows(events: Sequence[Event]) -> str:
    important = [each for each in events if each.kind in (FAULT, WARNING)][:MAX_LISTED]
    others = [each for each in events if each.kind not in (FAULT, WARNING)]
    listed = sorted([*important, *others[: MAX_LISTED - len(important)]], key=lambda e: e.time)
    rows = []
    for each in listed:
        again = f' ({each.count} times, the last at {each.last:.2f} s)' if each.count > 1 else ''
        kind = ' class="bad"' if each.kind == FAULT else ''
        rows.append(
            f'<tr><td>{_time_button(each.time)}</td><td{kind}>{text(each.text + again)}</td></tr>'
        )
    more = len(events) - len(listed)
    note = f'<p class="dim">{more} more events are not listed</p>' if more else ''
    return f'<table class="facts events">{"".join(rows)}</table>{note}'


def _facts_section(subjects: Sequence[ReportedRun]) -> str:
    parts = ['<h2>What ran</h2><section class="two">']
    several = len(subjects) > 1
    for run, subject in enumerate(subjects):
        facts = subject.run.facts
        name = f'<h3>{text(_named(run, subject))}</h3>' if several else ''
        warnings = [*subject.problems, *subject.columns.warnings]
        told = ''.join(f'<p class="bad">{text(each)}</p>' for each in warnings)
        lines = [re.split(r'\s{2,}', line, maxsplit=1) for line in subject.summary]
        summary = [['', *line] if len(line) == 1 else line for line in lines]
        given = facts.get('parameters')
        parameters = _pairs(given.items()) if isinstance(given, dict) and given else ''
        more = (
            f'<details><summary>parameters</summary>{parameters}</details>' if parameters else ''
        )
        table = _pairs([*summary, *facts_of(facts, subject.columns)])
        parts.append(f'<div>{name}{told}{table}{more}</div>')
    return '\n'.join([*parts, '</section>'])
