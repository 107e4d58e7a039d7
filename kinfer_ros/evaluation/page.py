"""The page of an evaluation: one HTML file that opens offline."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.analysis.html_page import text
from kinfer_ros.evaluation.dots import Number
from kinfer_ros.evaluation.dots import dots
from kinfer_ros.evaluation.html_page import again
from kinfer_ros.evaluation.html_page import evaluation_html
from kinfer_ros.evaluation.html_page import facts
from kinfer_ros.evaluation.html_page import framed_table
from kinfer_ros.evaluation.html_page import section
from kinfer_ros.evaluation.html_page import table
from kinfer_ros.evaluation.meter import AXES
from kinfer_ros.evaluation.summary import END_OF_ERRORS
from kinfer_ros.evaluation.summary import ERRORS
from kinfer_ros.evaluation.summary import FIRST_ERROR
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
from kinfer_ros.evaluation.summary import linear_error
from kinfer_ros.evaluation.summary import mean
from kinfer_ros.evaluation.summary import summarise

WORST = 10
"""Worst runs listed with the command that repeats them."""
MAX_LISTED = 2000
"""Runs listed and drawn; results.ndjson has all of them."""

PLOTS = {
    'vx': 'error of vx (forward), m/s',
    'vy': 'error of vy (to the left), m/s',
    'wz': 'error of wz (yaw rate), rad/s',
}
"""Titles of the dot plots, by axis."""

FOOT = """Velocity error: root mean square of the base's velocity in its own frame, averaged over
0.5 s, minus the command, from 1 s on. W: mean of the sum of |torque x speed| of all joints, where
braking counts as spent. J/m: the same work divided by the path length of the base. Slip: mean
tangential speed of the contact points with the floor. Heading: root mean square of the heading
minus the integral of the commanded yaw rate. Gait: strides per second; double: share of the time
with two feet down, both from 1 s on while the command is not neutral. ax, ay: root mean square of
the base's acceleration minus that of the command. Force: the largest of the ground on a body.
Worst: the run that ended first, otherwise the one with the largest velocity error."""


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
    body = [
        f'<h1>{text(title)}</h1>',
        f'<p id="verdict" class="{"good" if good else "bad"}">{text(verdict + missing)}</p>',
        f'<p>Worst run: {text(whole.worst)}: {text(whole.worst_text)}. See it again:</p>',
        again(replay[whole.worst]),
        section('Conditions', _line_table('condition', [*by_condition(records), whole])),
        section('Velocity errors of each run', _dot_plots(records)),
        section('Commands under conditions', _command_condition_grid(records)),
        section('Commands', _line_table('command', by_command(records))),
        section('Worst runs', _worst_list(records, replay)),
        section('Settings', facts(_settings(settings))),
        f'<details><summary>all runs</summary>{_run_table(records)}</details>',
        f'<footer>{text(FOOT)}</footer>',
    ]
    return evaluation_html(title, body)


def _line_table(what: str, lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        texts = [text(each) for each in cells(line)]
        kind = 'good' if line.survived == line.runs else 'bad'
        texts[1] = f'<span class="{kind}">{texts[1]}</span>'
        rows.append([text(line.name), *texts])
    groups = (
        f'<tr><th colspan="{FIRST_ERROR + 1}"></th>'
        f'<th class="group" colspan="{END_OF_ERRORS - FIRST_ERROR}">{ERRORS}</th></tr>'
    )
    names = ''.join(f'<th>{text(name)}</th>' for name in (what, *HEAD))
    gait = [[text(each) for each in (line.name, *gait_cells(line))] for line in lines]
    return framed_table(f'{groups}<tr>{names}</tr>', rows) + table([what, *GAIT_HEAD], gait)


def _command_condition_grid(records: Sequence[Record]) -> str:
    """Commands as columns, conditions as rows: number that stayed up, mean errors."""
    cell: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        command, condition, _ = record['job'].split('/')
        cell.setdefault((condition, command), []).append(record)
    commands = list(dict.fromkeys(command for _, command in cell))
    rows = [
        [text(row), *(_grid_cell(cell.get((row, command), [])) for command in commands)]
        for row in dict.fromkeys(condition for condition, _ in cell)
    ]
    note = 'stayed up; error of the velocity, m/s; error of the yaw rate, rad/s (means)'
    return f'<p class="dim">{note}</p>' + table(['', *commands], rows, 'grid')


def _grid_cell(records: Sequence[Record]) -> str:
    if not records:
        return ''
    up = sum(record['survived'] for record in records)
    linear = mean([linear_error(record) for record in records])
    yaw = mean([record['velocity_error']['wz'] for record in records])
    return '<br>'.join(
        [
            f'<span class="{"good" if up == len(records) else "bad"}">{up}/{len(records)}</span>',
            *(f'{value:.3f} {unit}' for value, unit in ((linear, 'm/s'), (yaw, 'rad/s'))
              if value is not None),
        ]
    )  # fmt: skip


def _dot_plots(records: Sequence[Record]) -> str:
    """One plot an axis, each with a scale and a unit of its own."""
    rows: dict[str, list[Record]] = {}
    for record in _thin_out(records):
        rows.setdefault(record['job'].split('/')[1], []).append(record)
    plots = ''.join(dots(PLOTS[axis], rows, _error_of(axis)) for axis in AXES)
    note = 'a dot is a run; a cross is a run that did not stay up; none: it ended before 1.5 s'
    return f'<div class="plots">{plots}</div><p class="dim">{note}</p>'


def _error_of(axis: str) -> Number:
    return lambda record: record['velocity_error'][axis]


def _thin_out(records: Sequence[Record]) -> list[Record]:
    """Return at most MAX_LISTED records: every n-th, and the worst."""
    if len(records) <= MAX_LISTED:
        return list(records)
    every = -(-2 * len(records) // MAX_LISTED)
    worst = sorted(range(len(records)), key=lambda index: badness(records[index]))
    kept = {*range(0, len(records), every), *worst[: MAX_LISTED // 2]}
    return [records[index] for index in sorted(kept)]


def _worst_list(records: Sequence[Record], replay: Mapping[str, str]) -> str:
    ranked = sorted(records, key=badness)
    listed = ''.join(
        f'<li>{text(record["job"])}: {text(describe(record))}{again(replay[record["job"]])}</li>'
        for record in ranked[:WORST]
    )
    return (
        f'<p class="dim">with the command that repeats and records it</p>'
        f'<ol class="worst">{listed}</ol>'
    )


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = (f'{name} {v or "not installed"}' for name, v in settings['versions'].items())
    rows = [
        ('model', settings['model']),
        ('sha256', settings['model_sha256']),
        ('robot', settings['robot']),
        ('seconds', f'{settings["seconds"]:g} of each run'),
        ('versions', ', '.join(versions)),
        ('machine', settings['machine']),
    ]
    rows += condition_facts(settings)
    return rows


def condition_facts(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the commands and conditions of an evaluation as names and values."""
    rows = [
        (f'command {name}', ', '.join(f'{k} {v:g}' for k, v in values.items()) or 'neutral')
        for name, values in settings['commands'].items()
    ]
    rows += [
        (f'command {name}', f'plays the command sequence {sequence}')
        for name, sequence in settings.get('sequences', {}).items()
    ]
    rows += [
        (f'condition {name}', _format_condition(values))
        for name, values in settings['conditions'].items()
    ]
    return rows


NEUTRAL = {'friction': (1.0, 1.0), 'torque': (1.0, 1.0)}


def _format_condition(values: Mapping[str, Any]) -> str:
    texts = []
    for name, entry in values.items():
        value = tuple(entry) if isinstance(entry, list | tuple) else entry
        if name == 'push_every' and not values['push_speed']:
            continue
        if value != NEUTRAL.get(name, (0.0, 0.0)) and value != 0.0:
            said = f'{value[0]:g} to {value[1]:g}' if isinstance(value, tuple) else f'{value:g}'
            texts.append(f'{name} {said}')
    return ', '.join(texts) or 'no disturbance'


def _run_table(records: Sequence[Record]) -> str:
    head = [
        'job', 'run s', 'vx error m/s', 'vy error m/s', 'wz error rad/s', 'W', 'J/m', 'slip m/s',
        'distance m', 'heading error rad', 'gait Hz', 'double', 'ended by',
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
        rows.append([text(record['job']), *texts, text(record['reason'])])
    more = len(records) - MAX_LISTED
    left_out = f'<p class="dim">{more} more are in results.ndjson</p>' if more > 0 else ''
    return table(head, rows) + left_out
