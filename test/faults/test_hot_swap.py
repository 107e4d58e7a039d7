"""Another model for a robot that walks, good and bad ones, over ~/load_model."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from fault_log import facts_of
from fault_policies import CONTRACT
from fault_policies import broken_at
from fault_policies import standing

from helpers.client import CLEANUP
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
            lambda path: standing(path, joint_kp=[70.0] * 12),
            ['cannot take over', 'kp of left_hip_yaw: found 70, expected 80', 'deactivate'],
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


def test_what_was_swapped_stands_in_run_json(walking: Graph) -> None:
    """Only what took over, not what was refused."""
    run = walking.run
    walking.rest()
    assert walking.client.transition('policy_node', CLEANUP)
    facts = facts_of(run)
    swaps = facts['swaps']
    assert 1 <= len(swaps) <= 5
    assert {swap['model_sha256'] for swap in swaps} == {CONTRACT.sha256}
    assert {Path(swap['model']).name for swap in swaps} == {'again.kinfer'}
    assert facts['counters']['faults'] == 0
    assert facts['counters']['log']['dropped'] == 0
