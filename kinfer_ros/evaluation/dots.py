"""Dot plots: one dot a run, one row a condition, a scale of their own for each quantity.

Places are percentages and texts have fixed sizes: a plot is as legible on a phone as on a desk.
"""

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from kinfer_ros.analysis.html_page import text
from kinfer_ros.evaluation.summary import Record
from kinfer_ros.evaluation.summary import describe

LEFT, RIGHT, NONE = 3.0, 80.0, 94.0
"""Percent of the width: the scale's ends, and where runs without a number are drawn."""
TICKS = 4
"""Largest number of steps on a scale."""

Number = Callable[[Record], float | None]


def dots(title: str, rows: Mapping[str, Sequence[Record]], number: Number) -> str:
    """
    Draw each run at its number; a cross is a run that did not stay up.

    :param rows: runs by the name of their row.
    """
    values = [value for runs in rows.values() for value in map(number, runs) if value is not None]
    ticks = round_ticks(max(values, default=0.0))
    lacks = len(values) < sum(map(len, rows.values()))
    drawn = ''.join(
        f'<span>{text(name)}</span>{_strip(runs, number, ticks[-1])}'
        for name, runs in rows.items()
    )
    return (
        f'<div><h3>{text(title)}</h3><div class="strip" role="img" aria-label="{text(title)}">'
        f'{drawn}<span></span>{_axis(ticks, lacks=lacks)}</div></div>'
    )


def round_ticks(largest: float) -> list[float]:
    """Return ticks from 0 to at least a number, a round step (1, 2 or 5) apart."""
    if largest <= 0.0 or not math.isfinite(largest):
        return [0.0, 1.0]
    rough = largest / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999999)
    count = math.ceil(largest / step - 1e-9)
    return [round(step * index, 12) for index in range(count + 1)]


def format_ticks(ticks: Sequence[float]) -> list[str]:
    """Format ticks with equally many decimals."""
    step = ticks[1] - ticks[0]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f'{tick:.{decimals}f}' for tick in ticks]


def _place(value: float, largest: float) -> float:
    return LEFT + value / largest * (RIGHT - LEFT)


def _strip(runs: Sequence[Record], number: Number, largest: float) -> str:
    parts = [f'<line x1="{LEFT}%" x2="{RIGHT}%" y1="12" y2="12"/>']
    for run in runs:
        value = number(run)
        place = f'{NONE if value is None else _place(value, largest):.2f}%'
        name = f'<title>{text(run["job"])}: {text(describe(run))}</title>'
        if run['survived']:
            parts.append(f'<circle cx="{place}" cy="12" r="5">{name}</circle>')
        else:
            cross = '<path d="M-5 -5l10 10m0 -10l-10 10" transform="translate(0 12)">'
            parts.append(f'<svg x="{place}" overflow="visible">{cross}{name}</path></svg>')
    return f'<svg>{"".join(parts)}</svg>'


def _axis(ticks: Sequence[float], *, lacks: bool) -> str:
    parts = [
        f'<text x="{_place(tick, ticks[-1]):.2f}%" y="12" text-anchor="middle">{label}</text>'
        for tick, label in zip(ticks, format_ticks(ticks), strict=True)
    ]
    if lacks:
        parts.append(f'<text x="{NONE}%" y="12" text-anchor="middle">none</text>')
    return f'<svg>{"".join(parts)}</svg>'
