"""Two policies on the same jobs: the verdicts follow from numbers that can be looked up."""

from __future__ import annotations

import pytest
from test_results import record

from kinfer_ros.evaluation.comparison import ALL
from kinfer_ros.evaluation.comparison import BETTER
from kinfer_ros.evaluation.comparison import FEW
from kinfer_ros.evaluation.comparison import SAME
from kinfer_ros.evaluation.comparison import WORSE
from kinfer_ros.evaluation.comparison import as_table
from kinfer_ros.evaluation.comparison import compare
from kinfer_ros.evaluation.comparison import conditions_table
from kinfer_ros.evaluation.comparison import overall
from kinfer_ros.evaluation.paired import at_most
from kinfer_ros.evaluation.paired import exact_share
from kinfer_ros.evaluation.paired import mean_difference
from kinfer_ros.evaluation.paired import share_difference
from kinfer_ros.evaluation.paired import t_quantile

SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
"""Student's own data, as they ship with R."""


@pytest.mark.parametrize(
    ('freedom', 'quantile'),
    [(3, 3.18245), (4, 2.77645), (5, 2.57058), (10, 2.22814), (30, 2.04227), (1000, 1.96234)],
)
def test_quantiles_are_those_of_the_tables(freedom, quantile):
    """A wrong one would make every interval wrong, and look right."""
    assert t_quantile(freedom) == pytest.approx(quantile, rel=1.5e-3 if freedom < 5 else 3e-4)


def test_an_interval_is_that_of_r():
    """t.test(extra ~ group, data = sleep, paired = TRUE) of R."""
    found = mean_difference([x - y for x, y in zip(*SLEEP, strict=True)])
    assert found.mean == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=1e-3)


def test_an_exact_interval_is_that_of_r():
    """binom.test of R: 8 of 10, 0 of 10, 6 of 6."""
    assert exact_share(8, 10) == pytest.approx((0.4439045, 0.9747893), abs=1e-6)
    assert exact_share(0, 10) == pytest.approx((0.0, 0.3084971), abs=1e-6)
    assert exact_share(6, 6) == pytest.approx((0.5407419, 1.0), abs=1e-6)
    assert at_most(2, 4, 0.5) == pytest.approx(11 / 16)
    assert at_most(9_000, 20_000, 0.5) < 1e-40, 'no overflow'


@pytest.mark.parametrize(('lost', 'differs'), [(5, False), (6, True)])
def test_five_falls_more_are_not_enough(lost, differs):
    """McNemar's exact test: p is 2 / 2^5 = 0.0625, and 2 / 2^6 = 0.03125."""
    found = share_difference(0, lost, 100)
    assert found.mean == -lost / 100
    assert (found.high < 0.0) is differs


def test_pairs_that_are_alike_may_still_differ():
    """Of a hundred runs that end alike, R's binom.test(0, 100) leaves 3.6 %, not nothing."""
    found = share_difference(0, 0, 100)
    assert (found.mean, found.low) == (0.0, -found.high)
    assert found.high == pytest.approx(0.0362167, abs=1e-6)


def results(count: int, **numbers: object) -> dict[str, dict]:
    """Results of jobs; a number may be a function of the seed."""
    return {
        f'walk/calm/{seed}': record(
            f'walk/calm/{seed}',
            **{key: value(seed) if callable(value) else value for key, value in numbers.items()},
        )
        for seed in range(count)
    }


def rows_of(a, b, scope=ALL):
    return {row.measure: row for row in compare(a, b) if row.scope == scope}


def test_each_measure_has_its_verdict():
    """Seeds differ by far more than the policies: pairs tell these apart all the same."""
    a = results(8, power_w=lambda k: 10.0 * k, slip_mps=lambda k: 0.01 * k, energy_j_per_m=None)
    b = results(
        8, power_w=lambda k: 10.0 * k + 1.0 + 0.01 * k, slip_mps=lambda k: 0.01 * k - 0.001,
        energy_j_per_m=None,
    )  # fmt: skip
    rows = rows_of(a, b)
    power, slip = rows['power'], rows['slip']
    assert (power.verdict, slip.verdict) == (WORSE, BETTER)
    assert (power.a, power.b, power.pairs) == (35.0, pytest.approx(36.035), 8)
    assert power.difference == pytest.approx(1.035)
    half = 2.36462 * 0.01 * 6.0**0.5 / 8**0.5  # t of 7, and the deviation of 0 to 7 hundredths
    assert (power.low, power.high) == pytest.approx((1.035 - half, 1.035 + half), rel=1e-4)
    assert slip.difference == pytest.approx(-0.001)
    assert rows['vx error'].verdict == rows['survived'].verdict == SAME
    assert (rows['energy'].verdict, rows['energy'].a, rows['energy'].pairs) == (FEW, None, 0)
    said = overall(list(rows.values()))
    assert said.startswith('B against A: better: slip; worse: power; no difference: survived, ')
    assert said.endswith('too few pairs: heading error, energy')


def test_a_policy_is_no_different_from_itself():
    """Also where every difference is exactly zero."""
    same = results(5, power_w=lambda k: 0.1 * k)
    assert {row.verdict for row in compare(same, same)} == {SAME, FEW}


def test_falls_count_once():
    """A run that was cut short has low numbers: power over it is no saving."""
    a = results(12, power_w=20.0)
    b = results(12, power_w=lambda k: 1.0 if k < 7 else 21.0, survived=lambda k: k >= 7)
    rows = rows_of(a, b)
    assert rows['survived'].verdict == WORSE
    assert (rows['survived'].a, rows['survived'].b) == (1.0, pytest.approx(5 / 12))
    assert rows['survived'].low == pytest.approx(-7 / 12)
    assert (rows['power'].pairs, rows['power'].verdict) == (5, WORSE)


def test_only_jobs_of_both_are_compared():
    """A crashed worker costs its job on both sides; the difference stays paired."""
    a, b = results(6, power_w=lambda k: float(k)), results(6, power_w=lambda k: k + 1.0)
    del a['walk/calm/0'], b['walk/calm/5']
    row = rows_of(a, b)['power']
    assert (row.pairs, row.a, row.b, row.difference) == (4, 2.5, 3.5, 1.0)
    assert rows_of(a, b, 'calm')['power'] == type(row)(**row.as_json() | {'scope': 'calm'})


def test_three_pairs_give_no_verdict():
    """Three numbers support any."""
    rows = rows_of(results(3), results(3, power_w=99.0))
    assert rows['power'].verdict == FEW
    assert (rows['power'].b, rows['power'].low) == (99.0, None)


def test_the_terminal_shows_both_with_signs_and_units():
    """A, B, their difference with its interval; by condition one word."""
    rows = compare(results(8), results(8, power_w=lambda k: 2.0 + 0.001 * k))
    table = as_table([row for row in rows if row.scope == ALL])
    line = next(line for line in table.splitlines() if line.startswith('power W'))
    assert line.split()[:7] == ['power', 'W', 'worse', '1.00', '2.00', '+1.00', '+1.00']
    head, body = conditions_table(rows)
    assert dict(zip(head, body[0], strict=True)) == {
        'condition': 'calm', 'survived': '=', 'vx error': '=', 'vy error': '=', 'wz error': '=',
        'heading error': '', 'power': 'worse', 'energy': '', 'slip': '=',
    }  # fmt: skip
