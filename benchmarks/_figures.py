"""One shape for every figure of the benchmarks: four quantiles, what stands beside it, its bound.

A bound is a ratio against something measured in the same run, or a count that must be 0: a bound
in seconds would fail on a slow machine and say nothing. Without this module each benchmark would
print its own table, and nobody could compare two runs.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

QUANTILES = (0.5, 0.99, 0.999, 1.0)
HEADINGS = ('p50', 'p99', 'p99.9', 'max')


@dataclass
class Figure:
    """
    One line of the table.

    :ivar values: p50, p99, p99.9, max; or one number, where there is only one.
    :ivar beside: what it is compared with; '' for nothing.
    :ivar beside_values: the same quantiles of that, measured in the same run.
    :ivar found: the number that `bound` is about, as text; '' where there is no bound.
    :ivar held: whether the bound is held; None where there is no bound.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    beside: str = ''
    beside_values: tuple[float, ...] = ()
    found: str = ''
    bound: str = ''
    held: bool | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over what stands beside it."""
        pairs = zip(self.values, self.beside_values, strict=True) if self.beside else ()
        return tuple(ours / theirs if theirs else float('inf') for ours, theirs in pairs)

    def bounded(self, found: float, most: float, what: str, *, least: bool = False) -> Figure:
        """
        Hold it against a bound.

        :param what: what `found` is, such as 'p50 ratio'.
        :param least: `most` is the least it may be.
        :return: itself.
        """
        self.found = f'{what} {found:.3g}'
        self.bound = f'{">=" if least else "<="} {most:.3g}'
        self.held = bool(found >= most if least else found <= most)
        return self


def typical(turns: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Of each quantile the median over some turns, one of which may have been held up."""
    return tuple(float(value) for value in np.median(np.asarray(turns), axis=0))


def progress(text: str) -> None:
    """Say what is measured now: some of it takes a minute."""
    print(f'  {text} ...', flush=True)


def quantiles(samples: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """p50, p99, p99.9 and max of some samples."""
    return tuple(float(value) for value in np.quantile(np.asarray(samples), QUANTILES))


def of_summary(summary: dict[str, float]) -> tuple[float, ...]:
    """The same out of a histogram's summary in run.json."""
    return tuple(float(summary[key]) for key in ('p50', 'p99', 'p99_9', 'max'))


def print_figures(title: str, figures: list[Figure]) -> None:
    """Print one group as a table."""
    print(f'\n{title}')
    heads = ' '.join(f'{head:>9}' for head in HEADINGS)
    print(f'{"":44} {"":5} {heads}   bound')
    for figure in figures:
        _print_row(figure.name, figure.unit, figure.values, _verdict(figure))
        if figure.beside:
            _print_row(f'  {figure.beside}', figure.unit, figure.beside_values, '')
            _print_row('  ratio', '', figure.ratios, '')
    sys.stdout.flush()


def _print_row(name: str, unit: str, values: tuple[float, ...], verdict: str) -> None:
    cells = ' '.join(f'{short(value):>9}' for value in values)
    print(f'{name:44} {unit:5} {cells:39}   {verdict}'.rstrip())


def short(value: float) -> str:
    """Three digits, or all that are before the point."""
    return f'{value:.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def _verdict(figure: Figure) -> str:
    if figure.held is None:
        return ''
    return f'{"ok  " if figure.held else "OVER"} {figure.found} ({figure.bound})'


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from kinfer_ros.run.versions import versions

    root = Path(__file__).resolve().parents[1]
    commit = subprocess.run(
        ['git', 'describe', '--always', '--dirty'],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        'machine': platform.machine(),
        'kernel': platform.release(),
        'cpu': _cpu_model(),
        'cpus': len(os.sched_getaffinity(0)),
        'load': os.getloadavg()[0],
        'commit': commit.stdout.strip(),
        'ros_distro': os.environ.get('ROS_DISTRO', ''),
        'versions': versions(),
    }


def _cpu_model() -> str:
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return ''


def write_json(path: Path, speed: dict[str, float], groups: dict[str, list[Figure]]) -> None:
    """
    Write all groups, for comparison with another run.

    :param speed: of the machine, before the first group.
    """
    figures = {
        title: [asdict(each) | {'ratios': each.ratios} for each in group]
        for title, group in groups.items()
    }
    facts = {'machine': machine(), 'speed': speed, 'figures': figures}
    path.write_text(json.dumps(facts, indent=1) + '\n')


def read_json(path: Path) -> tuple[dict[str, Any], dict[str, list[Figure]]]:
    """Read what `write_json` wrote; :return: machine and speed, and the groups."""
    facts = json.loads(path.read_text())
    groups = {}
    for title, group in facts['figures'].items():
        for each in group:
            del each['ratios']
        groups[title] = [Figure(**each) for each in group]
    return facts, groups
