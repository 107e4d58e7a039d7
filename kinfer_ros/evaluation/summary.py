"""Summaries of an evaluation's results by condition and by command, with the worst run."""

import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from kinfer_ros.evaluation.meter import AXES

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """
    Several runs together; means are over the runs that have the number, None if none has.

    :ivar error: root mean square of the velocity error by axis, over the runs.
    :ivar force_n: the largest force of the ground on a body, N; `force_on` is the body.
    :ivar worst: id of the worst job: the one that ended first, otherwise the one with the largest
        velocity error.
    """

    name: str
    runs: int
    survived: int
    error: dict[str, float | None]
    power_w: float | None
    energy_j_per_m: float | None
    slip_mps: float | None
    heading_error_rad: float | None
    acceleration_error: dict[str, float | None]
    gait_hz: float | None
    double_support_s: float | None
    double_support: float | None
    force_n: float | None
    force_on: str
    worst: str
    worst_text: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def summarise(name: str, records: Sequence[Record]) -> Line:
    """Summarise at least one run."""
    worst = min(records, key=badness)
    force, body = _largest_force(records)
    return Line(
        name=name,
        runs=len(records),
        survived=sum(record['survived'] for record in records),
        error={axis: _rms(r['velocity_error'][axis] for r in records) for axis in AXES},
        power_w=mean(r['power_w'] for r in records),
        energy_j_per_m=mean(r['energy_j_per_m'] for r in records),
        slip_mps=mean(r['slip_mps'] for r in records),
        heading_error_rad=_rms(r.get('heading_error_rad') for r in records),
        acceleration_error={
            axis: _rms(r.get('acceleration_error', {}).get(axis) for r in records)
            for axis in ('ax', 'ay')
        },
        gait_hz=mean(r.get('gait_hz') for r in records),
        double_support_s=mean(r.get('double_support_s') for r in records),
        double_support=mean(r.get('double_support') for r in records),
        force_n=force,
        force_on=body,
        worst=worst['job'],
        worst_text=describe(worst),
    )


def by_condition(records: Iterable[Record]) -> list[Line]:
    """Summarise by condition, in the order of the records."""
    return _grouped(records, 1)


def by_command(records: Iterable[Record]) -> list[Line]:
    """Summarise by command."""
    return _grouped(records, 0)


def _grouped(records: Iterable[Record], part: int) -> list[Line]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record['job'].split('/')[part], []).append(record)
    return [summarise(name, group) for name, group in groups.items()]


def describe(record: Record) -> str:
    """Return the result of a run as text."""
    if not record['survived']:
        return f'ended after {record["run_s"]:.2f} s: {record["reason"]}'
    linear, yaw = linear_error(record), record['velocity_error']['wz']
    if linear is None or yaw is None:
        return 'stayed up'
    return f'stayed up, velocity error {linear:.3f} m/s, yaw rate error {yaw:.3f} rad/s'


def linear_error(record: Record) -> float | None:
    """Return the length of the error of the horizontal velocity, m/s, or None."""
    x, y = record['velocity_error']['vx'], record['velocity_error']['vy']
    return None if x is None or y is None else math.hypot(x, y)


def badness(record: Record) -> tuple[float, float]:
    """
    Return the sort key of a run: the smallest is the worst.

    Runs that stayed up are ordered by one number over errors in m/s and rad/s. It has no unit and
    is shown nowhere.
    """
    errors = [value for value in record['velocity_error'].values() if value is not None]
    return (math.inf if record['survived'] else record['run_s'], -math.hypot(*errors))


def _largest_force(records: Sequence[Record]) -> tuple[float | None, str]:
    """Return the largest force of the ground, N, and the body that it acted on."""
    forces = [
        (force['max'], body) for r in records for body, force in r.get('forces_n', {}).items()
    ]
    return max(forces, default=(None, ''))


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the numbers that there are, or None."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _rms(values: Iterable[float | None]) -> float | None:
    square = mean(value**2 for value in values if value is not None)
    return None if square is None else math.sqrt(square)


HEAD = (
    'runs', 'survived', 'vx m/s', 'vy m/s', 'wz rad/s', 'W', 'J/m', 'slip m/s', 'worst'
)  # fmt: skip
ERRORS = 'velocity error'
"""Stands above the columns of the three axes."""
FIRST_ERROR, END_OF_ERRORS = 2, 5
"""Those columns in HEAD."""


def cells(line: Line) -> list[str]:
    """Format a line as the cells below HEAD."""
    numbers = [
        *((line.error[axis], '.3f') for axis in AXES),
        (line.power_w, '.1f'), (line.energy_j_per_m, '.0f'), (line.slip_mps, '.3f'),
    ]  # fmt: skip
    return [
        str(line.runs),
        f'{line.survived / line.runs:.0%}',
        *('' if value is None else format(value, form) for value, form in numbers),
        line.worst,
    ]


GAIT_HEAD = (
    'heading rad', 'ax m/s2', 'ay m/s2', 'gait Hz', 'double s', 'double', 'force N', 'on'
)  # fmt: skip


def gait_cells(line: Line) -> list[str]:
    """Format a line as the cells below GAIT_HEAD."""
    numbers = [
        (line.heading_error_rad, '.3f'),
        *((error, '.2f') for error in line.acceleration_error.values()),
        (line.gait_hz, '.2f'), (line.double_support_s, '.3f'), (line.double_support, '.0%'),
        (line.force_n, '.0f'),
    ]  # fmt: skip
    texts = ['' if value is None else format(value, form) for value, form in numbers]
    return [*texts, line.force_on]


def as_table(title: str, lines: Sequence[Line]) -> str:
    """Format lines as a table for a terminal, with what the errors are above their columns."""
    rows = [[title, *HEAD], *([line.name, *cells(line)] for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    begin = sum(widths[: FIRST_ERROR + 1]) + 2 * (FIRST_ERROR + 1)
    room = sum(widths[FIRST_ERROR + 1 : END_OF_ERRORS + 1]) + 2 * (END_OF_ERRORS - FIRST_ERROR - 1)
    above = ' ' * begin + f' {ERRORS} '.center(room, '-')
    return '\n'.join([above, align(rows, left=(0, len(HEAD)))])


def as_gait_table(title: str, lines: Sequence[Line]) -> str:
    """Format lines as a table for a terminal: what GAIT_HEAD says of them."""
    rows = [[title, *GAIT_HEAD], *([line.name, *gait_cells(line)] for line in lines)]
    return align(rows, left=(0, len(GAIT_HEAD)))


def align(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """
    Format rows of equal length for a terminal.

    :param left: the columns that are aligned on the left.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return '\n'.join(
        '  '.join(
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
