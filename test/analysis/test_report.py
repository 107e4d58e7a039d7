"""The report shows what is in the log, opens offline, and works in a browser."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.browser import BROWSER
from helpers.browser import Page
from helpers.recorded import record_run
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report import statistics
from kinfer_ros.analysis.report_plots import MAX_INTERVALS
from kinfer_ros.analysis.report_plots import CurveReducer


def stop(step: int, simulation) -> None:
    if step == 90:
        simulation.controller.request_fault('</script><script>throw 1</script> & "a cable"')


@pytest.fixture(scope='module')
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('walk'), 2.0, stop)


@pytest.fixture(scope='module')
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('other'), 1.0, default_command=[0.1, 0.0, 0.2])


@pytest.fixture
def copy(walk: Path, tmp_path: Path) -> Path:
    for name in ('run.json', 'steps.ndjson'):
        (tmp_path / name).write_bytes((walk / name).read_bytes())
    return tmp_path


def content(page: Path) -> dict:
    """The page's data, as its script reads it."""
    found = re.search(r' id="data">(.*?)</script>', page.read_text())
    assert found
    return json.loads(found[1])


def plots(data: dict) -> dict[str, dict]:
    return {plot['title']: plot for group in data['groups'] for plot in group['plots']}


def test_it_shows_what_the_log_holds(copy, capsys):
    """Facts, problems, curves and events of the run."""
    assert main(['report', str(copy)]) == 0
    assert 'a cable' in capsys.readouterr().out
    data = content(copy / 'report.html')
    (run,) = data['runs']
    facts = json.loads((copy / 'run.json').read_text())
    assert ['sha256', facts['model_sha256']] in run['facts']
    assert any('a cable' in text for text in run['problems'])
    assert [mode for _, _, mode in run['modes']][-1] == 'fault'
    columns = read_columns(RecordedRun.open(copy))
    knee = plots(data)['left_knee']
    at = facts['joint_order'].index('left_knee')
    drawn = dict(zip(('position', 'target'), (s['y'] for s in knee['series']), strict=True))
    np.testing.assert_allclose(drawn['position'], columns.rows['joint_angles'][:, at], rtol=1e-4)
    assert drawn['target'][-1] is None  # damping
    lower = facts['limits']['lower'][facts['limits']['joints'].index('left_knee')]
    assert knee['limits'][0] == lower
    assert len(knee['series'][0]['y']) == len(run['x']) == len(columns.time)


def test_velocity_stands_against_its_command(other):
    """Commands of 0.1 m/s and 0.2 rad/s; the distance is from the simulation."""
    assert main(['report', str(other)]) == 0
    shown = plots(content(other / 'report.html'))
    for title, told in (('velocity forward', 0.1), ('velocity turning', 0.2)):
        commanded, measured = shown[title]['series']
        assert {v for v in commanded['y'] if v is not None} == {told}
        assert measured['name'].startswith('measured')
    facts = json.loads((other / 'run.json').read_text())
    measured = [v for v in shown['velocity forward']['series'][1]['y'] if v is not None]
    assert np.mean(measured) == pytest.approx(facts['distance_m'] / facts['run_s'], abs=0.05)


def test_nothing_of_it_comes_from_a_network(copy):
    """A content security policy forbids any request."""
    assert main(['report', str(copy)]) == 0
    page = (copy / 'report.html').read_text()
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)\s*=', page)
    assert page.count('</script>') == 2, 'a text of the log ended a script element'


def test_two_runs_are_laid_side_by_side(copy, other):
    """Every plot shows both runs, and the table the difference of their targets."""
    assert main(['report', str(copy), str(other), '--out', str(copy / 'both.html')]) == 0
    data = content(copy / 'both.html')
    assert {series['run'] for series in plots(data)['tilt']['series']} == {0, 1}
    head = data['tables']['joints']['head']
    assert any('B - A over 50 steps' in text for text in head)
    assert all(len(row) == len(head) for row in data['tables']['joints']['rows'])
    assert max(row[-1] for row in data['tables']['joints']['rows']) > 0.001


def test_the_main_plots_as_a_picture(copy, other, capsys):
    """Without matplotlib the error says how to install it."""
    picture = copy / 'plots.png'
    code = main(['report', str(copy), str(other), '--png', str(picture)])
    if importlib.util.find_spec('matplotlib') is None:
        assert code == 2
        assert 'pip install matplotlib' in capsys.readouterr().err
    else:
        assert code == 0
        assert picture.read_bytes().startswith(b'\x89PNG')


def test_thinning_keeps_every_peak():
    """One tick at the torque limit in ten minutes stays visible."""
    time_axis = np.arange(30_000) / 50
    values = np.sin(time_axis)
    values[12_345], values[777] = 40.0, -40.0
    values[5000:5100] = np.nan
    thin = CurveReducer(time_axis)
    drawn = thin.values(values)
    assert len(drawn) == len(thin.time) <= 2 * (MAX_INTERVALS + 1)
    assert max(v for v in drawn if v is not None) == 40.0
    assert min(v for v in drawn if v is not None) == -40.0
    assert None in drawn
    assert (np.diff(thin.time) >= 0).all()


def test_statistics_are_of_every_record():
    """Of all records, not of the drawn points; NaN is ignored."""
    values = np.append(np.arange(100_001), np.nan)
    assert statistics(values) == {
        'count': 100_001, 'mean': 50000, 'p50': 50000, 'p99': 99000, 'p99_9': 99900, 'max': 1e5
    }  # fmt: skip
    assert statistics(np.array([np.nan]))['count'] == 0


