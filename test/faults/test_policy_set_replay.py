"""Runs of a policy set replay to the bit, from the log and from the bag, whatever was asked."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_graph import PATIENT
from fault_sets import biped_set
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from kinfer_ros.__main__ import main
from kinfer_ros.run.writer import read_steps

SECONDS = 30.0
SOON = 30.0


class SetRun:
    """A run of the set, recorded; its operator is the test."""

    def __init__(self, folder: Path, policy: Process, client: Client) -> None:
        self.folder = folder
        self.policy = policy
        self.client = client
        self.set = client.node.create_client(SetParameters, 'policy_node/set_parameters')
        self.motions = {
            word: client.node.create_client(Trigger, f'policy_node/motion/{word}')
            for word in ('start', 'pause', 'restart')
        }

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.folder / 'latest'

    def wait_for_services(self) -> None:
        """A run in lockstep may be over before a service is found."""
        for each in (self.set, *self.motions.values()):
            assert self.client.spin_until(each.service_is_ready, SOON), self.policy.output

    def _answer(self, service: Any, request: Any) -> Any:
        future = service.call_async(request)
        assert self.client.spin_until(future.done, SOON), self.policy.output
        return future.result()

    def ask(self, name: str) -> str:
        """Ask for a policy; :return: why it is refused, or ''."""
        parameter = Parameter('policy', value=name).to_parameter_msg()
        answer = self._answer(self.set, SetParameters.Request(parameters=[parameter]))
        return str(answer.results[0].reason)

    def motion(self, word: str) -> None:
        """Ask for something of the motion."""
        answer = self._answer(self.motions[word], Trigger.Request())
        assert answer.success, answer.message

    def until(self, event: str, count: int = 1) -> None:
        """Wait until an event was said so often."""

        def said() -> bool:
            return sum(event in step['events'] for step in self.steps()) >= count

        assert wait_until(said, SOON), f'no event {event}: {self.policy.output[-2000:]}'

    def steps(self) -> list[dict[str, Any]]:
        """The records so far."""
        return list(read_steps(self.path))

    def events(self) -> list[str]:
        """All that was said."""
        return [event for step in self.steps() for event in step['events']]


def operate(run: SetRun) -> None:
    """Ask for a policy by every kind of transition, and hold a motion for a while."""
    assert run.ask('stand') == ''
    run.until('policy stand has taken over')
    assert run.ask('sway') == ''
    run.until('policy sway has taken over')
    run.motion('pause')
    run.until('motion pause')
    run.motion('restart')
    run.until('policy low has taken over')
    assert run.ask('walk') == ''
    run.until('policy walk has taken over')
    assert run.ask('nan') == ''
    run.until('policy walk has taken over', 1)
    assert run.ask('low') == ''
    run.until('policy low has taken over', 2)


def recorded(folder: Path, *, lockstep: bool) -> SetRun:
    """Record a run."""
    folder.mkdir()
    environment = domain_environment()
    given = PATIENT | {
        'robot': 'biped', 'policies': biped_set(folder), 'runs_dir': folder,
        'use_sim_time': lockstep, 'lockstep': lockstep, 'autostart': True, 'auto_run': True,
        'duration': SECONDS if lockstep else 0.0, 'sensor_timeout': 60.0,
        'wait_for_recorder': True, 'default_command': [0.2, 0.0, 0.0],
    }  # fmt: skip
    bridge = {'robot': 'biped', 'lockstep': lockstep}
    with (
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, given) as policy,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        run = SetRun(folder, policy, client)
        run.wait_for_services()
        with node('mujoco_bridge', folder, environment, bridge) as robot:
            assert wait_until(lambda: 'mode run' in policy.output, 60), policy.output
            operate(run)
            if not lockstep:
                policy.send(signal.SIGINT)
            assert policy.wait(90) == 0, policy.output
            for process in (robot, recorder):
                process.send(signal.SIGINT)
                assert process.wait(40) == 0, process.output
    return run


@pytest.fixture(scope='module', params=[True, False], ids=['lockstep', 'real-time'])
def run(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[SetRun]:
    folder = tmp_path_factory.mktemp('sets') / 'run'
    yield recorded(folder, lockstep=request.param)


def test_every_kind_of_transition_replays_from_the_log(run: SetRun, capsys: Any) -> None:
    """Direct, chained, blended, by itself, rolled back; and a motion that was paused."""
    assert main(['replay', str(run.path), '--json']) == 0, capsys.readouterr()
    found = json.loads(capsys.readouterr().out)
    assert found['verdict'] == 'identical'
    running = [step for step in run.steps() if step['mode'] == 'run']
    assert {step['policy'] for step in running} == {'walk', 'stand', 'sway', 'low'}
    assert found['tensors']['target']['compared'] == len(running)
    assert any('swap rolled back: the policy gave a non-finite' in each for each in run.events())


def test_the_same_from_the_bag(run: SetRun, capsys: Any) -> None:
    """Requests are recorded with the stamp of the command that obeyed them first."""
    code = main(['replay', str(run.path), '--bag', '--json'])
    found = json.loads(capsys.readouterr().out)
    facts = json.loads((run.path / 'run.json').read_text())
    if facts['parameters']['lockstep']:
        assert code == 0, found
        assert found['target']['differing'] == found['other_mode'] == 0
        assert found['target']['compared'] == round(SECONDS * 50)
    else:
        # A bag of real time has no time of a tick: a blend, and a sample, may be another.
        assert found['target']['compared'] > 0.9 * len(run.steps()) - 500
