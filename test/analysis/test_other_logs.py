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
    text = json.dumps(odd).replace('NaN', 'null').replace('Infinity', '1e400')
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
    assert len(listed.splitlines()) == numbers + 1, 'and the tilt, which is derived'
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
