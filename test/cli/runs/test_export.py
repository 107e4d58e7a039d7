"""Exports contain the data of the log, read back with the tools of their users."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from helpers.recorded import record_run
from kinfer_ros.__main__ import main


def fault(step: int, simulation) -> None:
    if step == 60:
        simulation.controller.request_fault('a cable')


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('walk'), 2.0, fault)


@pytest.fixture(scope='module')
def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / 'steps.ndjson').read_bytes().splitlines()]


def export(run: Path, to: str, folder: Path, capsys) -> Path:
    out = folder / f'steps.{to}'
    assert main(['export', str(run), '--to', to, '--out', str(out), '--json']) == 0
    said = json.loads(capsys.readouterr().out)
    assert said['file'] == str(out)
    assert said['bytes'] == out.stat().st_size > 1000
    return out


def test_csv(run, records, tmp_path, capsys):
    """PlotJuggler and spreadsheets: float32 round-trips to the bit, missing values are empty."""
    with export(run, 'csv', tmp_path, capsys).open() as file:
        rows = list(csv.DictReader(file))
    knee = records[0]['joint_order'].index('left_knee')
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        held, target = row['target/left_knee'], record['target']
        assert held == '' if target is None else np.float32(held) == np.float32(target[knee])
    assert any('a cable' in row['events'] for row in rows)
    assert rows[-1]['target/left_knee'] == ''


def test_parquet(run, records, tmp_path, capsys):
    """As pandas reads it: types, nulls, events as lists, and run.json."""
    parquet = pytest.importorskip('pyarrow.parquet', reason='requirements/parquet.txt has it')
    table = parquet.read_table(export(run, 'parquet', tmp_path, capsys))
    assert str(table.schema.field('target/left_knee').type) == 'float'
    assert table.column('step_id').to_pylist() == [r['step_id'] for r in records]
    assert table.column('mode').to_pylist() == [r['mode'] for r in records]
    assert table.column('events').to_pylist() == [r['events'] for r in records]
    knee = records[0]['joint_order'].index('left_knee')
    held = table.column('target/left_knee').to_pylist()
    wanted = [None if r['target'] is None else r['target'][knee] for r in records]
    assert [v is None for v in held] == [v is None for v in wanted]
    known = [(a, b) for a, b in zip(held, wanted, strict=True) if b is not None]
    assert all(np.float32(a) == np.float32(b) for a, b in known)
    facts = json.loads(table.schema.metadata[b'run.json'])
    assert facts == json.loads((run / 'run.json').read_text())


def test_mcap(run, records, tmp_path, capsys):
    """As Foxglove and PlotJuggler read it: ROS 2 messages, with control clock times."""
    store = get_typestore(Stores.LATEST)
    count: Counter[str] = Counter()
    times: list[int] = []
    last: dict[str, Any] = {}
    with export(run, 'mcap', tmp_path, capsys).open('rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        for schema, channel, message in reader.iter_messages():
            assert (schema.encoding, channel.message_encoding) == ('ros2msg', 'cdr')
            count[channel.topic] += 1
            last[channel.topic] = store.deserialize_cdr(message.data, schema.name)
            if channel.topic == '/joint_states':
                times.append(message.log_time)
    assert count['/joint_states'] == count['/imu/data'] == len(records)
    assert count['/joint_commands'] == sum(r['target'] is not None for r in records)
    assert count['/policy/output'] == sum(r['output'] is not None for r in records)
    assert count['/odom'] == sum(r['odom'] is not None for r in records)
    clock = [r['now_ns'] for r in records]
    assert max(abs(np.diff(times) - np.diff(clock))) <= 1
    joints = last['/joint_states']
    assert joints.name == records[-1]['joint_order']
    assert (joints.position.astype(np.float32) == np.float32(records[-1]['joint_angles'])).all()
    assert (joints.velocity.astype(np.float32) == np.float32(records[-1]['joint_vels'])).all()
    assert (joints.effort.astype(np.float32) == np.float32(records[-1]['joint_torques'])).all()
    assert '/policy/joint_torques' not in count
    assert last['/policy/timing'].name[:2] == ['late_us', 'age_us']
    assert last['/policy_node/mode'].data == 'fault'
    assert 'a cable' in last['/rosout'].msg


def test_rerun(run, records, tmp_path, capsys):
    """As Rerun's own tool reads it."""
    if importlib.util.find_spec('rerun') is None:
        assert main(['export', str(run), '--to', 'rerun']) == 2
        assert 'pip install rerun-sdk' in capsys.readouterr().err
        pytest.skip('rerun-sdk is not installed (500 MB): pip install -r requirements/rerun.txt')
    out = export(run, 'rerun', tmp_path, capsys)
    command = [sys.executable, '-m', 'rerun', 'rrd']
    for words, said in (
        (['verify', str(out)], 'verified without error'),
        (['print', str(out)], f'{len(records)} rows'),
    ):
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)
        text = done.stdout + done.stderr
        assert done.returncode == 0, text
        assert said in text
    assert '/joints/left_knee/target' in text
    assert 'limit limit' not in text
    assert 'SeriesLines:colors' in text, "two lines of a plot may have the same of Rerun's own"
    watched = tmp_path / 'watched.rrd'
    assert main(['watch', str(run), '--save', str(watched)]) == 0
    assert watched.stat().st_size == pytest.approx(out.stat().st_size, rel=0.01)
    assert main(['watch', str(run), '--seconds', '3']) == 2


def test_kinfers_own_log(tmp_path, capsys):
    """Without run.json joints are numbers; inputs are null and our times are missing."""
    log = tmp_path / 'log.ndjson'
    absent = dict.fromkeys(('projected_g', 'accel', 'gyro', 'command'))
    with log.open('w') as file:
        for step in range(50):
            row = [0.01 * step, -0.5]
            record = {'step_id': step, 't_us': 10**15 + 20_000 * step, 'joint_angles': row}
            file.write(json.dumps(record | {'joint_vels': row, 'output': row} | absent) + '\n')
    for to in ('csv', 'mcap'):
        assert main(['export', str(log), '--to', to]) == 0
    assert 'output/1' in (tmp_path / 'log.csv').read_text()
    assert (tmp_path / 'log.mcap').stat().st_size > 1000


@pytest.mark.parametrize('to', ['csv', 'mcap', 'parquet', 'rerun'])
def test_an_unwritable_path(run, tmp_path, capsys, to):
    """One line that names the path."""
    module = {'parquet': 'pyarrow', 'rerun': 'rerun'}.get(to, 'json')
    if importlib.util.find_spec(module) is None:
        pytest.skip(f'{module} is not installed')
    out = tmp_path / 'gone' / f'steps.{to}'
    assert main(['export', str(run), '--to', to, '--out', str(out)]) == 2
    assert 'cannot be written' in capsys.readouterr().err


def test_times_that_do_not_fit_a_message(tmp_path, capsys):
    """A damaged clock gives one line, not a traceback."""
    log = tmp_path / 'log.ndjson'
    with log.open('w') as file:
        for step in range(3):
            record = {'step_id': step, 't_us': 1, 'now_ns': 10.0 ** (9 * step), 'output': [0.0]}
            file.write(json.dumps(record) + '\n')
        file.write(json.dumps({'step_id': 3, 'now_ns': 1e300, 'output': [0.0]}) + '\n')
    assert main(['export', str(log), '--to', 'mcap']) == 2
    assert 'its times are outside' in capsys.readouterr().err
