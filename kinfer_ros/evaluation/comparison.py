"""Compares two policies that ran the same jobs: a verdict for each measure."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from kinfer_ros.evaluation.paired import MIN_PAIRS
from kinfer_ros.evaluation.paired import Interval
from kinfer_ros.evaluation.paired import mean_difference
from kinfer_ros.evaluation.paired import share_difference
from kinfer_ros.evaluation.summary import Record
from kinfer_ros.evaluation.summary import align

BETTER, WORSE, SAME, FEW = 'better', 'worse', 'no difference', 'too few pairs'
"""Verdicts on B against A."""
ALL = 'all'
"""Name of the comparison over all conditions."""


@dataclass(frozen=True)
class Measure:
    """A number of a run; lower is better, but for the share of runs that stayed up."""

    name: str
    unit: str
    form: str
    of: Callable[[Record], float | None]

    @property
    def higher_is_better(self) -> bool:
        """Whether more of it is better."""
        return self.name == SURVIVED


SURVIVED = 'survived'


def _axis(axis: str) -> Callable[[Record], float | None]:
    return lambda record: record['velocity_error'][axis]


MEASURES = (
    Measure(SURVIVED, '', '.1%', lambda record: float(record['survived'])),
    Measure('vx error', 'm/s', '.4f', _axis('vx')),
    Measure('vy error', 'm/s', '.4f', _axis('vy')),
    Measure('wz error', 'rad/s', '.4f', _axis('wz')),
    Measure('heading error', 'rad', '.4f', lambda record: record.get('heading_error_rad')),
    Measure('power', 'W', '.2f', lambda record: record['power_w']),
    Measure('energy', 'J/m', '.1f', lambda record: record['energy_j_per_m']),
    Measure('slip', 'm/s', '.4f', lambda record: record['slip_mps']),
)


@dataclass(frozen=True)
class Row:
    """
    One measure of both policies over the same jobs.

    :ivar scope: the condition, or `all`.
    :ivar pairs: jobs compared: all that both ran for `survived`, otherwise those in which both
        stayed up and have the number. Means are over these; None where there is none.
    :ivar difference: B minus A; with the bounds of its 95 % confidence interval None where there
        are too few pairs.
    """

    scope: str
    measure: str
    unit: str
    pairs: int
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def compare(a: Mapping[str, Record], b: Mapping[str, Record]) -> list[Row]:
    """
    Compare two policies by their results, by job id: over all, then by condition.

    :return: a row for each measure of each scope; jobs that one of them lacks are left out.
    """
    both = [job for job in a if job in b]
    scopes = {ALL: both}
    for job in both:
        scopes.setdefault(job.split('/')[1], []).append(job)
    return [
        _compare(name, measure, [(a[job], b[job]) for job in jobs])
        for name, jobs in scopes.items()
        for measure in MEASURES
    ]


def _compare(scope: str, measure: Measure, pairs: Sequence[tuple[Record, Record]]) -> Row:
    if not measure.higher_is_better:
        pairs = [pair for pair in pairs if pair[0]['survived'] and pair[1]['survived']]
    found = [(measure.of(first), measure.of(second)) for first, second in pairs]
    values = [(x, y) for x, y in found if x is not None and y is not None]
    count = len(values)
    means = [sum(each) / count for each in zip(*values, strict=True)] or [None, None]
    interval = _interval(measure, values) if count >= MIN_PAIRS else None
    return Row(
        scope=scope,
        measure=measure.name,
        unit=measure.unit,
        pairs=count,
        a=means[0],
        b=means[1],
        difference=interval.mean if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        verdict=_verdict(measure, interval),
    )


def _interval(measure: Measure, values: Sequence[tuple[float, float]]) -> Interval:
    differences = [y - x for x, y in values]
    if measure.name == SURVIVED:
        return share_difference(differences.count(1.0), differences.count(-1.0), len(values))
    return mean_difference(differences)


def _verdict(measure: Measure, interval: Interval | None) -> str:
    if interval is None:
        return FEW
    if interval.low <= 0.0 <= interval.high:
        return SAME
    return BETTER if (interval.mean > 0.0) == measure.higher_is_better else WORSE


def overall(rows: Sequence[Row]) -> str:
    """Return one sentence on all measures over all conditions."""
    whole = [row for row in rows if row.scope == ALL]
    named = {
        verdict: [row.measure for row in whole if row.verdict == verdict]
        for verdict in (BETTER, WORSE, SAME, FEW)
    }
    parts = [f'{verdict}: {", ".join(names)}' for verdict, names in named.items() if names]
    return 'B against A: ' + '; '.join(parts)


HEAD = ('measure', 'B is', 'A', 'B', 'B - A', '95 % interval', 'pairs')


def cells(row: Row) -> list[str]:
    """Format a row as the cells below HEAD."""
    form = next(measure.form for measure in MEASURES if measure.name == row.measure)
    signed = f'+{form}'
    interval = ''
    if row.low is not None and row.high is not None:
        interval = f'{row.low:{signed}} to {row.high:{signed}}'
    return [
        f'{row.measure} {row.unit}'.rstrip(),
        row.verdict,
        *('' if each is None else f'{each:{form}}' for each in (row.a, row.b)),
        '' if row.difference is None else f'{row.difference:{signed}}',
        interval,
        str(row.pairs),
    ]


def as_table(rows: Sequence[Row]) -> str:
    """Format rows for a terminal."""
    return align([HEAD, *map(cells, rows)], left=(0, 1))


def conditions_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the verdicts by condition."""
    names = [measure.name for measure in MEASURES]
    scopes = dict.fromkeys(row.scope for row in rows if row.scope != ALL)
    of = {(row.scope, row.measure): row.verdict for row in rows}
    short = {SAME: '=', FEW: ''}
    body = [
        [scope, *(short.get(of[scope, name], of[scope, name]) for name in names)]
        for scope in scopes
    ]
    return ['condition', *names], body
