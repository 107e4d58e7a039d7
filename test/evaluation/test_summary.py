"""The table and the page: true to the results, and the worst run is not hidden by the mean."""

from __future__ import annotations

import re

import pytest
from test_results import record

from kinfer_ros.evaluation.dots import NONE
from kinfer_ros.evaluation.dots import dots
from kinfer_ros.evaluation.dots import format_ticks
from kinfer_ros.evaluation.dots import round_ticks
from kinfer_ros.evaluation.page import make_page
from kinfer_ros.evaluation.summary import as_gait_table
from kinfer_ros.evaluation.summary import as_table
from kinfer_ros.evaluation.summary import by_command
from kinfer_ros.evaluation.summary import by_condition
from kinfer_ros.evaluation.summary import describe
from kinfer_ros.evaluation.summary import linear_error
from kinfer_ros.evaluation.summary import summarise


def error(value: float | None) -> dict:
    return dict.fromkeys(('vx', 'vy', 'wz'), value)


RECORDS = [
    record('stand/calm/0', velocity_error=error(0.3), power_w=2.0, slip_mps=None),
    record('walk/calm/0', velocity_error=error(0.4), power_w=4.0, energy_j_per_m=50.0),
    record('stand/pushes/0', survived=False, run_s=3.0, reason='fell: <b>hard</b>'),
    record('walk/pushes/0', survived=False, run_s=0.4, velocity_error=error(None), reason='fell'),
]


def test_a_line_is_what_its_runs_come_to():
    """Root mean squares of errors, means of the rest; None where nobody has the number."""
    calm, pushes = by_condition(RECORDS)
    assert (calm.name, calm.runs, calm.survived) == ('calm', 2, 2)
    assert calm.error['vx'] == pytest.approx(((0.3**2 + 0.4**2) / 2) ** 0.5)
    assert (calm.power_w, calm.energy_j_per_m, calm.slip_mps) == (3.0, 50.0, 0.01)
    assert pushes.survived == 0
    assert pushes.error['vx'] == pytest.approx(0.1)
    assert [line.name for line in by_command(RECORDS)] == ['stand', 'walk']


def test_the_worst_is_the_first_to_end_else_the_furthest_off():
    """A mean of a hundred good runs must not hide it."""
    assert summarise('all', RECORDS).worst == 'walk/pushes/0'
    assert summarise('calm', RECORDS[:2]).worst == 'walk/calm/0'
    assert 'ended after 0.40 s: fell' in summarise('all', RECORDS).worst_text
    table = as_table('condition', by_condition(RECORDS))
    assert re.search(r'^pushes +2 +0% ', table, re.MULTILINE)
    above, head, *_ = table.splitlines()
    begin, end = above.index('-'), above.rindex('-') + 1
    assert above.strip('- ') == 'velocity error'
    assert head[begin:end].split('  ') == ['vx m/s', 'vy m/s', 'wz rad/s']


def test_metres_and_radians_are_told_apart():
    """Their sum has no unit: 0.5 of it may be a limp, or a turn."""
    one = record('walk/calm/0', velocity_error={'vx': 0.3, 'vy': 0.4, 'wz': 0.07})
    assert describe(one) == (
        'stayed up, velocity error 0.500 m/s, yaw rate error 0.070 rad/s'
    )  # fmt: skip
    assert describe(record('walk/calm/0', velocity_error=error(None))) == 'stayed up'


GAITS = [
    record(
        'walk/calm/0', heading_error_rad=0.3, gait_hz=1.5, double_support=0.2,
        double_support_s=0.05, acceleration_error={'ax': 1.0, 'ay': 2.0},
        forces_n={'left_foot': {'mean': 60.0, 'max': 300.0}},
    ),
    record(
        'walk/calm/1', heading_error_rad=0.4, gait_hz=None, double_support=None,
        double_support_s=None, acceleration_error={'ax': 3.0, 'ay': None},
        forces_n={'left_foot': {'mean': 60.0, 'max': 200.0}, 'head': {'mean': 1.0, 'max': 900.0}},
    ),
]  # fmt: skip


