"""Logs of other projects: every number is a series, and what is none is said."""

from __future__ import annotations

import contextlib
import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.shared import shared_path
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.other_logs import MAX_KEYS
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.tables import timing_table
from kinfer_ros.analysis.series import all_series
from kinfer_ros.errors import RunError

JOINTS = ['dof_left_knee_04', 'dof_right_knee_04']


def firmware(step: int, **changes) -> dict:
    """A record as pyfirmware writes it."""
    data = {
        'timestamp': 1.7e9 + 0.02 * step,
        'step_id': step,
        'dt_ms': 20.0,
        'dt_imu_ms': 0.5,
        'joint_angles': [0.1 * step, 0.1],
        'joint_velocities': [1.0, 0.0],
        'joint_torques': [0.1, 0.2],
        'joint_temps': [30.0, 31.0],
        'projected_gravity': [0, 0, -9.81],
        'gyroscope': [0, 0, 0.01],
        'command': {'xvel': 0.3, 'yawrate': -0.1},
        'action': [0.0, 0.1],
        'joint_order': JOINTS,
    }
    return {'timestamp': data['timestamp'], 'data': data | changes}


def series_of(tmp_path, *records):
    path = tmp_path / 'log.ndjson'
    path.write_text(''.join(json.dumps(record) + '\n' for record in records))
    run = RecordedRun.open(path)
    columns = read_columns(run)
    return {each.name: each for each in all_series(run, columns)}, columns


def test_a_log_of_the_firmware(tmp_path):
    """Our names where there is one, else its own; joints and commands by name; its time."""
    found, columns = series_of(tmp_path, *(firmware(step) for step in range(3)))
    np.testing.assert_allclose(columns.time, [0.0, 0.02, 0.04], atol=1e-6)
    np.testing.assert_allclose(found['joint_angles/dof_left_knee_04'].values, [0.0, 0.1, 0.2])
    for name, value, unit in (
        ('joint_vels/dof_left_knee_04', 1.0, 'rad/s'),
        ('joint_torques/dof_right_knee_04', 0.2, 'Nm'),
        ('joint_temps/dof_right_knee_04', 31.0, 'degC'),
        ('output/dof_right_knee_04', 0.1, 'rad'),
        ('projected_g/z', -9.81, 'm/s^2'),
        ('gyro/z', 0.01, 'rad/s'),
        ('command/yawrate', -0.1, 'rad/s'),
        ('dt_imu_ms', 0.5, 'ms'),
        ('dt_ms', 20.0, 'ms'),
    ):
        assert found[name].values[1] == value, name
        assert found[name].unit == unit, name
    assert columns.warnings == []
    assert set(columns.modes) == {''}


def flat(step: int, **changes) -> dict:
    """A record as the newest pyfirmware writes it: nothing stands under `data`."""
    return firmware(step, **changes)['data']


def test_a_flat_log_of_the_firmware_reads_the_same(tmp_path):
    """Its logger puts time and data into one object."""
    folders = [tmp_path / name for name in ('data', 'flat')]
    for folder in folders:
        folder.mkdir()
    found, columns = series_of(folders[0], *(firmware(step) for step in range(3)))
    same, others = series_of(folders[1], *(flat(step) for step in range(3)))
    np.testing.assert_array_equal(columns.time, others.time)
    assert list(found) == list(same)
    for name, each in found.items():
        np.testing.assert_array_equal(each.values, same[name].values)
    assert others.warnings == []


def test_earlier_keys_of_the_firmware(tmp_path):
    """timestamp_us, joint_vels and gyro were there before; empty lists are no numbers."""
    record = flat(0) | {'timestamp_us': 5_000_000, 'joint_vels': [3.0, 4.0], 'joint_amps': []}
    for key in ('timestamp', 'joint_velocities'):
        del record[key]
    found, columns = series_of(
        tmp_path, record, record | {'step_id': 1, 'timestamp_us': 5_500_000}
    )
    assert columns.time.tolist() == [0.0, 0.5]
    assert found['joint_vels/dof_right_knee_04'].values.tolist() == [4.0, 4.0]
    assert columns.warnings == []


def test_joints_are_matched_by_name_where_their_order_changes(tmp_path):
    """A policy with other joints was loaded: a knee must not become an ankle."""
    third = 'dof_left_ankle_02'
    turned = flat(1, joint_order=JOINTS[::-1], joint_angles=[7.0, 8.0], joint_amps=[1.0, 2.0])
    other = flat(
        2, joint_order=[third, JOINTS[1]], joint_angles=[5.0, 6.0], joint_velocities=[0.0, 0.0],
        joint_torques=[3.0, 4.0], joint_temps=[1.0, 1.0], action=[0.0, 0.0],
    )  # fmt: skip
    found, columns = series_of(tmp_path, flat(0), turned, other)
    angles = [found[f'joint_angles/{name}'].values.tolist() for name in (*JOINTS, third)]
    np.testing.assert_array_equal(
        angles, [[0.0, 8.0, np.nan], [0.1, 7.0, 6.0], [np.nan, np.nan, 5.0]]
    )
    assert found['joint_amps/dof_left_knee_04'].values[1] == 2.0
    assert found[f'joint_torques/{third}'].values[2] == 3.0
    assert any('joint_order changes' in text for text in columns.warnings)


