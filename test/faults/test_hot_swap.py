"""Another model for a robot that walks, good and bad ones, over ~/load_model."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from fault_log import facts_of
from fault_policies import CONTRACT
from fault_policies import JOINTS
from fault_policies import broken_at
from fault_policies import standing

from helpers.client import CLEANUP
from helpers.policies import flat_models
from helpers.walking import MODEL

PERIOD_US = 20_000


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(tmp_path_factory.mktemp('swap'), blend_time=0.4) as made:
        made.start()
        yield made


@pytest.fixture
def walking(running: Graph) -> Graph:
    assert running.mode == 'run', running.policy.output
    running.begin_case()
    return running


def swap(made: Graph, model: Path) -> str:
    """Set the model and load it; :return: why it was refused, or ''."""
    assert made.set(model=str(model)) == ''
    answer = made.client.trigger('policy_node/load_model')
    return '' if answer.success else str(answer.message)


def swap_within_its_ticks(made: Graph, model: Path) -> bool:
    """Swap; :return: whether no tick was missed from before it until after it."""
    made.begin_case()
    assert swap(made, model) == ''
    made.step_with('swap: model')
    assert made.client.spin_until(lambda: 'has taken over' in str(made.events()), SOON)
    times = [step['t_us'] for step in made.steps()]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    return max(gaps) < 1.8 * PERIOD_US


def test_the_same_model_takes_over_while_walking(walking: Graph, tmp_path: Path) -> None:
    """A swap that cost a tick would cost it each time; a busy machine costs one now and then."""
    copy = Path(shutil.copy(MODEL, tmp_path / 'again.kinfer'))
    assert any(swap_within_its_ticks(walking, copy) for _ in range(5))
    events = walking.events()
    sha = CONTRACT.sha256[:12]
    assert f'swap: model {sha} begins to take over' in events
    assert walking.mode == 'run'
    assert str(copy) in walking.policy.output


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (
            lambda path: standing(path, joint_names=[f'j{i}' for i in range(12)]),
            ['lacks the joints', "'j0'"],
        ),
        (
            lambda path: standing(path, joint_kp=[1e5] * 12),
            ['kp of left_hip_yaw: the policy was trained with 100000', 'allows 0 to'],
        ),
        (
            lambda path: standing(path, joint_biases=[0.1] * 12),
            ['cannot take over', 'start pose of'],
        ),
        (
            lambda path: standing(path, command_names=['yvel', 'xvel', 'yawrate']),
            ['cannot take over', 'commands: found'],
        ),
        (lambda path: path, ['broken.kinfer: no such file']),
        (lambda path: (path.write_bytes(b'nonsense'), path)[1], ['broken.kinfer']),
    ],
    ids=['joints', 'gains', 'start-pose', 'commands', 'missing', 'nonsense'],
)
def test_a_model_that_does_not_fit_is_refused(
    walking: Graph, tmp_path: Path, make: Callable[[Path], Path], words: list[str]
) -> None:
    """With the reason, and the robot walks on with what it has."""
    refusal = swap(walking, make(tmp_path / 'broken.kinfer'))
    for word in words:
        assert word in refusal
    assert not any('swap' in event for event in walking.events())
    assert walking.mode == 'run'


def test_a_model_that_breaks_in_the_blend_is_rolled_back(walking: Graph, tmp_path: Path) -> None:
    """NaN in its tenth step, half way through: the old one goes on in the very same tick."""
    bad = broken_at(tmp_path / 'nan.kinfer', 10, math.nan)
    refusal = swap(walking, bad)
    assert 'rolled back: the policy gave a non-finite target' in refusal
    step = walking.step_with('swap rolled back: the policy gave a non-finite target')
    assert step['output'] is not None
    assert step['target'] is not None
    begun = walking.step_with('swap: model')
    assert step['step_id'] - begun['step_id'] == 9
    assert walking.mode == 'run'


def flat_policy(folder: Path, seed: int) -> tuple[Path, Path]:
    """A network of one flat input that leans about the start pose; :return: it, and its spec."""
    meta = CONTRACT.metadata
    terms = [
        {'source': 'gyroscope'},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'command'},
        {'source': 'joint_positions', 'relative': True},
        {'source': 'joint_velocities', 'scale': 0.05},
        {'source': 'last_action', 'which': 'raw'},
    ]
    content = flat_models.spec(
        terms,
        joints=list(CONTRACT.joint_names),
        default_pose=list(CONTRACT.joint_biases),
        commands=dict.fromkeys(CONTRACT.command_names),
        gains={
            'kp': meta['joint_kp'],
            'kd': meta['joint_kd'],
            'torque_limit': meta['joint_torque_limits'],
        },
        action={'relative_to': 'default_pose', 'scale': 0.05},
    )
    model, _ = flat_models.linear(9 + 3 * JOINTS, JOINTS, seed)
    path = folder / f'flat_{seed}.onnx'
    path.write_bytes(model)
    return path, flat_models.write_spec(folder / f'flat_{seed}.yaml', content)


def test_what_was_swapped_stands_in_run_json(walking: Graph) -> None:
    """Only what took over, not what was refused."""
    run = walking.run
    walking.rest()
    assert walking.client.transition('policy_node', CLEANUP)
    facts = facts_of(run)
    begun = {Path(swap['model']).name for swap in facts['swaps']}
    assert begun == {'again.kinfer', 'nan.kinfer'}, 'a replay has to know those rolled back, too'
    swaps = [swap for swap in facts['swaps'] if swap['taken_over']]
    assert 1 <= len(swaps) <= 5
    assert {swap['model_sha256'] for swap in swaps} == {CONTRACT.sha256}
    assert {Path(swap['model']).name for swap in swaps} == {'again.kinfer'}
    assert facts['counters']['faults'] == 0
    assert facts['counters']['log']['dropped'] == 0


def test_a_killed_run_with_a_swap_replays(running: Graph, tmp_path: Path) -> None:
    """Both have a spec; run.json names what took over while the run still goes on."""
    (first, first_spec), (second, second_spec) = (flat_policy(tmp_path, s) for s in (1, 2))
    assert running.set(model=str(first), spec=str(first_spec)) == ''
    running.configure()
    running.start()
    assert running.set(model=str(second), spec=str(second_spec)) == ''
    answer = running.client.trigger('policy_node/load_model')
    assert answer.success, answer.message
    after = running.step_with('swap: model')['step_id'] + 50
    assert running.client.spin_until(lambda: running.steps()[-1]['step_id'] > after, SOON)
    killed = Path(shutil.copytree(running.run, tmp_path / 'killed'))
    facts = facts_of(killed)
    assert facts['ended'] is None
    assert [swap['spec'] for swap in facts['swaps']] == [str(second_spec)]
    done = subprocess.run(
        [sys.executable, '-m', 'kinfer_ros', 'replay', str(killed), '--json'],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found['verdict'] == 'identical'
    assert any('begins to take over' in what for _, what in found['changes'])
    assert found['tensors']['target']['compared'] == found['replayed'] > 20