def test_a_damaged_log_is_reported_with_what_is_left(copy, capsys):
    """Cut, two writers, a clock that went back, a gap: warnings, and the rest is shown."""
    log = copy / 'steps.ndjson'
    lines = log.read_bytes().splitlines(keepends=True)
    back = json.loads(lines[30])
    back['now_ns'] -= 10**9
    lines[30] = json.dumps(back).encode() + b'\n'
    log.write_bytes(b''.join([*lines[:40], b'{"step_id": 1\n', *lines[45:60], *lines[50:]]))
    assert main(['report', str(copy), '--json']) == 0
    warnings = json.loads(capsys.readouterr().out)['runs'][0]['warnings']
    for words in ('now_ns goes back', '1 lines', 'step_id goes back', '5 records are missing'):
        assert any(words in text for text in warnings), words


def test_a_log_of_kinfers_own_is_shown(tmp_path, capsys):
    """Kinfer's keys only, null for missing inputs."""
    log = tmp_path / 'log.ndjson'
    absent = dict.fromkeys(('projected_g', 'accel', 'gyro', 'command'))
    with log.open('w') as file:
        for step in range(100):
            row = [0.01 * step, -0.5]
            record = {'step_id': step, 't_us': 10**15 + 20_000 * step, 'joint_angles': row}
            file.write(json.dumps(record | {'joint_vels': row, 'output': row} | absent) + '\n')
    assert main(['report', str(log)]) == 0
    data = content(tmp_path / 'log.html')
    assert data['runs'][0]['x'][-1] == pytest.approx(1.98)
    shown = plots(data)
    assert shown['output']['series'][0]['y'][50] == pytest.approx(0.5)
    assert 'tilt' not in shown
    assert main(['export', str(log)]) == 0
    assert (tmp_path / 'log.csv').read_text().count('\n') == 101
    assert main(['replay', str(log)]) == 2
    assert 'run.json' in capsys.readouterr().err


def test_a_log_without_records_is_one_clear_error(copy, capsys):
    """An error, not an empty page."""
    (copy / 'steps.ndjson').write_bytes(b'\x00\xff\n{}\n[]\n3\n')
    assert main(['report', str(copy)]) == 2
    assert 'has no record' in capsys.readouterr().err


def test_ten_minutes_in_under_5_s_and_10_mb(copy, capsys):
    """30000 records of a walk."""
    lines = (copy / 'steps.ndjson').read_bytes().splitlines()
    with (copy / 'steps.ndjson').open('wb') as file:
        for step in range(30_000):
            record = lines[step % len(lines)].partition(b',')[2]
            file.write(b'{"step_id":%d,' % step + record + b'\n')
    begin = time.process_time()
    assert main(['report', str(copy)]) == 0
    assert time.process_time() - begin < 5.0
    assert (copy / 'report.html').stat().st_size < 10e6


@pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open the page in')
def test_it_works_in_a_browser(copy, other, tmp_path):
    """Keys, hovering, dragging and toggling act on all plots; no requests."""
    address = copy / 'both.html'
    assert main(['report', str(copy), str(other), '--out', str(address)]) == 0
    with Page(address, tmp_path) as page:
        page.wait_for('document.body.dataset.drawn > 3')
        assert page.value('document.body.dataset.plots') > '15'
        span = page.value("document.getElementById('range').textContent")
        page.press('+')
        page.wait_for(f"document.getElementById('range').textContent !== '{span}'")
        assert page.value('location.hash').startswith('#t=')
        page.press('0')
        page.wait_for(f"document.getElementById('range').textContent === '{span}'")
        page.value("document.querySelector('.wide canvas').scrollIntoView({block: 'center'})")
        box = page.value(
            "(() => { const b = document.querySelector('.wide canvas').getBoundingClientRect();"
            ' return [b.left, b.top, b.width, b.height]; })()'
        )
        x, y = box[0] + 0.15 * box[2], box[1] + 0.5 * box[3]  # while it runs
        page.mouse('mouseMoved', x, y)
        label = "document.querySelector('.wide .legend span').textContent"
        page.wait_for(f'/[AB]\\) -?[0-9.e-]+$/.test({label})')
        for kind, to in (('mousePressed', x), ('mouseMoved', x + 50), ('mouseReleased', x + 50)):
            page.mouse(kind, to, y)
        page.wait_for("location.hash.startsWith('#t=')")
        pressed = "document.querySelector('.wide .legend button').getAttribute('aria-pressed')"
        page.value("document.querySelector('.wide .legend button').click()")
        assert page.value(pressed) == 'false'
        assert page.value("document.querySelector('.events').textContent.includes('throw 1')")
        assert page.value('document.body.dataset.errors') == '0'
        assert page.said == []
        assert [each for each in page.requests if not each.startswith('file:')] == []


@pytest.mark.skipif(BROWSER is None, reason='no chromium on PATH to open the page in')
def test_it_fits_a_phone(copy, tmp_path):
    """The page does not scroll sideways."""
    assert main(['report', str(copy)]) == 0
    with Page(copy / 'report.html', tmp_path, 390, 800) as page:
        page.send(
            'Emulation.setDeviceMetricsOverride',
            width=390, height=800, deviceScaleFactor=2, mobile=True,
        )  # fmt: skip
        page.value("document.querySelector('.plot canvas').scrollIntoView()")
        page.wait_for('document.body.dataset.drawn > 0')
        assert page.value('document.documentElement.scrollWidth') <= 390