def test_joint_names_hold_until_others_come(tmp_path):
    """Kplot reads logs in this way, which may name them once."""
    second = flat(1)
    del second['joint_order']
    found, columns = series_of(tmp_path, flat(0), second)
    assert found['joint_torques/dof_left_knee_04'].values.tolist() == [0.1, 0.1]
    assert columns.warnings == []


def test_a_row_that_does_not_fit_its_joints_is_named(tmp_path):
    """Nobody can tell which of them is missing."""
    found, columns = series_of(tmp_path, flat(0), flat(1, joint_torques=[9.0]))
    assert np.isnan(found['joint_torques/dof_left_knee_04'].values[1])
    assert any('joint_torques' in text and 'left out' in text for text in columns.warnings)
    _, columns = series_of(tmp_path, flat(0), flat(1, joint_order=[JOINTS[0]] * 2))
    assert any('joint_order' in text and 'twice' in text for text in columns.warnings)


def test_entries_of_the_command_that_come_later(tmp_path):
    """A joint's own command comes over UDP, now and then."""
    more = {'yawrate': 0.5, JOINTS[0]: 0.2, 'xvel': 0.1}
    found, columns = series_of(tmp_path, flat(0), flat(1, command=more), flat(2))
    assert found['command/xvel'].values.tolist() == [0.3, 0.1, 0.3]
    np.testing.assert_array_equal(found[f'command/{JOINTS[0]}'].values, [np.nan, 0.2, np.nan])
    assert columns.warnings == []


def test_python_writes_nan_where_json_has_none(tmp_path):
    """A sensor that fails must not lose the whole record."""
    found, columns = series_of(tmp_path, flat(0), flat(1, gyroscope=[np.nan, np.inf, 0.5]))
    assert len(columns.step_id) == 2
    assert found['gyro/z'].values.tolist() == [0.01, 0.5]
    assert np.isnan(found['gyro/x'].values[1])


def test_what_is_not_understood_is_named(tmp_path):
    """Nothing is dropped in silence, whatever its key is."""
    odd = {
        'mode': 3, 'events': 'start', 'note': 'a text', 'image': list(range(5000)),
        'projected_gravity': {'x': 0.0}, 'camera': [[1, 2], [3, 4]], 'gyroscope': [0.0, 'a', 0.0],
    }  # fmt: skip
    _, columns = series_of(tmp_path, flat(0), flat(1, **odd))
    said = ' '.join(columns.warnings)
    for name in ('mode', 'events', 'note', 'image', 'projected_g', 'camera', 'gyro'):
        assert name in said, name


def test_without_a_clock_the_rate_that_is_assumed_is_said(tmp_path):
    """50 Hz is the convention, and not every log's."""
    records = [flat(step) for step in range(3)]
    for record in records:
        del record['timestamp']
    _, columns = series_of(tmp_path, *records)
    assert columns.time.tolist() == [0.0, 0.02, 0.04]
    assert any('50 Hz' in text for text in columns.warnings)


@pytest.mark.filterwarnings('error')
def test_huge_numbers_and_broken_lines_are_read_by_every_command(tmp_path, capsys):
    """A log is untrusted: a page, a table and a list come of it, and what was left out is said."""
    log = tmp_path / 'kinfer_log.ndjson'
    records = [flat(0), flat(1, joint_torques=[1e308, -1e308], big=10**400, dt_ms=1e300), flat(2)]
    lines = [json.dumps(record) for record in records]
    lines[1:1] = ['{"step_id": 1', '[' * 5000, 'null', '{"step_id": 1e999}', '"' + 'x' * 1000]
    log.write_text('\n'.join(lines) + '\n')
    for words in (
        ['plot', '--list', str(log)],
        ['report', str(log)],
        ['export', str(log)],
        ['export', str(log), '--to', 'mcap'],
    ):
        assert main(words) == 0, words
    said = capsys.readouterr().out
    assert '5 lines of the step log are no records' in said


def test_the_report_has_every_number(tmp_path, capsys):
    """Torques, temperatures, times and keys of others, each in its group."""
    log = tmp_path / 'kinfer_log.ndjson'
    more = {'battery': {'voltage': 48.0}, 'joint_amps': [1.0, 2.0], 'loop_hz': 50.0}
    log.write_text(''.join(json.dumps(flat(step, **more)) + '\n' for step in range(3)))
    assert main(['report', str(log), '--out', str(tmp_path / 'r.html')]) == 0
    run = RecordedRun.open(log)
    columns = read_columns(run)
    subject = ReportedRun(run, columns, [], [])
    shown = {
        plot.title: [each.name for each in plot.curves]
        for group in plot_groups([subject])
        for plot in group.plots
    }
    assert shown['joint torques'] == shown['joint temperatures'] == shown['joint_amps'] == JOINTS
    assert shown['other times of the log'] == ['dt_imu_ms', 'dt_ms']
    assert shown['battery/voltage'] == ['battery/voltage']
    assert shown['velocity forward'] == ['commanded']
    assert 'loop_hz' in shown
    times = {row[0]: row[3] for row in timing_table([subject]).rows}
    assert times['dt'] == 20_000
    assert 'loop_hz' not in times


