"""The robot's side of a policy set: gains that do not come, a sender that dies."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_graph import PATIENT
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from fault_log import steps_of
from fault_policies import HOME
from fault_policies import JOINTS
from fault_relay import HELD_GAINS
from fault_relay import REMAPS
from fault_relay import Relay
from fault_sets import biped_set
from fault_sets import sway
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from helpers.client import Client
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until

BEGINS = 'policy stand begins to take over'
TRIES = 3
COMMAND = [0.2, 0.0, 0.0]


def _none(message: Any) -> Any:
    return None


def _not_finite(message: Any) -> Any:
    message.position = [math.nan] * len(message.name)
    return message


def _without_version(message: Any) -> Any:
    message.header.frame_id += ' more words'
    return message


def _others(message: Any) -> Any:
    message.position = [0.5 * kp for kp in message.position]
    return message


@pytest.mark.parametrize('late', [True, False])
def test_in_lockstep_the_bridge_waits_for_gains(tmp_path: Path, late: bool) -> None:
    """Simulated time stands still meanwhile; the policy node waits 1 s for the echo."""
    environment = domain_environment()
    given = PATIENT | {
        'robot': 'biped', 'policies': biped_set(tmp_path), 'runs_dir': tmp_path / 'runs',
        'use_sim_time': True, 'lockstep': True, 'autostart': True, 'auto_run': True,
        'sensor_timeout': 60.0, 'default_command': COMMAND,
    }  # fmt: skip
    bridge, remaps = {'robot': 'biped', 'lockstep': True}, REMAPS | HELD_GAINS
    with (
        node('policy_node', tmp_path, environment, given) as policy,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
        Relay(int(environment['ROS_DOMAIN_ID']), reliable=True) as relay,
    ):
        service = client.node.create_client(SetParameters, 'policy_node/set_parameters')
        assert client.spin_until(service.service_is_ready, 60), policy.output
        with node('mujoco_bridge', tmp_path, environment, bridge, remaps=remaps) as robot:
            assert wait_until(lambda: 'mode run' in policy.output, 60), policy.output
            relay.gains.hold()
            parameter = Parameter('policy', value='stand').to_parameter_msg()
            future = service.call_async(SetParameters.Request(parameters=[parameter]))
            assert client.spin_until(future.done, 20)
            assert future.result().results[0].successful, future.result()
            if late:
                assert not client.spin_until(lambda: not policy.running, 0.6)
                relay.gains.release()
                latest = tmp_path / 'runs' / 'latest'
                assert wait_until(lambda: len(steps_of(latest)) >= 100, 20), policy.output
            else:
                policy.wait_for('mode fault', 20)
            policy.send(signal.SIGINT)
            policy.wait(60)
            robot.send(signal.SIGINT)
            robot.wait(30)
    steps = steps_of(tmp_path / 'runs' / 'latest')
    running = [step for step in steps if step['mode'] == 'run']
    assert set(np.diff([step['stamp_ns'] for step in running])) == {20_000_000}
    at = next(i for i, step in enumerate(running) if BEGINS in step['events'])
    if late:
        assert len(running) > at + 2, policy.output
        assert running[at + 1]['t_us'] - running[at]['t_us'] > 0.5e6
    else:
        assert len(running) <= at + 2, 'nothing was computed after the command that waits'
        assert steps[-1]['mode'] in ('fault', 'inactive', 'fade', 'damp')
        assert all(step['target'] is None for step in steps[at + 1 :] if step['mode'] != 'run')
        assert 'gains' in policy.output + robot.output


def _missing(folder: Path, name: str) -> str:
    (folder / name).unlink()
    return name


def _broken_motion(folder: Path) -> str:
    frames = np.tile(HOME, (20, 1)).astype(np.float64)
    frames[7, JOINTS - 1] = np.nan
    sway(folder, frames)
    return 'joint positions: frame 7 is not finite'


@pytest.mark.parametrize(
    'harm',
    [
        lambda folder: _missing(folder, 'low.kinfer'),
        lambda folder: _missing(folder, 'sway.yaml'),
        lambda folder: _missing(folder, 'sway.csv'),
        _broken_motion,
    ],
    ids=['model', 'spec', 'motion', 'nan'],
)
def test_a_set_that_is_not_whole_is_refused_at_configure(tmp_path: Path, harm: Any) -> None:
    """Before the robot moves: with the path, for a policy that may never be asked for."""
    path = biped_set(tmp_path)
    words = harm(tmp_path)
    given = {'robot': 'biped', 'policies': path, 'runs_dir': tmp_path, 'autostart': True}
    with node('policy_node', tmp_path, domain_environment(), given) as policy:
        assert policy.wait(60) != 0
        assert words in policy.output
        assert str(tmp_path) in policy.output
        assert 'Traceback' not in policy.output


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp('gains')
    path, remaps = biped_set(folder), REMAPS | HELD_GAINS
    with graph(folder, remaps=remaps, policies=path, default_command=COMMAND) as made:
        yield made


def _bridge_is_first(running: Graph, change: Any) -> bool:
    """
    Switch while gains do not arrive; :return: whether the bridge noticed it first.

    It damps 0.1 s after the command. The policy node looks at the gains in force as well, 0.2 s
    after it asked for them: first where this machine did not run the bridge meanwhile.
    """
    running.start()
    running.relay.gains.change = change
    assert running.set(policy='stand') == ''
    running.until('fault')
    if 'gains of version 1 are not in force' in running.mode:
        return True
    assert 'the gains in force are' in running.mode
    return False


@pytest.mark.parametrize('change', [_none, _not_finite, _without_version])
def test_gains_that_the_bridge_does_not_take(running: Graph, change: Any) -> None:
    """It holds the last target for 0.1 s at most, then damps; the policy node's fault follows."""
    assert any(_bridge_is_first(running, change) for _ in range(TRIES)), running.mode
    lost = 'damping gains of version 1 are not in force 0.1 s after their command'
    damped = running.client.spin_until(lambda: running.states[-1].data == lost, SOON)
    assert damped, (running.states[-1].data, running.mode)
    fault = running.fault('gains of version 1 are not in force')
    begun = running.step_with(BEGINS)
    waited = fault.step['t_us'] - begun['t_us']
    # 0.1 s, and the time until the policy node hears of it.
    assert 0.08e6 < waited < 0.5e6
    assert not any(each.damping for each in running.relay.commands if each.mode == 'run')
    assert running.relay.commands[-1].damping
    # What it was told last holds: the session is not obeyed again when the gains come.
    running.relay.gains.release()
    assert not running.client.spin_until(lambda: 'enabled' in running.states[-1].data, 0.5)
    assert running.mode.startswith('fault')


def test_gains_that_the_bridge_changes(running: Graph) -> None:
    """An echo of other gains than those asked for is the fault `shell`."""
    running.start()
    running.relay.gains.change = _others
    assert running.set(policy='stand') == ''
    fault = running.fault('the gains in force are not those asked for')
    assert fault.step['policy'] == 'stand'
    running.relay.gains.release()


def test_a_process_that_is_killed_in_a_blend(running: Graph) -> None:
    """The robot does not stay with the last blend: its bridge damps after command_timeout."""
    running.start()
    assert running.set(policy='stand') == ''
    running.step_with('policy stand has taken over')
    assert running.set(policy='walk') == ''
    running.policy.send(signal.SIGKILL)
    running.policy.wait(10)
    lost = 'damping no command for 1 s'
    assert running.client.spin_until(lambda: running.states[-1].data.startswith(lost), SOON), (
        running.states[-1].data
    )
    assert not running.relay.commands[-1].damping
