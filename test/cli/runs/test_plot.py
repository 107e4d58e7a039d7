"""`plot`: the chosen signals are drawn, unknown ones are reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from helpers.optional import needs_matplotlib
from helpers.recorded import record_run
from kinfer_ros.__main__ import main

pytestmark = needs_matplotlib


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('walk'), 2.0)


def plot(run: Path, *words: str) -> int:
    return main(['plot', str(run), *words])


@pytest.mark.parametrize(
    ('words', 'drawn'),
    [
        ([], {'tilt', 'gyro/x', 'command/xvel', 'velocity/x'}),
        (['timing'], {'late_us', 'age_us', 'stage_us/policy'}),
        (['--joint', 'left_knee'], {'target/left_knee', 'error/left_knee'}),
        (['target', '--joint', 'left_knee'], {'target/left_knee'}),
        (['target/*knee', 'gyro/z'], {'target/left_knee', 'target/right_knee', 'gyro/z'}),
    ],
)
def test_chosen_signals_are_drawn(run, tmp_path, capsys, words, drawn):
    """By group, key, name, pattern and joint."""
    out = tmp_path / 'plot.png'
    assert plot(run, *words, '--out', str(out), '--json') == 0
    said = json.loads(capsys.readouterr().out)
    assert drawn <= set(said['series'])
    if 'left_knee' in words or '*' in str(words):
        assert not {'joint_angles/left_hip_yaw', 'gyro/x'} & set(said['series'])
    assert out.read_bytes().startswith(b'\x89PNG')


def test_a_span_of_time(run, tmp_path, capsys):
    """From 0.5 to 1 s at 50 Hz: 26 records."""
    out = tmp_path / 'plot.png'
    assert plot(run, 'gyro', '--from', '0.5', '--to', '1', '--out', str(out), '--json') == 0
    assert json.loads(capsys.readouterr().out)['records'] == 26
    assert plot(run, 'gyro', '--from', '99', '--out', str(out)) == 2
    assert 'no record there; this log goes from' in capsys.readouterr().err


def test_the_list(run, capsys):
    """All names, with unit and range, as text and JSON."""
    assert plot(run, '--list') == 0
    said = capsys.readouterr().out
    assert 'base    gyro/z' in said
    groups = dict(re.findall(r'(\w+) \((\d+)\)', said.splitlines()[0]))
    assert {'base', 'joints'} <= set(groups)
    for name, count in groups.items():
        assert sum(line.split()[0] == name for line in said.splitlines()[1:]) == int(count)
    assert plot(run, '--list', '--json') == 0
    listed = {each['name']: each for each in json.loads(capsys.readouterr().out)}
    assert listed['target/left_knee']['unit'] == 'rad'
    assert listed['tilt']['derived']
    assert not listed['gyro/z']['derived']


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['gyroo'], "near: ['gyro', 'gyro/z'"),
        (['bass'], "near: ['base'"),
        (['nothing'], 'Its groups: '),
        (['target', '--joint', 'knee'], "has ['left_hip_yaw'"),
        (['gyro', '--joint', 'left_knee'], 'no such signal'),
        (['--out', 'picture.txt'], 'cannot be written'),
        (['--out', 'nowhere/picture.png'], 'cannot be written (No such file or directory)'),
    ],
)
def test_a_user_error_is_one_line(run, capsys, words, said):
    """With the existing names."""
    assert plot(run, *words) == 2
    assert said in capsys.readouterr().err


@pytest.fixture(scope='module')
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('slow'), 1.0, default_command=[0.1, 0.0, 0.0])


def test_several_runs_are_drawn_over_each_other(run, other, tmp_path, capsys):
    """Runs first, then signals; each run has its name and offset in the picture."""
    out = tmp_path / 'plot.png'
    words = [str(other), 'gyro/z', '--offset', '0,0.5', '--out', str(out), '--json']
    assert plot(run, *words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said['series'] == ['gyro/z']
    assert said['warnings'] == []
    assert out.read_bytes().startswith(b'\x89PNG')
    records = [len((each / 'steps.ndjson').read_bytes().splitlines()) for each in (run, other)]
    assert said['records'] == sum(records)
    assert plot(run, *words, '--from', '0', '--to', '0.99') == 0
    assert json.loads(capsys.readouterr().out)['records'] == 50 + 25


def test_what_a_run_lacks_is_said(run, tmp_path, capsys):
    """A curve that is missing would look like one that is covered."""
    log = tmp_path / 'log.ndjson'
    log.write_text('{"step_id": 0, "t_us": 1, "gyro": [0, 0, 1]}\n')
    assert plot(run, str(log), 'gyro/z', 'tilt', '--out', str(tmp_path / 'a.png')) == 0
    assert 'log.ndjson: does not have tilt' in capsys.readouterr().out
    assert plot(run, str(log), '--list') == 0
    assert 'log.ndjson:' in capsys.readouterr().out
    assert plot(run, str(log), '--offset', '1') == 2
    assert '2 numbers of seconds' in capsys.readouterr().err
    assert plot(run, 'nowhere') == 2
    assert 'no such signal' in capsys.readouterr().err


def test_kinfers_own_log_is_drawn(tmp_path, capsys):
    """Written next to the log; joints are numbers, and without modes nothing is grey."""
    log = tmp_path / 'log.ndjson'
    with log.open('w') as file:
        for step in range(50):
            row = [0.01 * step, -0.5]
            record = {'step_id': step, 't_us': 10**15 + 20_000 * step, 'output': row}
            file.write(json.dumps(record | {'joint_angles': row, 'gyro': None}) + '\n')
    assert plot(log, 'joints') == 0
    assert (tmp_path / 'log.png').read_bytes().startswith(b'\x89PNG')
    assert plot(log) == 2, 'it has nothing of the base'
    assert '--list' in capsys.readouterr().err
