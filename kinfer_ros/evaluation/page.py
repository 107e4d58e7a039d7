"""The report of an evaluation: one HTML file without scripts, styled as a run's report."""

import html
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.analysis.report import PAGE
from kinfer_ros.evaluation.summary import GAIT_HEAD
from kinfer_ros.evaluation.summary import HEAD
from kinfer_ros.evaluation.summary import Line
from kinfer_ros.evaluation.summary import Record
from kinfer_ros.evaluation.summary import badness
from kinfer_ros.evaluation.summary import by_command
from kinfer_ros.evaluation.summary import by_condition
from kinfer_ros.evaluation.summary import cells
from kinfer_ros.evaluation.summary import describe
from kinfer_ros.evaluation.summary import gait_cells
from kinfer_ros.evaluation.summary import off
from kinfer_ros.evaluation.summary import summarise

WORST = 10
"""Worst runs listed with the command that repeats them."""
MAX_LISTED = 2000
"""Runs listed and drawn; results.ndjson has all of them."""

STYLE = """
td.grid { text-align: center; padding: 4px 10px; min-width: 6.5em; }
table.grid th { text-align: center; }
table.words td, table.words th { text-align: left; }
code { overflow-wrap: anywhere; user-select: all; }
svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: var(--fg); } svg line { stroke: var(--line); }
svg circle { fill: #2f7ed8; fill-opacity: .55; } svg path { stroke: var(--bad); stroke-width: 2; }
"""

FOOT = """Velocity error: root mean square of the base's velocity in its own frame, averaged over
0.5 s, minus the command, from 1 s on. W: mean of the sum of |torque x speed| of all joints, where
braking counts as spent. J/m: the same work divided by the path length of the base. Slip: mean
tangential speed of the contact points with the floor. Heading: root mean square of the heading
minus the integral of the commanded yaw rate. Gait: strides per second; double: share of the time
with two feet down, both from 1 s on while the command is not neutral. ax, ay: root mean square of
the base's acceleration minus that of the command. Force: the largest of the ground on a body.
Worst: the run that ended
first, otherwise the one with the largest velocity error."""


def make_page(
    settings: Mapping[str, Any], records: Sequence[Record], replay: Mapping[str, str], total: int
) -> bytes:
    """
    Return the HTML.

    :param records: results, at least one, in the order of the jobs.
    :param replay: command that repeats a job, by job id.
    :param total: number of jobs, including those without a result.
    """
    title = f'{settings["model"].rpartition("/")[2]} on {settings["robot"]}'
    whole = summarise('all', records)
    good = whole.survived == whole.runs
    verdict = f'{whole.survived} of {whole.runs} runs stayed up'
    missing = f'; {total - whole.runs} jobs have no result' if total > whole.runs else ''
    style = (PAGE / 'report.css').read_text() + STYLE
    body = [
        f'<h1>{_text(title)}</h1>',
        f'<p id="verdict" class="{"good" if good else "bad"}">{_text(verdict + missing)}</p>',
        _section('Conditions', _line_table('condition', [*by_condition(records), whole])),
        _section('Velocity error of each run', dots(records)),
        _section('Commands under conditions', _command_condition_grid(records)),
        _section('Commands', _line_table('command', by_command(records))),
        _section('Worst runs', _worst_table(records, replay)),
        _section('Settings', _settings_table(settings)),
        f'<details><summary>all runs</summary>{_run_table(records)}</details>',
        f'<footer>{_text(FOOT)}</footer>',
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<title>{_text(title)}</title>\n<style>{style}</style>\n</head>\n'
        '<body data-plots="1">\n' + '\n'.join(body) + '\n</body>\n</html>\n'
    )
    return page.encode()


def _text(value: object) -> str:
    return html.escape(str(value))


def _section(title: str, content: str) -> str:
    return f'<h2>{_text(title)}</h2>\n<section>{content}</section>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = '') -> str:
    """:param rows: cells that are HTML already."""
    top = ''.join(f'<th>{_text(text)}</th>' for text in head)
    body = ''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)
    return f'<div class="scroll"><table class="{kind}"><tr>{top}</tr>{body}</table></div>'