def test_the_terminal_shows_the_gait():
    """Root mean squares of errors, means of the rest, and the hardest knock with its body."""
    head, row = as_gait_table('command', by_command(GAITS)).splitlines()
    assert ' '.join(head.split()) == (
        'command heading rad ax m/s2 ay m/s2 gait Hz double s double force N on'
    )
    assert row.split() == ['walk', '0.354', '2.24', '2.00', '1.50', '0.050', '20%', '900', 'head']


def test_results_of_an_earlier_version_have_no_gait():
    """They are resumed and summed up as ever."""
    (line,) = by_command(RECORDS[:1])
    assert (line.gait_hz, line.force_n, line.force_on) == (None, None, '')
    assert as_gait_table('command', [line]).splitlines()[1] == 'stand'


SETTINGS = {
    'model': '/models/walk.kinfer', 'model_sha256': 'ab', 'robot': 'biped', 'seconds': 4.0,
    'versions': {'mujoco': '3'}, 'machine': 'x86_64', 'commands': {'stand': {}},
    'conditions': {'pushes': {'friction': [1.0, 1.0], 'push_speed': 0.5, 'push_every': 3.0}},
}  # fmt: skip
REPLAY = {each['job']: f"eval --only '{each['job']}' <>" for each in RECORDS}


@pytest.fixture
def page(tmp_path):
    path = tmp_path / 'report.html'
    path.write_bytes(make_page(SETTINGS, RECORDS, REPLAY, 5))
    return path


def test_the_page_says_what_the_results_say(page):
    """And takes no text for markup; asks no network for anything."""
    text = re.sub('</?span.*?>', '', page.read_text())  # those of options in commands
    assert 'walk.kinfer on biped' in text
    assert '2 of 4 runs stayed up; 1 jobs have no result' in text
    assert text.index('<code>eval --only &#x27;walk/pushes/0&#x27;') < text.index(
        '<code>eval --only &#x27;stand/pushes/0&#x27;'
    )
    assert 'fell: &lt;b&gt;hard' in text
    assert '<b>' not in text
    assert text.count('<circle') == text.count('<path') == 3 * 2, 'three plots'
    for axis in ('vx (forward), m/s', 'vy (to the left), m/s', 'wz (yaw rate), rad/s'):
        assert f'<h3>error of {axis}</h3>' in text
    assert '0.424 m/s' in text, 'the cell of stand in the calm'
    assert '0.300 rad/s' in text
    assert 'push_speed 0.5, push_every 3' in text
    assert "default-src 'none'" in text
    assert text.count('<script') == 1
    assert not re.search(r'(src|href)\s*=|https?:', text)


def test_twenty_thousand_runs_are_still_a_page():
    """Thinned out; what fell is drawn all the same."""
    many = [record(f'walk/pushes/{seed}') for seed in range(20_000)]
    many[7_777] = record('walk/pushes/7777', survived=False, run_s=1.0, reason='fell')
    replay = {each['job']: 'eval' for each in many}
    page = make_page(SETTINGS, many, replay, len(many))
    assert len(page) < 2e6
    assert page.count(b'<path') == 3
    assert b'18000 more are in results.ndjson' in page


@pytest.mark.parametrize(
    ('largest', 'labels'),
    [
        (0.37, ['0.0', '0.1', '0.2', '0.3', '0.4']),
        (0.0312, ['0.00', '0.01', '0.02', '0.03', '0.04']),
        (1.0, ['0.0', '0.5', '1.0']),
        (70.0, ['0', '20', '40', '60', '80']),
        (0.0, ['0', '1']),
    ],
)
def test_scales_are_round(largest, labels):
    """Steps of 1, 2 or 5, equal decimals, and the largest number is on the scale."""
    assert format_ticks(round_ticks(largest)) == labels


def test_a_run_without_a_number_is_not_drawn_at_zero():
    """Zero would be the best run of all."""
    drawn = dots('error', {'calm': RECORDS[:1], 'pushes': RECORDS[3:]}, linear_error)
    places = re.findall(r'<(?:svg x|circle cx)="([0-9.]+)%', drawn)
    assert len(places) == 2
    assert float(places[1]) == NONE
    assert '>none<' in drawn
    assert '>none<' not in dots('error', {'calm': RECORDS[:2]}, linear_error)
