"""Several runs over each other: matched by name, moved in time, and told apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.overlay import parse_offsets
from kinfer_ros.analysis.overlay import run_names
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.tables import joint_table
from kinfer_ros.analysis.report.tables import target_difference
from kinfer_ros.cli.runs.several import read_runs
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RunError


def write_log(path: Path, joints: tuple[str, ...], rate: float, *, names: bool = True) -> Path:
    """Two seconds in which every joint's target is a function of its name and the time."""
    with path.open('w') as file:
        for step in range(round(2 * rate)):
            values = [value_of(name, step / rate) for name in joints]
            record = {
                'step_id': step, 't_us': 10**15 + round(1e6 * step / rate), 'mode': 'run',
                'joint_angles': values, 'target': values, 'gyro': [0.0, 0.0, step / rate],
            }  # fmt: skip
            file.write(json.dumps(record | ({'joint_order': joints} if names else {})) + '\n')
    return path


def value_of(joint: str, seconds: float) -> float:
    return len(joint) + seconds


@pytest.fixture
def logs(tmp_path) -> list[Path]:
    """Other orders, other joints, other rates."""
    return [
        write_log(tmp_path / 'sim.ndjson', ('hip', 'ankle'), 50.0),
        write_log(tmp_path / 'real.ndjson', ('elbows_', 'ankle', 'hip'), 100.0),
    ]


def test_names_are_as_short_as_they_can_be(tmp_path):
    """K-Scale's logs are all called kinfer_log.ndjson, and `latest` says nothing."""
    paths = [tmp_path / 'kd-1' / 'walk' / 'log.ndjson', tmp_path / 'kd-2' / 'walk' / 'log.ndjson']
    assert run_names(paths) == ['kd-1/walk/log.ndjson', 'kd-2/walk/log.ndjson']
    assert run_names(paths[:1]) == ['log.ndjson']
    assert run_names([paths[0], paths[0]]) == ['log.ndjson #1', 'log.ndjson #2']
    (tmp_path / 'stamp_walk').mkdir()
    (tmp_path / 'latest').symlink_to('stamp_walk')
    assert run_names([tmp_path / 'latest']) == ['stamp_walk']


@pytest.mark.parametrize('text', ['1', '0,1,2', 'a,b', '0,nan', '0,1e9', '', '0,,1'])
def test_offsets_are_one_number_for_each_run(text):
    """A missing one is not zero: it may be another run's that is missing."""
    with pytest.raises(ConfigError, match='2 numbers of seconds'):
        parse_offsets(text, 2)
    assert parse_offsets('0,-1.5', 2) == [0.0, -1.5]
    assert parse_offsets(None, 3) == [0.0, 0.0, 0.0]


def test_an_offset_moves_a_run_in_time(logs):
    """Runs begin at 0 together, and one is moved against the other."""
    first, second = read_runs(logs, '0,1.25', progress=False)
    assert (first.columns.time[0], first.columns.time[-1]) == (0.0, pytest.approx(1.98))
    assert second.columns.time[0] == 1.25
    assert second.name == 'real.ndjson +1.25 s'


def test_the_report_matches_joints_by_name(logs):
    """The second run has them in another order, one more, and twice the rate."""
    both = [
        ReportedRun(each.run, each.columns, [], [])
        for each in read_runs(logs, None, progress=False)
    ]
    plots = {plot.title: plot for group in plot_groups(both) for plot in group.plots}
    for joint, runs in (('hip', {0, 1}), ('ankle', {0, 1}), ('elbows_', {1})):
        curves = plots[joint].curves
        assert {each.run for each in curves} == runs
        for each in curves:
            assert each.values[0] == len(joint), joint
    table = joint_table(both)
    assert table.head[-1] == 'rms of target B - A over 100 steps, rad'
    assert {row[0]: row[-1] for row in table.rows} == {'hip': 0.0, 'ankle': 0.0, 'elbows_': None}


def test_the_difference_of_targets_is_at_the_same_time(logs):
    """Moved by 0.5 s, every target is 0.5 rad behind, at the times that both have."""
    both = [
        ReportedRun(each.run, each.columns, [], [])
        for each in read_runs(logs, '0,0.5', progress=False)
    ]
    running = [np.full(len(each.columns.time), True) for each in both]
    found = target_difference(*both, *running)
    assert found is not None
    assert found[0] == 75
    assert found[1] == {'hip': pytest.approx(0.5), 'ankle': pytest.approx(0.5)}


def test_a_log_without_names_has_those_of_the_first(tmp_path):
    """Kinfer's own logs have none; what is assumed is said."""
    named = write_log(tmp_path / 'a.ndjson', ('hip', 'ankle'), 50.0)
    bare = write_log(tmp_path / 'b.ndjson', ('hip', 'ankle'), 50.0, names=False)
    _, second = read_runs([named, bare], None, progress=False)
    assert second.run.facts['joint_order'] == ['hip', 'ankle']
    assert any('those of A' in text for text in second.columns.warnings)
    alone = RecordedRun.open(bare)
    read_columns(alone)
    assert 'joint_order' not in alone.facts


def test_too_many_runs_are_refused(logs):
    """Nine line styles cannot be told apart."""
    with pytest.raises(ConfigError, match='at most 8'):
        read_runs(logs[:1] * 9, None, progress=False)
    with pytest.raises(RunError, match='nowhere'):
        read_runs([logs[0], Path('nowhere')], None, progress=False)
