"""The biped falls in MuJoCo, gets up and walks on, without ROS; its log replays to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.getup import getup_set
from helpers.recorded import record_run
from kinfer_ros.analysis.differences import Outcome
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.control.modes import Mode
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

PUSHED = [4.0, 0.0, 0.0]
"""m/s"""


def replayed(path: Path, policies: Path) -> Outcome:
    run, loaded = RecordedRun.open(path), load_set(policies)
    replay = Replay(run, loaded.entry, lambda name: loaded.policies[name])
    for record in run.records():
        replay.feed(record)
    return replay.outcome


class Pushed:
    """Pushes the walking robot over, and sets it upright in the get-up, in each tick of a run."""

    def __init__(self, falls: int, *, rises: bool) -> None:
        self.falls = falls
        self.rises = rises
        self.modes: list[str] = []
        self._running = ('', 0)

    def __call__(self, step: int, simulation: Simulation) -> None:
        text = str(simulation.outcome)
        if not self.modes or self.modes[-1] != text:
            self.modes.append(text)
        name, ticks = self._running
        self._running = text, ticks + 1 if name == text else 1
        if self._running == ('run: policy walk', 75) and self.falls:
            self.falls -= 1
            assert simulation.robot.push(PUSHED)
        if self._running == ('run: policy getup', 25) and self.rises:
            simulation.robot.reset()


def fall(folder: Path, policies: Path, pushed: Pushed, **more: object) -> Path:
    """Record 12 s of mode run in which the robot falls."""
    return record_run(
        folder, 40.0, pushed, policies=str(policies), model='', joy_deadman_button=1,
        **{'allow_recovery': True, 'duration': 12.0, **more},
    )  # fmt: skip


@pytest.fixture
def policies(tmp_path):
    return getup_set(tmp_path)


def checked(path: Path, policies: Path) -> Outcome:
    """The replay of a run, which is identical in every step that a policy made."""
    outcome = replayed(path, policies)
    assert outcome.identical, outcome.first
    assert (outcome.skipped, outcome.unchecked_targets, outcome.missing) == (0, 0, [])
    assert outcome.replayed == outcome.run_records
    assert outcome.tensors['target'].compared == outcome.run_records
    return outcome


def test_it_falls_gets_up_and_walks_on(policies, tmp_path):
    """The steps in their order; records of damping have no step, and all others replay."""
    pushed = Pushed(1, rises=True)
    path = fall(tmp_path, policies, pushed)
    assert pushed.modes[-9:] == [
        'run: policy walk', pushed.modes[-8],
        *(f'damp: recovery 1 of 2: policy getup begins in {s} s' for s in (3, 2, 1)),
        'run: policy getup', 'run: policy walk', 'fade: duration reached',
        'inactive: duration reached',
    ]  # fmt: skip
    assert pushed.modes[-8].startswith('damp: recovery 1 of 2: fell: the base is tilted by')
    outcome = checked(path, policies)
    assert outcome.run_records == 600
    facts = json.loads((path / 'run.json').read_bytes())
    assert (facts['falls'], facts['counters']['faults']) == (1, 0)
    assert facts['reason'] == 'duration reached'
    steps = list(read_steps(path))
    damped = [step for step in steps if step['mode'] == 'damp']
    assert 250 <= len(damped) < 350, 'the last of its fall, 2 s and 3 s'
    assert all(step['target'] is None and step['output'] is None for step in damped)
    assert [step['step_id'] for step in steps] == list(range(len(steps)))


def test_one_that_cannot_get_up_is_given_up(policies, tmp_path):
    """The scripted get-up lifts nobody: its time-out is a fault."""
    pushed = Pushed(1, rises=False)
    path = fall(tmp_path, policies, pushed)
    assert pushed.modes[-1].startswith('fault: fell: ')
    assert 'policy getup has led on to no other one within 3 s (timeout_s)' in pushed.modes[-1]
    assert checked(path, policies).run_records > 75 + 150
    assert json.loads((path / 'run.json').read_bytes())['counters']['faults'] == 1


def test_a_third_fall_is_a_fault(policies, tmp_path):
    """And two recoveries in one run replay to the bit."""
    pushed = Pushed(3, rises=True)
    path = fall(tmp_path, policies, pushed)
    assert sum(mode == 'run: policy getup' for mode in pushed.modes) == 2
    assert 'it has recovered 2 times' in pushed.modes[-1]
    assert json.loads((path / 'run.json').read_bytes())['falls'] == 3
    checked(path, policies)


def test_without_leave_the_fall_is_a_fault(policies, tmp_path):
    """The same set, the same push."""
    pushed = Pushed(1, rises=True)
    path = fall(tmp_path, policies, pushed, allow_recovery=False)
    assert pushed.modes[-1].startswith('fault: fell: ')
    assert not any('recovery' in mode for mode in pushed.modes)
    checked(path, policies)


def via(step: int, simulation: Simulation) -> None:
    """Ask for the other policy, and back."""
    controller = simulation.controller
    tick = round(controller.run_ns / 20e6)
    if controller.mode is Mode.RUN and tick in (100, 200):
        assert controller.policies.request({100: 'again', 200: 'walk'}[tick], Mode.RUN) == ''


def test_a_way_via_a_pose_replays_to_the_bit(tmp_path):
    """The ticks on the way are no steps of a policy; the next one is the first of the entered."""
    policies = getup_set(tmp_path)
    path = record_run(tmp_path, 6.0, via, policies=str(policies), model='')
    outcome = checked(path, policies)
    steps = list(read_steps(path))
    running = [step for step in steps if step['mode'] == 'run']
    way = [step for step in running if step['output'] is None]
    assert len(way) == 15
    assert outcome.run_records == len(running) - 15
    assert {step['policy'] for step in way} == {'again'}
    knee = way[0]['joint_order'].index('left_knee')
    targets = [step['target'][knee] for step in way]
    line = np.linspace(targets[0], 0.75, 16)[:15]
    np.testing.assert_allclose(targets, line, atol=1e-6)
    assert [what for _, what in outcome.changes] == [
        'policy again has taken over', 'policy walk begins to take over'
    ]  # fmt: skip


def test_damping_on_a_way_has_no_target(tmp_path):
    """And the run replays after it, whatever the robot does."""
    policies = getup_set(tmp_path, '{duration_s: 0.2, damp_s: 0.1}')
    path = record_run(tmp_path, 6.0, via, policies=str(policies), model='')
    outcome = checked(path, policies)
    running = [step for step in read_steps(path) if step['mode'] == 'run']
    assert [step['target'] is None for step in running if step['output'] is None] == (
        [True] * 5 + [False] * 10
    )
    assert outcome.run_records == len(running) - 15
