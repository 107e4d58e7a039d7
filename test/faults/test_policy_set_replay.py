"""Runs of a policy set replay to the bit, from the log and from the bag, whatever was asked."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
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

SOON = 30.0


class SetRun:
    """A run of the set, recorded; its operator is the test."""

    def __init__(self, folder: Path, policy: Process, client: Client, *, lockstep: bool) -> None:
        self.folder = folder
        self.lockstep = lockstep
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
        """Wait until an event that begins so was said so often."""

        def said() -> bool:
            return sum(each.startswith(event) for each in self.events()) >= count

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
    run.until('swap rolled back')
    assert run.ask('low') == ''
    run.until('policy low has taken over', 2)


def recorded(
    folder: Path, work: Callable[[SetRun], None], *, lockstep: bool, ending: str = 'softly'
) -> SetRun:
    """
    Record a run.

    :param ending: `softly`, or `killed`: policy node and recorder at once.
    """
    folder.mkdir()
    environment = domain_environment()
    given = PATIENT | {
        'robot': 'biped', 'policies': biped_set(folder), 'runs_dir': folder,
        'use_sim_time': lockstep, 'lockstep': lockstep, 'autostart': True, 'auto_run': True,
        'sensor_timeout': 60.0, 'wait_for_recorder': True, 'default_command': [0.2, 0.0, 0.0],
    }  # fmt: skip
    bridge = {'robot': 'biped', 'lockstep': lockstep}
    with (
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, given) as policy,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        run = SetRun(folder, policy, client, lockstep=lockstep)
        run.wait_for_services()
        with node('mujoco_bridge', folder, environment, bridge) as robot:
            assert wait_until(lambda: 'mode run' in policy.output, 60), policy.output
            work(run)
            if ending == 'killed':
                for process in (policy, recorder):
                    process.send(signal.SIGKILL)
                    process.wait(10)
                return run
            # Without a duration: how far a run in lockstep gets meanwhile is the machine's affair.
            policy.send(signal.SIGINT)
            assert policy.wait(90) == 0, policy.output
            for process in (robot, recorder):
                process.send(signal.SIGINT)
                assert process.wait(40) == 0, process.output
    return run


def replayed(run: SetRun, capsys: Any, *options: str) -> dict[str, Any]:
    """Replay it; :return: what the command says."""
    code = main(['replay', str(run.path), '--json', *options])
    out = capsys.readouterr()
    assert code in (0, 1), out.err
    return json.loads(out.out) | {'code': code}


@pytest.fixture(scope='module', params=[True, False], ids=['lockstep', 'real-time'])
def run(request: pytest.FixtureRequest, tmp_path_factory: Any) -> SetRun:
    folder = tmp_path_factory.mktemp('sets') / 'run'
    return recorded(folder, operate, lockstep=request.param)


def test_every_kind_of_transition_replays_from_the_log(run: SetRun, capsys: Any) -> None:
    """Direct, chained, blended, by itself, rolled back; and a motion that was paused."""
    found = replayed(run, capsys)
    assert found['verdict'] == 'identical'
    running = [step for step in run.steps() if step['mode'] == 'run']
    assert {step['policy'] for step in running} == {'walk', 'stand', 'sway', 'low'}
    assert found['tensors']['target']['compared'] == len(running)
    assert any('swap rolled back: the policy gave a non-finite' in each for each in run.events())


def test_the_same_from_the_bag(run: SetRun, capsys: Any) -> None:
    """Requests are recorded with the stamp of the command that obeyed them first."""
    found = replayed(run, capsys, '--bag')
    if run.lockstep:
        assert found['code'] == 0, found
        assert found['target']['differing'] == found['other_mode'] == 0
        running = [step for step in run.steps() if step['mode'] == 'run']
        assert found['target']['compared'] == len(running)
    else:
        # A bag of real time lacks the time of a tick: the share of a blend may be another.
        assert found['other_mode'] == 0
        assert found['target']['differing'] < 0.5 * found['target']['compared']


@pytest.mark.parametrize('words', [
    ['plot', 'target'], ['report'], ['export', '--to', 'csv'], ['export', '--to', 'mcap'],
], ids=lambda words: '-'.join(words))  # fmt: skip
def test_a_run_of_a_set_can_be_looked_at(
    run: SetRun, tmp_path: Path, words: list[str], capsys: Any
) -> None:
    """Records of several layouts are one log to a plot, a page and a table."""
    out = tmp_path / 'out.png'
    name, *options = words
    assert main([name, str(run.path), *options, '--out', str(out)]) == 0
    assert out.stat().st_size > 1000
    assert 'left out' not in capsys.readouterr().err


def wait_for_more_of_the_bag(run: SetRun) -> None:
    """Wait until the recorder has written to disk."""

    def size() -> int:
        return sum(file.stat().st_size for file in (run.path / 'bag').iterdir())

    before = size()
    assert wait_until(lambda: size() > before, SOON)


def end_in_a_blend(run: SetRun) -> None:
    """Walk on from a stand, and leave it there; some of it is in the bag."""
    for _ in range(2):  # the first that it writes may be older than mode run
        wait_for_more_of_the_bag(run)
    assert run.ask('stand') == ''
    run.until('policy stand has taken over')
    assert run.ask('walk') == ''
    run.until('policy walk begins to take over')
    time.sleep(0.1)


def test_a_killed_run_repairs_and_replays(tmp_path: Path, capsys: Any) -> None:
    """What is left of log and bag, of a run that ended within a blend."""
    run = recorded(tmp_path / 'run', end_in_a_blend, lockstep=False, ending='killed')
    for file in run.path.resolve().rglob('*'):
        os.utime(file, (time.time() - 60, time.time() - 60))  # no recorder is at work
    assert main(['repair', str(run.path)]) == 0, capsys.readouterr()
    assert 'killed' in json.loads((run.path / 'run.json').read_text())['reason']
    capsys.readouterr()
    found = replayed(run, capsys)
    assert found['verdict'] == 'identical'
    running = [step for step in run.steps() if step['mode'] == 'run']
    assert running[-1]['policy'] == 'walk'
    assert replayed(run, capsys, '--bag')['target']['compared'] > 0


NAMES = ('stand', 'walk', 'low', 'sway', 'danse', 'nan')
REQUESTS = 300
TRIES = 3
OUTSTANDING = 4
"""Requests of each client that wait for their answer."""


def storm(run: SetRun) -> None:
    """Two clients ask for policies as fast as they can, some of which there are not."""
    domain = run.client.node.context.get_domain_id()
    with Client(domain) as other:
        service = other.node.create_client(SetParameters, 'policy_node/set_parameters')
        assert other.spin_until(service.service_is_ready, SOON)
        sides = ((run.client, run.set, 0), (other, service, 1))
        futures: list[tuple[str, Any]] = []
        for number in range(REQUESTS):
            for _, asked, shift in sides:
                name = NAMES[(number + shift) % len(NAMES)]
                parameter = Parameter('policy', value=name).to_parameter_msg()
                request = SetParameters.Request(parameters=[parameter])
                futures.append((name, asked.call_async(request)))
            # A service keeps ten requests: of more, DDS drops some.
            old = [future for _, future in futures[-2 * OUTSTANDING : -2 * OUTSTANDING + 2]]
            for at, future in enumerate(old):
                assert sides[at][0].spin_until(future.done, SOON)
        for at, (_, future) in enumerate(futures[-2 * OUTSTANDING :]):
            assert sides[at % 2][0].spin_until(future.done, SOON)
    answers = [(name, future.result().results[0]) for name, future in futures]
    assert all(answer.successful != bool(answer.reason) for _, answer in answers)
    assert not any(answer.successful for name, answer in answers if name == 'danse')
    refused = {answer.reason for _, answer in answers}
    assert sum(answer.successful for _, answer in answers) > REQUESTS // 4, refused


def storms(run: SetRun) -> None:
    """One that fills all buffers, and two that must not make the process grow."""
    storm(run)
    before = resident_mb(run.policy.pid)
    storm(run)
    storm(run)
    assert resident_mb(run.policy.pid) < before + 8.0


def resident_mb(pid: int) -> float:
    """Memory of a process."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmRSS')) / 1024


