"""The report shows what is in the log, and opens offline."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from helpers.recorded import record_run
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.curves import MAX_INTERVALS
from kinfer_ros.analysis.report.curves import CurveReducer
from kinfer_ros.analysis.report.plots import Plot
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.tables import joint_table
from kinfer_ros.analysis.report.tables import statistics


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


def subject_of(path: Path, name: str = '') -> ReportedRun:
    run = RecordedRun.open(path)
    return ReportedRun(run, read_columns(run), [], [], name)


def plots(*paths: Path) -> dict[str, Plot]:
    """What the plots of a report show, by title."""
    groups = plot_groups([subject_of(path) for path in paths])
    return {plot.title: plot for group in groups for plot in group.plots}


def shown(page: Path) -> str:
    """The page less its scripts and styles."""
    text = re.sub(r'<(script|style).*?</\1>', '', page.read_text(), flags=re.DOTALL)
    return re.sub(r'<[^>]*>', ' ', text)


def test_it_shows_what_the_log_holds(copy, capsys):
    """Facts, problems, curves and events of the run."""
    pytest.importorskip('bokeh')
    assert main(['report', str(copy)]) == 0
    assert 'a cable' in capsys.readouterr().out
    facts = json.loads((copy / 'run.json').read_text())
    text = shown(copy / 'report.html')
    for words in (facts['model_sha256'], '&quot;a cable&quot;', 'run', 'fault'):
        assert words in text
    columns = read_columns(RecordedRun.open(copy))
    knee = plots(copy)['left_knee']
    at = facts['joint_order'].index('left_knee')
    drawn = {curve.name: curve.values for curve in knee.curves}
    np.testing.assert_array_equal(drawn['position'], columns.rows['joint_angles'][:, at])
    assert np.isnan(drawn['target'][-1])  # damping
    lower = facts['limits']['lower'][facts['limits']['joints'].index('left_knee')]
    assert knee.thresholds[0].values.tolist() == [lower, lower]


def test_velocity_stands_against_its_command(other):
    """Commands of 0.1 m/s and 0.2 rad/s; the distance is from the simulation."""
    found = plots(other)
    for title, told in (('velocity forward', 0.1), ('velocity turning', 0.2)):
        commanded, measured = found[title].curves
        assert {round(v, 6) for v in commanded.values if np.isfinite(v)} == {told}
        assert measured.name.startswith('measured')
    facts = json.loads((other / 'run.json').read_text())
    speed = np.nanmean(found['velocity forward'].curves[1].values)
    assert speed == pytest.approx(facts['distance_m'] / facts['run_s'], abs=0.05)


def test_nothing_of_it_comes_from_a_network(copy):
    """A content security policy forbids any request, and no text of a log ends an element."""
    pytest.importorskip('bokeh')
    assert main(['report', str(copy)]) == 0
    page = (copy / 'report.html').read_text()
    assert "default-src 'none'" in page
    from kinfer_ros.analysis.report.charts import library

    own = page.replace(library(), '')
    assert not re.search(r'(src|href)\s*=', own)
    assert own.count('</script>') == 3, 'a text of the log ended a script element'
    assert '<script>throw' not in own


def test_two_runs_are_laid_side_by_side(copy, other):
    """Every plot shows both runs, and the table the difference of their targets."""
    assert {curve.run for curve in plots(copy, other)['tilt'].curves} == {0, 1}
    table = joint_table([subject_of(copy), subject_of(other)])
    assert any('B - A over 50 steps' in text for text in table.head)
    assert all(len(row) == len(table.head) for row in table.rows)
    assert max(row[-1] for row in table.rows) > 0.001
    assert 'rms error, rad' in joint_table([subject_of(copy)]).head, 'one run is not called A'


def test_without_bokeh_it_names_the_extra(copy, capsys, monkeypatch):
    """One line, before the log is read."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *a: None if name == 'bokeh' else find(name, *a)
    )
    assert main(['report', str(copy)]) == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1
    assert 'kinfer_ros[report]' in said


def test_the_main_plots_as_a_picture(copy, other, capsys):
    """Without matplotlib the error says how to install it."""
    pytest.importorskip('bokeh')
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
    assert np.nanmax(drawn) == 40.0
    assert np.nanmin(drawn) == -40.0
    assert np.isnan(drawn).any()
    assert (np.diff(thin.time) >= 0).all()


def test_the_seconds_before_a_fault_are_whole():
    """A report opens there: the bins of ten minutes would show 12 points of 5 s."""
    time_axis = np.arange(30_000) / 50
    reducer = CurveReducer(time_axis, [(570.0, 581.0)])
    inside = (reducer.time >= 570.0) & (reducer.time < 581.0)
    assert inside.sum() >= 550
    assert len(reducer.time) < 4000


def test_statistics_are_of_every_record():
    """Of all records, not of the drawn points; NaN is ignored."""
    values = np.append(np.arange(100_001), np.nan)
    assert statistics(values) == {
        'count': 100_001, 'mean': 50000, 'p50': 50000, 'p99': 99000, 'p99_9': 99900, 'max': 1e5
    }  # fmt: skip
    assert statistics(np.array([np.nan]))['count'] == 0


def test_a_damaged_log_is_reported_with_what_is_left(copy, capsys):
    """Cut, two writers, a clock that went back, a gap: warnings, and the rest is shown."""
    pytest.importorskip('bokeh')
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
    pytest.importorskip('bokeh')
    log = tmp_path / 'log.ndjson'
    absent = dict.fromkeys(('projected_g', 'accel', 'gyro', 'command'))
    with log.open('w') as file:
        for step in range(100):
            row = [0.01 * step, -0.5]
            record = {'step_id': step, 't_us': 10**15 + 20_000 * step, 'joint_angles': row}
            file.write(json.dumps(record | {'joint_vels': row, 'output': row} | absent) + '\n')
    assert main(['report', str(log)]) == 0
    assert 'A step log without run.json, 1.98 s' in shown(tmp_path / 'log.html')
    found = plots(log)
    assert found['output'].curves[0].values[50] == pytest.approx(0.5)
    assert 'tilt' not in found
    assert main(['export', str(log)]) == 0
    assert (tmp_path / 'log.csv').read_text().count('\n') == 101
    assert main(['replay', str(log)]) == 2
    assert 'run.json' in capsys.readouterr().err


def test_a_log_without_records_is_one_clear_error(copy, capsys):
    """An error, not an empty page."""
    pytest.importorskip('bokeh')
    (copy / 'steps.ndjson').write_bytes(b'\x00\xff\n{}\n[]\n3\n')
    assert main(['report', str(copy)]) == 2
    assert 'has no record' in capsys.readouterr().err


def test_ten_minutes_are_under_10_mb(copy, capsys):
    """30000 records of a walk; how long it takes is in benchmarks/record.py."""
    pytest.importorskip('bokeh')
    lines = (copy / 'steps.ndjson').read_bytes().splitlines()
    with (copy / 'steps.ndjson').open('wb') as file:
        for step in range(30_000):
            record = lines[step % len(lines)].partition(b',')[2]
            file.write(b'{"step_id":%d,' % step + record + b'\n')
    assert main(['report', str(copy)]) == 0
    assert (copy / 'report.html').stat().st_size < 10e6