def _line_table(what: str, lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        texts = [_text(text) for text in cells(line)]
        kind = 'good' if line.survived == line.runs else 'bad'
        texts[1] = f'<span class="{kind}">{texts[1]}</span>'
        rows.append([_text(line.name), *texts])
    gait = [[_text(text) for text in (line.name, *gait_cells(line))] for line in lines]
    return _table([what, *HEAD], rows) + _table([what, *GAIT_HEAD], gait)


def _command_condition_grid(records: Sequence[Record]) -> str:
    """Commands as columns, conditions as rows: number that stayed up, mean velocity error."""
    cell: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        command, condition, _ = record['job'].split('/')
        cell.setdefault((condition, command), []).append(record)
    commands = list(dict.fromkeys(command for _, command in cell))
    rows = []
    for condition in dict.fromkeys(condition for condition, _ in cell):
        row = [_grid_cell(cell.get((condition, command), [])) for command in commands]
        rows.append(f'<tr><td>{_text(condition)}</td>{"".join(row)}</tr>')
    head = ''.join(f'<th>{_text(text)}</th>' for text in ('', *commands))
    table = f'<table class="grid"><tr>{head}</tr>{"".join(rows)}</table>'
    return f'<div class="scroll">{table}</div><p class="dim">stayed up; velocity error</p>'


def _grid_cell(records: Sequence[Record]) -> str:
    if not records:
        return '<td class="grid"></td>'
    up = sum(record['survived'] for record in records)
    errors = [error for error in map(off, records) if error is not None]
    error = f'{sum(errors) / len(errors):.3f}' if errors else ''
    hue = round(120 * up / len(records))
    style = f'background: hsl({hue} 60% 50% / .25)'
    return f'<td class="grid" style="{style}">{up}/{len(records)}<br>{error}</td>'


def dots(records: Sequence[Record]) -> str:
    """Draw each run at its velocity error, one row per condition; a cross is a fall."""
    rows: dict[str, list[Record]] = {}
    for record in _thin_out(records):
        rows.setdefault(record['job'].split('/')[1], []).append(record)
    largest = max((off(record) or 0.0 for record in records), default=0.0) or 1.0
    left, width, step = 170, 1000, 30

    def x(value: float) -> float:
        return left + value / largest * (width - left - 30)

    parts = []
    for number, (condition, runs) in enumerate(rows.items()):
        y = 20 + step * number
        parts.append(f'<text x="0" y="{y + 4}">{_text(condition[:24])}</text>')
        parts.append(f'<line x1="{left}" y1="{y}" x2="{width}" y2="{y}"/>')
        for record in runs:
            center = x(off(record) or 0.0)
            name = f'<title>{_text(record["job"])}: {_text(describe(record))}</title>'
            if record['survived']:
                parts.append(f'<circle cx="{center:.1f}" cy="{y}" r="6">{name}</circle>')
            else:
                cross = f'M{center - 5:.1f} {y - 5}l10 10m0 -10l-10 10'
                parts.append(f'<path d="{cross}">{name}</path>')
    bottom = 20 + step * len(rows)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        place = f'x="{x(share * largest):.1f}" y="{bottom + 6}"'
        parts.append(f'<text text-anchor="middle" {place}>{share * largest:.2f}</text>')
    label = 'velocity error of each run, by condition'
    drawn = f'<svg viewBox="0 0 {width} {bottom + 14}" role="img" aria-label="{label}">'
    note = 'length of the velocity error, m/s and rad/s together; a cross: the run did not stay up'
    return f'{drawn}{"".join(parts)}</svg><p class="dim">{note}</p>'


def _thin_out(records: Sequence[Record]) -> list[Record]:
    """Return at most MAX_LISTED records: every n-th, and the worst."""
    if len(records) <= MAX_LISTED:
        return list(records)
    every = -(-2 * len(records) // MAX_LISTED)
    worst = sorted(range(len(records)), key=lambda index: badness(records[index]))
    kept = {*range(0, len(records), every), *worst[: MAX_LISTED // 2]}
    return [records[index] for index in sorted(kept)]


def _worst_table(records: Sequence[Record], replay: Mapping[str, str]) -> str:
    ranked = sorted(records, key=badness)
    rows = [
        [
            _text(record['job']),
            _text(describe(record)),
            f'<code>{_text(replay[record["job"]])}</code>',
        ]
        for record in ranked[:WORST]
    ]
    return _table(['job', 'result', 'command that repeats and records it'], rows, 'words')


def _settings_table(settings: Mapping[str, Any]) -> str:
    rows = [
        ['model', settings['model']],
        ['sha256', settings['model_sha256']],
        ['robot', settings['robot']],
        ['seconds', f'{settings["seconds"]:g} of each run'],
        ['versions', ', '.join(f'{k} {v}' for k, v in settings['versions'].items())],
        ['machine', settings['machine']],
    ]
    rows += [
        [f'command {name}', ', '.join(f'{k} {v:g}' for k, v in values.items()) or 'neutral']
        for name, values in settings['commands'].items()
    ]
    rows += [
        [f'command {name}', f'plays the command sequence {sequence}']
        for name, sequence in settings.get('sequences', {}).items()
    ]
    rows += [
        [f'condition {name}', _format_condition(values)]
        for name, values in settings['conditions'].items()
    ]
    return _table(['', ''], [[_text(a), _text(b)] for a, b in rows], 'facts words')


NEUTRAL = {'friction': (1.0, 1.0), 'torque': (1.0, 1.0)}


def _format_condition(values: Mapping[str, Any]) -> str:
    texts = []
    for name, entry in values.items():
        value = tuple(entry) if isinstance(entry, list | tuple) else entry
        if name == 'push_every' and not values['push_speed']:
            continue
        if value != NEUTRAL.get(name, (0.0, 0.0)) and value != 0.0:
            text = f'{value[0]:g} to {value[1]:g}' if isinstance(value, tuple) else f'{value:g}'
            texts.append(f'{name} {text}')
    return ', '.join(texts) or 'no disturbance'


def _run_table(records: Sequence[Record]) -> str:
    head = [
        'job', 'run s', 'vx m/s', 'vy m/s', 'wz rad/s', 'W', 'J/m', 'slip m/s', 'm',
        'heading rad', 'gait Hz', 'double', '',
    ]  # fmt: skip
    rows = []
    for record in records[:MAX_LISTED]:
        numbers = [
            (record['run_s'], '.2f'),
            *((error, '.3f') for error in record['velocity_error'].values()),
            (record['power_w'], '.1f'),
            (record['energy_j_per_m'], '.0f'),
            (record['slip_mps'], '.3f'),
            (record['distance_m'], '.2f'),
            (record.get('heading_error_rad'), '.3f'),
            (record.get('gait_hz'), '.2f'),
            (record.get('double_support'), '.0%'),
        ]
        texts = ['' if value is None else format(value, form) for value, form in numbers]
        rows.append([_text(record['job']), *texts, _text(record['reason'])])
    more = len(records) - MAX_LISTED
    left_out = f'<p class="dim">{more} more are in results.ndjson</p>' if more > 0 else ''
    return _table(head, rows) + left_out
