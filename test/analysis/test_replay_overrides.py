"""A run in which another node moved joints replays to the bit, from its record."""

from __future__ import annotations

import json

import fastjsonschema
import numpy as np
import pytest

from helpers.processes import REPOSITORY
from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.series import all_series
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.policy.policy import load_model
from kinfer_ros.simulate import Simulation

SCHEMA = REPOSITORY / 'kinfer_ros' / 'run' / 'step.schema.json'
JOINTS = ['left_hip_yaw', 'right_hip_yaw']


def wave(step: int, simulation: Simulation) -> None:
    """Turn a hip a little, now and then; with the stamp of the next tick."""
    if step % 40 < 25:
        now = simulation.now_ns + 20_000_000
        target = np.array([0.1 * np.sin(step / 5)])
        inbox = simulation.controller.inputs.overrides.inbox
        assert inbox.take(Sender(1, '/wave'), JOINTS[1:], target, now, now, now) == ''


@pytest.fixture(scope='module', params=['measured', 'default'])
def recorded(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp('overrides')
    return record_run(
        folder, 3.0, wave, override_joints=JOINTS, allow_legs=True,
        override_observation=request.param, torque_band=1.0,
    )  # fmt: skip


def test_it_replays_to_the_bit(recorded):
    """Targets as well, and what the policy saw in place of what was measured."""
    run, policy = RecordedRun.open(recorded), load_model(MODEL)
    found = Replay(run, policy, lambda name: policy)
    for record in run.records():
        found.feed(record)
    assert found.outcome.identical, found.outcome.first
    assert found.outcome.tensors['target'].compared == 150


def test_the_record_has_what_was_commanded(recorded):
    """Null where a joint is free; the row is null where all are."""
    lines = (recorded / 'steps.ndjson').read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    validate = fastjsonschema.compile(json.loads(SCHEMA.read_text()))
    for record in records:
        validate(record)
        assert not record.get('nonfinite')
    rows = [record['override'] for record in records if record['mode'] == 'run']
    moved = [row for row in rows if row is not None]
    assert 0 < len(moved) < len(rows)
    assert all(left is None and abs(right) < 0.5 for left, right in moved)
    events = [event for record in records for event in record['events']]
    assert 'override: /wave moves right_hip_yaw' in events
    ran = [record for record in records if record['override'] and record['mode'] == 'run']
    sees = {record['joint_angles'] == record['measured_position'] for record in ran}
    facts = json.loads((recorded / 'run.json').read_text())
    hidden = facts['parameters']['override_observation'] == 'default'
    assert (False in sees) if hidden else (ran[0]['measured_position'] is None)


def test_plots_have_it_by_joint(recorded):
    """Beside position and target of the joint."""
    run = RecordedRun.open(recorded)
    series = {each.name: each for each in all_series(run, read_columns(run))}
    assert series['override/right_hip_yaw'].unit == 'rad'
    assert 'override/left_hip_yaw' not in series


def test_the_report_draws_what_another_node_asked_for(recorded):
    """A plot of its own: the numbers of the record, nothing while the joint is free."""
    run = RecordedRun.open(recorded)
    groups = plot_groups([ReportedRun(run, read_columns(run), [], [])])
    (plot,) = [
        plot for group in groups for plot in group.plots if plot.title == 'targets of another node'
    ]
    (curve,) = [each for each in plot.curves if each.name == 'right_hip_yaw']
    rows = [record['override'] for record in run.records()]
    asked = [np.nan if row is None else row[1] for row in rows]
    assert 0 < np.isnan(asked).sum() < len(asked)
    np.testing.assert_allclose(curve.values, asked, rtol=1e-3)


def test_a_damaged_row_is_said(recorded):
    """Such a run is not identical."""
    run, policy = RecordedRun.open(recorded), load_model(MODEL)
    found = Replay(run, policy, lambda name: policy)
    for record in run.records():
        if record['override'] is not None and found.outcome.replayed > 100:
            record['override'] = record['override'][:1]
        found.feed(record)
    assert 'override: found 1 numbers, expected 2' in found.outcome.first_unusable
    assert not found.outcome.identical


def test_other_runs_have_no_such_key(tmp_path):
    """Their records are as before."""
    path = record_run(tmp_path, 0.2)
    record = json.loads((path / 'steps.ndjson').read_bytes().splitlines()[-1])
    assert 'override' not in record