def test_numbers_of_any_key(tmp_path):
    """The next firmware has other keys; a text is said to be left out."""
    more = {'battery': {'voltage': 48.0, 'cell': [4.0, 4.1]}, 'loop_hz': 50, 'note': 'a text'}
    found, columns = series_of(tmp_path, firmware(0), firmware(1, **more))
    assert found['battery/voltage'].values[1] == 48.0
    assert found['battery/cell/1'].values[1] == 4.1
    assert found['loop_hz'].values[1] == 50
    assert found['loop_hz'].unit == ''
    assert any('note' in text for text in columns.warnings)


def test_our_own_records_with_more(tmp_path):
    """A later version of ours, or a tool, may add a number."""
    record = {'step_id': 0, 't_us': 1, 'gyro': [0, 0, 1], 'torque_sum': 2.5, 'mode': 'run'}
    found, _ = series_of(tmp_path, record)
    assert found['torque_sum'].values[0] == 2.5
    assert 'stamp_ns' not in found


def test_what_our_records_say_of_non_finite_numbers_is_no_series(tmp_path):
    """It is a list of places, and the rows have them as NaN."""
    record = {
        'step_id': 0,
        't_us': 1,
        'gyro': [0, None, 1],
        'nonfinite': [['gyro', 1, 2143289344]],
    }
    found, columns = series_of(tmp_path, record)
    assert not any(name.startswith('nonfinite') for name in found)
    assert columns.warnings == []


def test_many_keys_are_bounded(tmp_path):
    """A record can have a key for every byte."""
    found, columns = series_of(
        tmp_path, *(firmware(i, **{f'k{i}_{j}': 1.0 for j in range(400)}) for i in range(3))
    )
    assert len(found) < MAX_KEYS + 50
    assert any('left out' in text for text in columns.warnings)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(['timestamp', 'step_id', 'command', 'joint_order', 'action', 'x', 'data']),
        st.one_of(
            st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=3),
            st.lists(st.one_of(st.floats(), st.none(), st.text(max_size=2)), max_size=3),
            st.dictionaries(st.text(max_size=3), st.floats(), max_size=3),
        ),
    )
)  # fmt: skip
def test_no_record_breaks_it(tmp_path_factory, changes):
    """A log is untrusted: it is read, or one error."""
    odd = firmware(1)
    odd['data'] |= changes
    text = json.dumps(odd)
    folder = tmp_path_factory.mktemp('log')
    (folder / 'log.ndjson').write_text(json.dumps(firmware(0)) + '\n' + text + '\n')
    run = RecordedRun.open(folder / 'log.ndjson')
    with contextlib.suppress(RunError):
        all_series(run, read_columns(run))


def test_the_log_of_the_shared_files(tmp_path, capsys):
    """Plot lists all numbers, export writes them, report says no problem."""
    path = shared_path('cases/kscale_log/pyfirmware.ndjson')
    if path is None:
        pytest.skip('the shared files are not here')
    assert main(['plot', '--list', str(path)]) == 0
    listed = capsys.readouterr().out
    record = json.loads(path.read_text().splitlines()[0])['data']
    numbers = sum(len(v) if isinstance(v, list) else 1 for v in record.values())
    numbers -= len(record['joint_order']) + 2  # names, timestamp and step_id
    assert len(listed.splitlines()) == numbers + 2, (
        'and the groups, and the tilt, which is derived'
    )
    table = tmp_path / 'steps.csv'
    assert main(['export', str(path), '--out', str(table)]) == 0
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert float(rows[0]['joint_temps/dof_right_knee_04']) == 31.0
    assert main(['export', str(path), '--to', 'mcap', '--out', str(tmp_path / 'a.mcap')]) == 0
    capsys.readouterr()
    assert main(['report', str(path), '--out', str(tmp_path / 'r.html')]) == 0
    assert 'problem' not in capsys.readouterr().out


def test_the_report_of_a_foreign_log_has_no_empty_rows(tmp_path):
    """It has no run.json: `model None` and a table of no records say nothing."""
    pytest.importorskip('bokeh')
    log = tmp_path / 'kinfer_log.ndjson'
    log.write_text(''.join(json.dumps(firmware(n)) + '\n' for n in range(20)))
    out = tmp_path / 'report.html'
    assert main(['report', str(log), '--out', str(out)]) == 0
    body = out.read_text().split('<script')[0]
    assert 'None' not in body
    assert '<h3>Events</h3>' not in body
    assert '<td>late</td>' not in body
    assert '<td>dt_imu</td>' in body
