"""Dances trained by others, in the loop without ROS: as close as in a plain loop, and replayed."""

from __future__ import annotations

import json
from pathlib import Path

import fastjsonschema
import numpy as np
import pytest

from helpers.policies.motions import dance
from helpers.policies.motions import dance_robot
from helpers.processes import REPOSITORY
from helpers.recorded import record_run
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.analysis.series import all_series
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

SCHEMA = REPOSITORY / 'kinfer_ros' / 'run' / 'step.schema.json'
STANDS_S = 1.0
"""s that the dance in the network waits on its first frame."""


def here(tmp_path, name):
    found = dance(tmp_path, name)
    if found is None:
        pytest.skip('the shared policies are not here')
    return found


@pytest.mark.parametrize(
    ('name', 'seconds', 'rmse'),
    # rad, of all joints over all ticks; 0.082 and about 0.14 in a plain loop.
    [('g1_dance_102', 24.02, 0.09), ('g1_wbt_dancing', 29.0, 0.16)],
)
def test_it_dances(tmp_path, name, seconds, rmse):
    """The whole motion, and 1400 frames of one of which the rest is chance; no fall."""
    model, spec, _ = here(tmp_path, name)
    policy = load_model(model, spec=spec)
    robot = load_robot(dance_robot(tmp_path))
    settings = SessionSettings(
        period_ns=20_000_000, auto_run=True, duration_ns=round(seconds * 1e9)
    )
    controller = assemble(policy, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot))
    order = [robot.joint_names.index(joint) for joint in policy.contract.joint_names]
    reference = policy.timeline.positions
    errors: list[np.ndarray] = []

    def tick(s: Simulation) -> None:
        if controller.mode is not Mode.RUN:
            return
        frame = max(int(policy.carry[-3]) - 1, 0)
        errors.append(s._position[order] - reference[min(frame, len(reference) - 1)])
        if policy.contract.spec.motion.wait and controller.run_ns == STANDS_S * 1e9:
            assert controller.request_motion('start') == ''

    simulation.run(seconds + 8.0, tick)
    assert controller.counts['faults'] == 0, controller.reason
    assert len(errors) >= 1200
    assert np.sqrt(np.square(errors).mean()) <= rmse


def test_a_dance_replays_to_the_bit(tmp_path):
    """With a pause and a restart: all that the motion knows is in carry and inputs."""
    model, spec, _ = here(tmp_path, 'g1_dance_102')

    def ask(step: int, simulation: Simulation) -> None:
        words = {150: 'pause', 170: 'start', 200: 'restart'}
        if step in words:
            assert simulation.controller.request_motion(words[step]) == ''

    path = record_run(
        tmp_path, 4.0, ask, robot=str(dance_robot(tmp_path)), model=str(model), spec=str(spec),
        default_command=[0.0, 0.0, 0.0],
    )  # fmt: skip
    run, policy = RecordedRun.open(path), load_model(model, spec=spec)
    found = Replay(run, policy, lambda name: policy)
    for record in run.records():
        found.feed(record)
    assert found.outcome.identical, found.outcome.first
    assert found.outcome.tensors['target'].compared == 200
    look_at_the_motion(tmp_path, path, policy)


def look_at_the_motion(tmp_path: Path, path: Path, policy: Policy) -> None:
    """The record has the reference of its step; report and plot show the distance from it."""
    lines = (path / 'steps.ndjson').read_bytes().splitlines()
    validate = fastjsonschema.compile(json.loads(SCHEMA.read_text()))
    records = [json.loads(line) for line in lines]
    for record in records:
        validate(record)
    ran = [record for record in records if record['output'] is not None]
    rows = policy.timeline.positions.astype(np.float32)
    np.testing.assert_array_equal(np.float32(ran[0]['reference']), rows[0])
    np.testing.assert_array_equal(np.float32(ran[40]['reference']), rows[40])
    assert ran[0]['anchor_error'][0] < 0.3
    run = RecordedRun.open(path)
    columns = read_columns(run)
    series = {each.name: each for each in all_series(run, columns)}
    knee = series['motion_error/left_knee_joint'].values
    assert 0.0 < np.nanmax(np.abs(knee)) < 1.0
    assert series['anchor_error/angle'].unit == 'rad'
    page = tmp_path / 'report.html'
    assert main(['report', str(path), '--out', str(page)]) == 0
    text = page.read_text()
    assert 'rms from the motion, rad' in text
    assert 'between the anchors of robot and motion' in text
