"""Logged and derived series of a step log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.recorded import record_run
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import GROUPS
from kinfer_ros.analysis.series import all_series
from kinfer_ros.run.session import POSE_HZ


def drive(folder: Path, way, keep=lambda step: True) -> np.ndarray:
    """Velocity computed from a log of 200 ticks of a base whose pose at t s is way(t)."""
    with (folder / 'steps.ndjson').open('w') as file:
        for step in range(200):
            record = {'step_id': step, 't_us': 10**15 + 20_000 * step, 'mode': 'run'}
            pose = [float(each) for each in way(0.02 * step)] if keep(step) else None
            file.write(json.dumps(record | {'odom': pose}) + '\n')
    velocity = base_velocity(read_columns(RecordedRun.open(folder / 'steps.ndjson')))
    assert velocity is not None
    return velocity


def test_velocity_is_that_of_the_base_in_its_own_frame(tmp_path):
    """A robot that walks north at 0.3 m/s moves forward, although x of odom stays 0."""
    found = drive(tmp_path, lambda t: (1.0, 0.3 * t, np.pi / 2))
    np.testing.assert_allclose(found, np.tile([0.3, 0.0, 0.0], (200, 1)), atol=1e-6)


def test_velocity_on_a_circle(tmp_path):
    """The logged yaw jumps at pi, the velocity does not."""
    rate, speed = 1.0, 0.4

    def way(t: float) -> tuple[float, float, float]:
        yaw = 2.5 + rate * t
        wrapped = np.arctan2(np.sin(yaw), np.cos(yaw))
        return speed / rate * np.sin(yaw), -speed / rate * np.cos(yaw), wrapped

    found = drive(tmp_path, way, lambda step: step % 10 == 0)
    inner = found[30:160]
    assert abs(inner[:, 2] - rate).max() < 1e-4
    assert abs(np.hypot(inner[:, 0], inner[:, 1]) - speed).max() < 0.05 * speed
    assert abs(inner[:, 1]).max() < 0.1 * speed


def test_velocity_is_not_made_up_where_nobody_looked(tmp_path):
    """A gap of 2 s in the odometry stays a gap."""
    found = drive(tmp_path, lambda t: (t, 0.0, 0.0), lambda step: not 50 <= step < 150)
    assert np.isnan(found[60:140]).all()
    assert np.isfinite(found[:45]).all()


def test_a_walk_is_as_fast_as_it_was(tmp_path):
    """Compared with the distance from the simulation."""
    run = record_run(tmp_path, 4.0)
    facts = json.loads((run / 'run.json').read_text())
    columns = read_columns(RecordedRun.open(run))
    velocity = base_velocity(columns)
    running = np.array(columns.modes) == 'run'
    mean = np.nanmean(velocity[running, 0])
    assert mean == pytest.approx(facts['distance_m'] / facts['run_s'], abs=0.02)
    records = map(json.loads, (run / 'steps.ndjson').read_bytes().splitlines())
    poses = [record['odom'] for record in records if record['odom'] is not None]
    assert all(len(pose) == 3 for pose in poses)
    assert len(poses) == pytest.approx(POSE_HZ * facts['run_s'], abs=1.5)


def test_every_name_is_there_once_and_has_a_place(tmp_path):
    """Names are unique, and a panel has one unit."""
    run = RecordedRun.open(record_run(tmp_path, 0.5))
    series = all_series(run, read_columns(run))
    names = [each.name for each in series]
    assert len(set(names)) == len(names)
    assert {'target/left_knee', 'gyro/z', 'late_us', 'stage_us/policy', 'tilt'} <= set(names)
    assert {each.group for each in series} <= set(GROUPS)
    panels = {(each.panel, each.unit) for each in series}
    assert len({panel for panel, _ in panels}) == len(panels)
    assert len({(each.panel, each.label) for each in series}) == len(series)
