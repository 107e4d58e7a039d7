"""Processes that die, hang, or are too slow, and clocks that jump; a graph each."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from fault_graph import SOON
from fault_graph import START
from fault_graph import graph
from fault_log import facts_of
from fault_log import steps_of
from fault_policies import endless_at
from fault_policies import slow
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from helpers.client import ACTIVATE
from helpers.policies.models import greedy_step
from helpers.policies.models import init_fn
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from kinfer_ros.policy.policy import load_model


@pytest.mark.alone
def test_the_policy_node_is_killed(tmp_path: Path) -> None:
    """The bridge damps by itself; the log has all but the last second, the run no end."""
    with graph(tmp_path) as made:
        made.start()
        assert made.client.spin_until(lambda: len(made.steps()) > 50, SOON)
        made.policy.send(signal.SIGKILL)
        killed = time.time_ns()
        assert made.client.spin_until(lambda: made.states[-1].data.startswith('damping'), SOON)
        assert made.states[-1].data == 'damping no command for 1 s'
        steps = steps_of(made.run)
        assert [step['step_id'] for step in steps] == list(range(len(steps)))
        assert steps[-1]['t_us'] > killed / 1000 - 1_000_000
        facts = facts_of(made.run)
        assert facts['ended'] is None


@pytest.mark.alone
def test_a_policy_that_takes_50_ms(tmp_path: Path) -> None:
    """At 50 Hz that is two ticks missed a tick: borne for a moment, then a fault that says so."""
    model = slow_for(tmp_path / 'slow.kinfer', 0.06)
    # 100 periods are 2 s: one inference never takes so long, or it would be abandoned.
    with graph(tmp_path, model=model, max_missed_ticks=100) as made:
        made.start('')
        fault = made.fault('ticks missed, at most 100 are borne')
        running = [step for step in fault.before if step['mode'] == 'run']
        assert 1 <= len(running) <= 101
        assert fault.header['guards']['missed']['faults'] == 1
        assert max(step['stage_us']['policy'] for step in running) > 20_000


def test_an_inference_that_does_not_end(tmp_path: Path) -> None:
    """From its 100th step on: the robot is damped, and the node lives and answers."""
    model = endless_at(tmp_path / 'endless.kinfer', 100)
    with graph(tmp_path, model=model, max_missed_ticks=20) as made:
        made.start()
        fault = made.fault("the policy's inference did not end and was abandoned after")
        running = [step for step in fault.before if step['mode'] == 'run']
        assert len(running) == 99
        assert fault.header['guards']['output']['faults'] == 1
        assert 390_000 < fault.step['stage_us']['policy'] < 2_000_000
        assert not made.states[-1].data.startswith('damping no command')
        assert made.client.trigger('policy_node/stop').success
        assert made.policy.running


def test_a_signal_while_a_model_is_tried(tmp_path: Path) -> None:
    """A model that does not end at its first step is given 20 s, but not after a signal."""
    model = endless_at(tmp_path / 'endless.kinfer', 1)
    given = {'robot': 'biped', 'model': model, 'runs_dir': tmp_path / 'runs', 'autostart': True}
    with node('policy_node', tmp_path, domain_environment(), given) as policy:
        children = Path(f'/proc/{policy.pid}/task/{policy.pid}/children')
        wait_until(lambda: bool(children.read_text()), START)
        child = int(children.read_text().split()[0])
        time.sleep(1.0)
        begin = time.monotonic()
        policy.send(signal.SIGTERM)
        policy.wait(4)
        assert time.monotonic() - begin < 2.0
        assert 'Traceback' not in policy.output
        assert not Path(f'/proc/{child}').exists()


@pytest.mark.parametrize(('kind', 'words'), [('endless', 'within 2 s'), ('greedy', '1000 MB')])
def test_a_model_that_takes_too_much_is_refused(tmp_path: Path, kind: str, words: str) -> None:
    """The node says so in one line, and ends as it does for any model that cannot be used."""
    model = tmp_path / f'{kind}.kinfer'
    if kind == 'endless':
        endless_at(model, 1)
    else:
        write_kinfer(model, init_fn([0]), greedy_step(8.0), metadata(2))
    given = {'robot': 'biped', 'model': model, 'runs_dir': tmp_path / 'runs', 'autostart': True}
    limits = {'load_timeout': 2.0, 'load_memory_mb': 1000}
    with node('policy_node', tmp_path, domain_environment(), given | limits) as policy:
        assert policy.wait(30) == 2
        assert words in policy.output
        assert policy.output.count('error: ') == 1
        assert 'Traceback' not in policy.output


def slow_for(path: Path, seconds: float) -> Path:
    """A policy whose step takes at least so long here, also when nothing else runs."""
    rounds, shortest = 100, 0.0
    while shortest < seconds:
        policy = load_model(slow(path, rounds))
        times = []
        for _ in range(4):
            begin = time.perf_counter()
            policy.step(observation(policy))
            times.append(time.perf_counter() - begin)
        shortest = min(times)
        rounds = max(rounds + 1, round(1.1 * rounds * min(seconds / shortest, 10.0)))
    return path


def observation(policy: Any) -> dict[str, Any]:
    """Zeros for every input of a policy."""
    return {each.name: [0.0] * each.shape[0] for each in policy.contract.inputs}


def test_a_clock_that_jumps(tmp_path: Path) -> None:
    """Two publishers of /clock: back, even with every message, or ahead, it is a fault."""
    with graph(tmp_path, bridge={'publish_clock': True}, use_sim_time=True) as made:
        second = made.relay.publisher(Clock, '/clock')
        made.start()
        # Ahead, what is found first is the ticks that were skipped, or the way back.
        back, ahead = ('the control clock went back',), ('ticks missed', 'the control clock went')
        for seconds, words in ((-2, back), (5, ahead)):
            # The bridge's clock is what the samples are stamped with.
            message = Clock()
            message.clock.sec = max(0, made.relay.joints.last // 1_000_000_000 + seconds)

            def jumped(message: Clock = message) -> bool:
                second.publish(message)
                return made.mode.startswith('fault')

            assert made.client.spin_until(jumped, SOON), made.policy.output[-2000:]
            fault = made.fault('')
            assert any(word in fault.reason for word in words)
            made.start()


def test_ctrl_c_while_an_activation_waits(tmp_path: Path) -> None:
    """The wait for a robot that never gets ready ends at once, and the run is closed."""
    with graph(tmp_path, sensor_timeout=60.0) as made:
        made.client.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=False))
        client = made.client.node.create_client(ChangeState, 'policy_node/change_state')
        assert made.client.spin_until(client.service_is_ready, START)
        future = client.call_async(ChangeState.Request(transition=Transition(id=ACTIVATE)))
        assert not made.client.spin_until(future.done, 0.5), 'it waits'
        made.policy.send(signal.SIGINT)
        assert made.policy.wait(4) == 0, made.policy.output
        assert 'the bridge is disabled' in made.policy.output
        facts = facts_of(made.run)
        assert facts['reason'] == 'stopped by a signal'


@pytest.mark.parametrize('first', ['policy', 'bridge', 'both'])
def test_ctrl_c_of_the_whole_graph_is_a_good_run(tmp_path: Path, first: str) -> None:
    """Whoever gets the signal first, and twice: the whole fade, no fault, and then disabled."""
    with graph(tmp_path, fade_time=0.5) as made:
        made.start()
        assert made.client.spin_until(lambda: len(made.steps()) > 50, SOON)
        order = [made.policy, made.robot] if first == 'policy' else [made.robot, made.policy]
        for process in order:
            process.send(signal.SIGINT)
            time.sleep(0.0 if first == 'both' else 0.03)
        for process in order:
            process.send(signal.SIGINT)
        assert made.policy.wait(20) == 0, made.policy.output
        assert made.robot.wait(20) == 0, made.robot.output
        facts = facts_of(made.run)
        assert (facts['reason'], facts['counters']['faults']) == ('stopped by a signal', 0)
        assert not list(made.run.glob('fault_*'))
        fade = [s for s in steps_of(made.run) if s['mode'] == 'fade' and s['target'] is not None]
        assert fade[-1]['t_us'] - fade[0]['t_us'] > 400_000
        disabled = lambda: made.states[-1].data.startswith('disabled')  # noqa: E731
        assert made.client.spin_until(disabled, SOON)
        assert not any(state.data.startswith('damping') for state in made.states)


def test_a_bridge_that_is_ended_alone_damps_at_once(tmp_path: Path) -> None:
    """It waits some ticks for a fade, which does not come; the policy node faults."""
    with graph(tmp_path) as made:
        made.start()
        made.robot.send(signal.SIGINT)
        begin = time.monotonic()
        fault = made.fault('the bridge is disabled the bridge has ended')
        assert time.monotonic() - begin < 2.0
        assert fault.header['guards']['shell']['faults'] == 1
