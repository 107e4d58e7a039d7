"""A G1 walks, dances and walks on, in the loop without ROS: no fall, and replayed to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies.g1_set import AFTER_S
from helpers.policies.g1_set import DANCE_S
from helpers.policies.g1_set import TICK_S
from helpers.policies.g1_set import WALK_S
from helpers.policies.g1_set import g1_set
from helpers.policies.motions import dance_robot
from helpers.recorded import record_run
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.loaded_set import load_set
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

GAIT_S = 0.7
"""s of a step of the walk, over which its phases are spread."""


@pytest.fixture
def files(tmp_path):
    """:return: set file and robot file."""
    path = g1_set(tmp_path)
    if path is None:
        pytest.skip('the shared policies are not here')
    return path, dance_robot(tmp_path)


def walk_and_dance(files, ask: dict[int, str], seconds: float) -> tuple[Simulation, list[float]]:
    """Run and ask for policies by tick; :return: simulation, and squared errors of the dance."""
    loaded, robot = load_set(files[0]), load_robot(files[1])
    settings = SessionSettings(
        20_000_000, auto_run=True, duration_ns=round(seconds * 1e9), default_command=(0.5, 0, 0)
    )
    controller = assemble_set(loaded, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot), loaded.entry.contract)
    dance = loaded.policies['dance']
    order = [robot.joint_names.index(name) for name in dance.contract.joint_names]
    errors: list[float] = []

    def tick(s: Simulation) -> None:
        if controller.mode is not Mode.RUN:
            return
        name = ask.get(round(controller.run_ns / 20e6))
        if name is not None:
            assert controller.request_policy(name) == ''
        if controller.policy_name == 'dance' and controller.ran:
            errors.append(float(np.square(s._position[order] - dance.recorded['reference']).mean()))

    simulation.run(seconds + 8.0, tick)
    return simulation, errors


@pytest.mark.parametrize('phase', range(6))
def test_it_walks_dances_and_walks_on(files, phase):
    """From six moments of the gait; the dance as close to its motion as in a plain loop."""
    start = round((WALK_S + phase * GAIT_S / 6) / TICK_S)
    seconds = start * TICK_S + DANCE_S + AFTER_S
    simulation, errors = walk_and_dance(files, {start: 'dance'}, seconds)
    controller = simulation.controller
    assert controller.counts['faults'] == 0, controller.reason
    assert controller.reason == 'duration reached'
    assert controller.policy_name == 'walk'
    assert len(errors) == 1201
    assert np.sqrt(np.mean(errors)) <= 0.09
    assert simulation.odometer.distance > 2.5


@pytest.mark.parametrize('after_s', [2.0, 6.0, 10.0, 14.0, 18.0, 22.0])
def test_a_dance_that_is_broken_off_ends_in_the_walk(files, after_s):
    """At six moments in the middle of the motion: gains and targets change in one tick."""
    start = round(WALK_S / TICK_S)
    ask = {start: 'dance', start + round(after_s / TICK_S): 'walk'}
    simulation, _ = walk_and_dance(files, ask, WALK_S + after_s + AFTER_S)
    assert simulation.controller.counts['faults'] == 0, simulation.controller.reason
    assert simulation.controller.policy_name == 'walk'


def test_the_run_replays_to_the_bit(files, tmp_path):
    """Records of two layouts in one log: every output, target and carry again."""
    start = 100

    def ask(step: int, simulation: Simulation) -> None:
        words = {start: 'dance', start + 150: 'walk'}
        if simulation.controller.mode is Mode.RUN and step in words:
            assert simulation.controller.request_policy(words[step]) == ''

    path = record_run(
        tmp_path, 7.0, ask, model='', policies=str(files[0]), robot=str(files[1]),
        default_command=[0.5, 0.0, 0.0],
    )  # fmt: skip
    run, loaded = RecordedRun.open(path), load_set(files[0])
    replay = Replay(run, loaded.entry, lambda name: loaded.policies[name])
    names = []
    for record in run.records():
        names.append(record['policy'])
        replay.feed(record)
    assert set(names) == {'walk', 'dance'}
    assert replay.outcome.identical, replay.outcome.first
    assert replay.outcome.tensors['output'].compared == replay.outcome.run_records == 350
    assert replay.outcome.tensors['target'].compared == 350
    assert replay.outcome.tensors['carry'].compared >= 7
    columns = read_columns(run)
    assert np.isfinite(columns.rows['target']).all(axis=1).sum() >= 350
