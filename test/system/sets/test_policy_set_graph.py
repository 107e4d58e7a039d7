"""A policy set in the graph: switched by `ros2 param`'s service, to the bit as without ROS."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.g1_set import AFTER_S
from helpers.policies.g1_set import TICK_S
from helpers.policies.g1_set import g1_set
from helpers.policies.motions import dance_robot
from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import left_with_a_crash
from helpers.processes import node
from helpers.processes import wait_until
from helpers.recorded import record_run
from kinfer_ros.control.modes import Mode
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

START = 60.0
SHIPPED = REPOSITORY / 'robots' / 'biped' / 'set.yaml'
ASKED, TAKEN = 'policy {} is asked for', 'policy {} has taken over'


class Graph:
    """A robot with its set in lockstep: the shipped biped, or a G1."""

    def __init__(
        self, folder: Path, policies: Path = SHIPPED, robot: Path | str = 'biped'
    ) -> None:
        self.folder = folder
        self.policies = policies
        self.robot = robot
        self.environment = domain_environment()

    @classmethod
    def of_g1(cls, folder: Path) -> Graph:
        """Make the G1, where its policies are at hand."""
        found = g1_set(folder)
        if found is None:
            pytest.skip('the shared policies are not here')
        return cls(folder, found, dance_robot(folder))

    def policy(self, **more: object) -> Process:
        """Start the policy node."""
        given: dict[str, object] = {
            'robot': self.robot, 'policies': self.policies, 'runs_dir': self.folder / 'runs',
            'use_sim_time': True, 'lockstep': True, 'autostart': True, 'auto_run': True,
            'sensor_timeout': 30.0, 'default_command': [0.5, 0.0, 0.0],
        }  # fmt: skip
        return node('policy_node', self.folder, self.environment, given | more)

    def bridge(self) -> Process:
        """Start its robot."""
        given: dict[str, object] = {'robot': self.robot, 'lockstep': True}
        return node('mujoco_bridge', self.folder, self.environment, given)

    def ask(self, *words: str) -> tuple[int, str]:
        """Run `kinfer_ros node WORDS`; :return: exit code, and what it said."""
        done = subprocess.run(
            [sys.executable, '-m', 'kinfer_ros', 'node', *words],
            cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if left_with_a_crash(done):
            return int('error:' in done.stderr), said
        return done.returncode, said

    def walk_until(self, policy: Process, event: str, ticks: int = 0) -> list[dict]:
        """
        Walk on until this is said, and some ticks more; end the run.

        A run in lockstep is as fast as the machine: a duration may be over before it is asked
        for something.
        """

        def walked() -> bool:
            steps = self.steps()
            said = ticks_of(steps, event)
            return bool(said) and ticks_of(steps, '')[-1] >= said[0] + ticks

        assert wait_until(walked, 180.0, every=0.5), policy.output
        policy.send(signal.SIGINT)
        assert policy.wait(60) == 0, policy.output
        return self.steps()

    def steps(self) -> list[dict]:
        """The records of the run."""
        return list(read_steps(self.folder / 'runs' / 'latest'))


def ticks_of(steps: list[dict], event: str) -> list[int]:
    """Ticks of mode run, from 0, that have an event; all for ''."""
    running = [step for step in steps if step['mode'] == 'run']
    return [tick for tick, step in enumerate(running) if not event or event in step['events']]


def test_the_shipped_set_equals_the_loop_without_ros(tmp_path: Path) -> None:
    """Stand, walk, and by way of the stand into the crouch, as the quick start asks for them."""
    graph = Graph(tmp_path)
    with graph.policy(default_command=[0.3, 0.0, 0.0]) as policy, graph.bridge():
        # Refused until the robot is in mode run.
        assert wait_until(lambda: graph.ask('set', 'policy', 'walk')[0] == 0, START)
        assert graph.ask('set', 'policy', 'crouch')[0] == 0, policy.output
        steps = graph.walk_until(policy, TAKEN.format('crouch'))
    asked = {name: ticks_of(steps, ASKED.format(name)) for name in ('walk', 'crouch')}
    assert [len(ticks) for ticks in asked.values()] == [1, 1]
    taken = {name: ticks_of(steps, TAKEN.format(name)) for name in ('walk', 'stand', 'crouch')}
    assert taken['walk'] == asked['walk']
    assert taken['stand'] == asked['crouch']
    assert len(taken['crouch']) == 1
    assert not any('fault' in event for step in steps for event in step['events'])

    def ask(step: int, simulation: Simulation) -> None:
        controller = simulation.controller
        for name, ticks in asked.items():
            before = round(controller.run_ns / 20e6) == ticks[0] - 1
            if controller.mode is Mode.RUN and before:
                assert controller.policies.request(name, controller.mode) == ''

    seconds = TICK_S * len(ticks_of(steps, ''))
    alone = record_run(
        tmp_path / 'alone', seconds, ask, robot='biped', model='', policies=str(SHIPPED),
        default_command=[0.3, 0.0, 0.0],
    )  # fmt: skip
    expected = [s['target'] for s in read_steps(alone) if s['mode'] == 'run']
    found = [s['target'] for s in steps if s['mode'] == 'run']
    assert len(found) == len(expected)
    assert np.array(found).tobytes() == np.array(expected).tobytes()


@pytest.mark.long
def test_walk_dance_and_walk_equal_the_loop_without_ros(tmp_path: Path) -> None:
    """Gains and targets change in the same tick, whatever the order of the topics."""
    graph = Graph.of_g1(tmp_path)
    with graph.policy() as policy, graph.bridge():
        # Refused until the robot is in mode run.
        assert wait_until(lambda: graph.ask('set', 'policy', 'dance')[0] == 0, START)
        steps = graph.walk_until(policy, TAKEN.format('walk'), round(AFTER_S / TICK_S))
    asked = ticks_of(steps, ASKED.format('dance'))
    assert len(asked) == 1
    assert ticks_of(steps, TAKEN.format('dance')) == asked
    walked_on = ticks_of(steps, TAKEN.format('walk'))
    assert walked_on == [asked[0] + 1201]

    def ask(step: int, simulation: Simulation) -> None:
        controller = simulation.controller
        if controller.mode is Mode.RUN and round(controller.run_ns / 20e6) == asked[0] - 1:
            assert controller.policies.request('dance', controller.mode) == ''

    seconds = TICK_S * len(ticks_of(steps, ''))
    alone = record_run(
        tmp_path / 'alone', seconds, ask, robot=str(graph.robot), model='',
        policies=str(graph.policies), default_command=[0.5, 0.0, 0.0],
    )  # fmt: skip
    expected = [s['target'] for s in read_steps(alone) if s['mode'] == 'run']
    found = [s['target'] for s in steps if s['mode'] == 'run']
    assert len(found) == len(expected)
    assert np.array(found).tobytes() == np.array(expected).tobytes()


@pytest.mark.long
def test_what_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    """Outside run, an unknown name; the parameter reads the running policy; a stop holds."""
    graph = Graph.of_g1(tmp_path)
    with graph.policy(auto_run=False) as policy, graph.bridge():
        assert wait_until(lambda: 'hold' in graph.ask('mode')[1], START), policy.output
        code, said = graph.ask('set', 'policy', 'dance')
        assert (code, 'is refused in mode hold: it needs mode run' in said) == (1, True), said
        assert wait_until(lambda: graph.ask('start')[0] == 0, START), policy.output
        assert wait_until(lambda: 'run: policy walk' in graph.ask('mode')[1], START)
        code, said = graph.ask('set', 'policy', 'danse')
        assert (code, "did you mean 'dance'" in said) == (1, True), said
        assert wait_until(lambda: 'walk' in graph.ask('get', 'policy')[1], START)
        assert graph.ask('set', 'policy', 'dance')[0] == 0
        assert wait_until(lambda: 'dance' in graph.ask('get', 'policy')[1], START)
        assert graph.ask('stop')[0] == 0
        # A damped humanoid falls, which is a fault; either way it is not run.
        assert wait_until(lambda: 'run' not in graph.ask('mode')[1].split()[0:2], START)
        code, said = graph.ask('set', 'policy', 'walk')
        assert (code, 'it needs mode run' in said) == (1, True), said


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({'policy': 'dance'}, 'parameter policy: found dance at the start'),
        ({'model': 'walk.onnx'}, 'expected none beside policies'),
    ],
)
def test_a_start_that_is_not_meant_is_refused(tmp_path: Path, change, expected) -> None:
    """A dumped parameter must not start a dance."""
    graph = Graph.of_g1(tmp_path)
    with graph.policy(**change) as policy:
        assert policy.wait(60) != 0
        assert expected in policy.output
        assert 'Traceback' not in policy.output


def test_a_set_with_a_missing_file_is_refused(tmp_path: Path) -> None:
    """Before the robot moves, and by name."""
    graph = Graph.of_g1(tmp_path)
    text = graph.policies.read_text().replace('g1_dance_102.spec.yaml', 'gone.yaml')
    graph.policies.write_text(text)
    with graph.policy() as policy:
        assert policy.wait(60) != 0
        assert 'gone.yaml' in policy.output
