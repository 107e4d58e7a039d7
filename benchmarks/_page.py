"""The figures as docs/performance.md has them: tables in Markdown, written between its marks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from _figures import Figure
from _figures import short

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'performance.md'
C_AND_RUST = ('C,', 'kinfer')
"""How the names of those alternatives begin that are no Python."""
LONG = 'hour'
"""The group that has a table of its own."""
MARKS = re.compile(r'(<!-- (\w+): .*? -->\n).*?(<!-- end -->)', re.DOTALL)


def tables(facts: dict[str, Any], groups: dict[str, list[Figure]]) -> dict[str, str]:
    """
    The tables of the page that these groups fill, by the word of their mark.

    :param facts: machine and speed, as in the JSON.
    """
    usual = {name: group for name, group in groups.items() if name != LONG}
    rows = [(name, each) for name, group in usual.items() for each in group]
    found: dict[str, str] = {}
    if rows:
        found['speed'] = _speed(facts)
        found['figures'] = _table(row for row in rows if row[1].held is not None)
        found['native'] = _table(row for row in rows if row[1].beside.startswith(C_AND_RUST))
    if LONG in groups:
        found['hour'] = _quantiles(groups[LONG])
    return found


def write_page(found: dict[str, str], path: Path = PAGE) -> None:
    """Replace the tables between the marks; those that were not measured stay."""
    text = path.read_text()
    path.write_text(MARKS.sub(lambda mark: _filled(mark, found), text))


def _filled(mark: re.Match[str], found: dict[str, str]) -> str:
    head, name, end = mark.groups()
    return f'{head}{found[name]}{end}' if name in found else mark[0]


def _speed(facts: dict[str, Any]) -> str:
    machine = facts['machine']
    where = f'{machine["cpus"]} cores, {machine["cpu"] or machine["machine"]}'
    versions = machine['versions']
    ros = versions.get('ros_distro') or 'no ROS'
    what = f'{ros}, ONNX Runtime {versions.get("onnxruntime", "?")}'
    rows = [f'| {name} | {short(value)} us |' for name, value in facts['speed'].items()]
    head = f'| {where}, {what}, commit {machine["commit"]} | |'
    return '\n'.join([head, '|---|---|', *rows]) + '\n'


def _table(rows: Iterable[tuple[str, Figure]]) -> str:
    lines = ['| figure | ours | beside it | ratio and bound | command |', '|---|---|---|---|---|']
    lines += [f'| {" | ".join(_cells(name, each))} |' for name, each in rows]
    return '\n'.join(lines) + '\n'


def _cells(name: str, figure: Figure) -> list[str]:
    theirs = _numbers(figure.beside_values, figure.unit)
    bound = (
        f'{figure.found}; {figure.bound}' if figure.bound else 'p50 x ' + short(figure.ratios[0])
    )
    return [
        figure.name,
        _numbers(figure.values, figure.unit),
        f'{figure.beside}: {theirs}' if figure.beside else '',
        bound if figure.held is not False else f'**{bound}**',
        f'`make bench ARGS={name}`',
    ]


def _numbers(values: tuple[float, ...], unit: str) -> str:
    """p50 and p99, or the one number that there is."""
    return f'{", ".join(short(value) for value in values[:2])} {unit}'.strip()


def _quantiles(group: list[Figure]) -> str:
    lines = ['| | p50 | p99 | p99.9 | max |', '|---|---|---|---|---|']
    for each in group:
        for name, values in ((each.name, each.values), (each.beside, each.beside_values)):
            cells = ' | '.join(f'{short(value)} {each.unit}' for value in values)
            lines.append(f'| {name} | {cells} |')
    return '\n'.join(lines) + '\n'
