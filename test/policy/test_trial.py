"""A policy file is loaded and run once in a child process, bounded in time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies import models
from helpers.policies.models import endless_step
from helpers.policies.models import greedy_step
from helpers.policies.models import init_fn
from helpers.policies.models import leaky_step
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.walking import MODEL
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import TrialError
from kinfer_ros.policy import trial
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.trial import TrialLimits

SHORT = TrialLimits(seconds=3.0)


@pytest.fixture(autouse=True)
def nothing_has_passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test tries its files itself, and leaves no child behind."""
    monkeypatch.setattr(trial, '_passed', set())
    monkeypatch.setattr(trial, '_passed_together', set())
    before = children()  # multiprocessing's resource tracker, after a test with workers
    yield
    assert set(children()) <= set(before)


def children() -> list[int]:
    """Processes that this one has started and not waited for."""
    tasks = Path('/proc/self/task').iterdir()
    pids: list[int] = []
    for task in tasks:
        # A thread may end meanwhile; its children are then those of another.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids += map(int, (task / 'children').read_text().split())
    return pids


def policy(path: Path, step: bytes, carry: int = 1) -> Path:
    """Write a policy with this step."""
    return write_kinfer(path, init_fn(np.zeros(carry)), step, metadata(2, ('x', 'y', 'z')))


def test_a_sound_policy_is_tried_once_and_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second load of the same bytes needs no child; within other limits it does."""
    assert load_model(MODEL).contract.joint_names
    monkeypatch.setattr(trial, 'CHILD', 'no_such_module')
    load_model(MODEL)
    with pytest.raises(TrialError, match='No module named'):
        load_model(MODEL, trial=SHORT)


def test_a_loop_without_end(tmp_path: Path) -> None:
    """The words name file, limit and remedy."""
    path = policy(tmp_path / 'endless.kinfer', endless_step(0.0))
    begin = time.monotonic()
    with pytest.raises(TrialError) as caught:
        load_model(path, trial=SHORT)
    assert 2.9 < time.monotonic() - begin < 5.0
    words = str(caught.value)
    assert words.startswith(f'{path}: was not loaded and run once within 3 s')
    assert 'load_timeout' in words


def test_a_file_that_asks_for_8_gb(tmp_path: Path) -> None:
    """It is refused before the memory is taken, with what it asks for."""
    path = policy(tmp_path / 'greedy.kinfer', greedy_step(8.0))
    assert path.stat().st_size < 1500
    with pytest.raises(TrialError, match=r'needs more than 4096 MB.* 8000000000 bytes') as caught:
        load_model(path)
    assert 'load_memory_mb' in str(caught.value)


def test_the_memory_may_be_raised(tmp_path: Path) -> None:
    """The limit is that of the file alone: Python and ONNX Runtime are not counted."""
    path = policy(tmp_path / 'greedy.kinfer', greedy_step(0.2))
    with pytest.raises(TrialError, match='needs more than 100 MB'):
        load_model(path, trial=TrialLimits(memory_mb=100))
    load_model(path, trial=TrialLimits(memory_mb=1000))
    load_model(MODEL, trial=TrialLimits(memory_mb=16))


def test_an_ordinary_mistake_reads_as_without_a_trial(tmp_path: Path) -> None:
    """Class and words are those of the loader."""
    path = policy(tmp_path / 'wrong.kinfer', leaky_step(joints=3), carry=3)
    for given in (True, False):
        with pytest.raises(ModelError) as caught:
            load_model(path, trial=given)
        assert type(caught.value) is ModelError
        assert str(caught.value).startswith(f'{path}: ')


@pytest.mark.parametrize(
    ('body', 'words'),
    [
        ('os.kill(os.getpid(), signal.SIGSEGV)', 'was ended by SIGSEGV'),
        ('os.kill(os.getpid(), signal.SIGKILL)', 'where memory is short'),
        ('raise ImportError("no such thing")', 'exit code 1: ImportError: no such thing'),
        ('print("[]")', 'exit code 0: no words'),
        ('print(\'{"sha256": "0"}\')', 'has changed while it was tried'),
    ],
)
def test_a_child_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    """However it ends, that is an error in words."""
    (tmp_path / 'bad_child.py').write_text(f'import os, signal\n{body}\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trial, 'CHILD', 'bad_child')
    with pytest.raises(TrialError, match=words):
        load_model(MODEL)


def test_it_can_be_interrupted(tmp_path: Path) -> None:
    """A node that gets a signal does not wait."""
    path = policy(tmp_path / 'endless.kinfer', endless_step(0.0))
    begin = time.monotonic()
    limits = TrialLimits(interrupted=lambda: time.monotonic() - begin > 0.5)
    with pytest.raises(NotReady, match='stopped while it was tried'):
        load_model(path, trial=limits)
    assert time.monotonic() - begin < 1.5


def test_the_child_ends_without_its_parent(tmp_path: Path) -> None:
    """Killed, the parent cannot end it; its own alarm does."""
    path = policy(tmp_path / 'endless.kinfer', endless_step(0.0))
    code = (
        'from kinfer_ros.policy.policy import load_model\n'
        'from kinfer_ros.policy.trial import TrialLimits\n'
        f'load_model({str(path)!r}, trial=TrialLimits(seconds=2.0))\n'
    )
    environment = dict(os.environ) | {'PYTHONPATH': os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, '-c', code], env=environment) as parent:
        child = wait_for_child(parent.pid)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10.0
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(child)


def wait_for_child(pid: int) -> int:
    """Wait for a process to have a child that has read its request; :return: the child's id."""
    deadline = time.monotonic() + 15.0
    while time.monotonic() < deadline:
        if found := Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
            time.sleep(2.0)
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError('it starts no child')