def gains_were_late(folder: Path) -> bool:
    """Whether the bridge was not run for 0.1 s, on a busy machine: a fault, as it should be."""
    steps = folder / 'latest' / 'steps.ndjson'
    return steps.exists() and b'the gains in force are of version' in steps.read_bytes()


@pytest.mark.long
@pytest.mark.parametrize('lockstep', [True, False], ids=['lockstep', 'real-time'])
def test_a_storm_of_requests(tmp_path: Path, capsys: Any, lockstep: bool) -> None:
    """Each is granted or refused in words; no fault, and the run replays to the bit."""
    for number in range(TRIES):
        folder = tmp_path / f'run{number}'
        try:
            run = recorded(folder, storm if lockstep else storms, lockstep=lockstep)
            break
        except AssertionError:
            if lockstep or number == TRIES - 1 or not gains_were_late(folder):
                raise
    facts = json.loads((run.path / 'run.json').read_text())
    assert facts['counters']['faults'] == 0
    assert facts['counters']['log']['dropped'] == 0
    events = run.events()
    # Which ones is chance: a request replaces the one before it.
    policies = ('stand', 'walk', 'low', 'sway')
    assert sum(f'policy {name} has taken over' in events for name in policies) >= 2
    ids = [step['step_id'] for step in run.steps()]
    assert ids == list(range(len(ids)))
    assert replayed(run, capsys)['verdict'] == 'identical'
    if lockstep:
        found = replayed(run, capsys, '--bag')
        assert found['target']['differing'] == found['other_mode'] == 0, found