def is_running(pid: int) -> bool:
    """Whether a process runs: one that has ended may wait for its parent as a zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_networks_before_the_policy_are_tried_too(tmp_path: Path) -> None:
    """An encoder that does not end is ended in the child; a changed one is tried again."""
    graph = models.Builder()
    out = models.endless_loop(graph, 'x', graph.const(True, 'bool'), 3)
    graph.add(models.helper.make_node('Identity', [out], ['latent']))
    (tmp_path / 'policy.onnx').write_bytes(flat_models.linear(3)[0])
    content = flat_models.spec(
        [{'source': 'network', 'name': 'encoder', 'count': 3}],
        networks={
            'encoder': {
                'file': 'encoder.onnx',
                'observation': {'terms': [{'source': 'gyroscope'}]},
            }
        },
    )
    spec = flat_models.write_spec(tmp_path / 'spec.yaml', content)
    (tmp_path / 'encoder.onnx').write_bytes(flat_models.linear(3)[0])
    load_model(tmp_path / 'policy.onnx', spec=spec)
    (tmp_path / 'encoder.onnx').write_bytes(graph.build({'x': (3,)}, {'latent': (3,)}))
    with pytest.raises(TrialError, match='within 3 s'):
        load_model(tmp_path / 'policy.onnx', spec=spec, trial=SHORT)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The requests of the children that run."""
    asked: list[object] = []
    run = trial._run_child

    def counted(where: str, request: object, limits: TrialLimits) -> tuple[int, bytes, bytes]:
        asked.append(request)
        return run(where, request, limits)

    monkeypatch.setattr(trial, '_run_child', counted)
    return asked


def test_several_are_tried_in_one_child(tmp_path: Path, runs: list[object]) -> None:
    """A set would start a process for each of its policies."""
    files = [policy(tmp_path / f'{at}.kinfer', leaky_step(), carry=2) for at in range(3)]
    together = [(path, None) for path in files]
    for _ in range(2):
        trial.try_together(together, 1, TrialLimits())
        for path in files:
            load_model(path)
    assert len(runs) == 1


def test_what_fails_among_several_is_tried_alone(tmp_path: Path, runs: list[object]) -> None:
    """With the words that it has alone, and within its own limits; the first had passed."""
    good = policy(tmp_path / 'good.kinfer', leaky_step(), carry=2)
    endless = policy(tmp_path / 'endless.kinfer', endless_step(0.0))
    greedy = policy(tmp_path / 'greedy.kinfer', greedy_step(0.2))
    limits = TrialLimits(memory_mb=100)
    trial.try_together([(good, None), (greedy, None), (endless, None)], 1, limits)
    load_model(good, trial=limits)
    assert len(runs) == 1
    with pytest.raises(TrialError, match=r'greedy\.kinfer: needs more than 100 MB'):
        load_model(greedy, trial=limits)
    trial.try_together([(good, None), (endless, None)], 1, SHORT)
    with pytest.raises(TrialError, match=r'endless\.kinfer: was not loaded'):
        load_model(endless, trial=SHORT)
