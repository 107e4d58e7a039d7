"""Fast checks of the training code: `python -m pytest training`."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')
pytest.importorskip('onnxruntime')

import torch

from kinfer_ros.policy.archive import read_archive
from training import evaluate
from training import export
from training import interface as io
from training import posture
from training.env import LESSONS
from training.env import WalkEnv
from training.posture_env import PostureEnv
from training.ppo import HORIZON
from training.ppo import Learner
from training.ppo import actor_network
from training.ppo import adopt
from training.ppo import dense_layers
from training.train import TASKS
from training.train import Trainer
from training.train import main
from training.train import train

ROBOTS = 8
ITERATIONS = 4


each_task = pytest.mark.parametrize('task', TASKS)


def new_trainer(out: Path, seed: int = 3, task: str = 'walk') -> Trainer:
    """Make a run that takes a second."""
    return Trainer(out, seed, ITERATIONS * ROBOTS * HORIZON, ROBOTS, threads=2, task=task)


def same(a: Any, b: Any) -> bool:
    """Compare nested states bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)


def wake_up(learner: Learner) -> None:
    """Make an untrained actor do something: it starts out with last weights near zero."""
    *_, last_weight, _ = learner.actor.parameters()
    last_weight.data.normal_(std=0.2)


def outcome(trainer: Trainer) -> dict[str, Any]:
    """Return a run's state, less how long it took."""
    return {key: value for key, value in trainer.state().items() if key != 'seconds'}


@each_task
def test_same_seed_gives_the_same_weights(tmp_path: Path, task: str) -> None:
    """Otherwise nobody can reproduce the shipped policies."""
    first = new_trainer(tmp_path / 'a', task=task)
    second = new_trainer(tmp_path / 'b', task=task)
    assert train(first) and train(second)
    assert same(outcome(first), outcome(second))
    assert first.policy.read_bytes() == second.policy.read_bytes()
    other = new_trainer(tmp_path / 'c', seed=4, task=task)
    train(other)
    assert not same(outcome(first)['learner'], outcome(other)['learner'])


@each_task
def test_resumed_run_ends_as_if_never_interrupted(tmp_path: Path, task: str) -> None:
    """A state that is forgotten by the checkpoint would show here."""
    whole = new_trainer(tmp_path / 'whole', task=task)
    train(whole)
    interrupted = new_trainer(tmp_path / 'parts', task=task)
    for _ in range(ITERATIONS // 2):
        interrupted.iterate()
    interrupted.save()
    resumed = new_trainer(tmp_path / 'parts', task=task)
    resumed.load()
    assert train(resumed)
    assert same(outcome(whole), outcome(resumed))


def test_interrupt_saves_and_exits(tmp_path: Path) -> None:
    """Ctrl-C costs nothing: the run stops after its iteration and can go on."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    arguments = ['--out', str(tmp_path), '--robots', str(ROBOTS), '--steps', '1000000']
    timer.start()
    assert main(arguments) == 130
    assert (tmp_path / 'checkpoint.pt').exists()
    assert not (tmp_path / 'checkpoint.tmp').exists()


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    """Going on with another seed or length would quietly break the promise above."""
    new_trainer(tmp_path).save()
    for other in (new_trainer(tmp_path, seed=4), new_trainer(tmp_path, task='crouch')):
        with pytest.raises(ValueError, match='is of a run with'):
            other.load()


def test_checkpoint_without_a_task_is_of_the_walk(tmp_path: Path) -> None:
    """Runs from before there was another task can still be finished."""
    trainer = new_trainer(tmp_path)
    trainer.settings.pop('task')
    trainer.save()
    new_trainer(tmp_path).load()


LAYOUTS = [io.OBSERVATION, io.OBSERVATION + io.PRIVILEGED, io.ACTION, posture.OBSERVATION]


@pytest.mark.parametrize('layout', LAYOUTS)
def test_mirror_undoes_itself(layout: io.Layout) -> None:
    """The mirror image of the mirror image is the thing itself."""
    indices, signs = io.mirror(layout)
    x = np.arange(1.0, io.size(layout) + 1)
    mirrored = x[indices] * signs
    assert np.array_equal(mirrored[indices] * signs, x)


def test_physics_is_symmetric() -> None:
    """The mirror maps of interface.py must be those of the robot in the MJCF.

    Two robots with mirrored noise in their actions must stay each other's mirror image.
    """
    env = WalkEnv(2, seed=0)
    env._models = [env.model] * 2
    env._disturb = lambda: None  # type: ignore[method-assign]
    env.physics[1] = env.physics[0]
    env.qpos[:] = env._home_qpos
    env.qvel[:] = 0.0
    env.phase[:] = (0.25, 0.75)
    env.command[:] = ((0.3, 0.1, 0.2), (0.3, -0.1, -0.2))
    env.stride_command[:] = env.command
    env.delay[:] = 2
    env.friction[:] = 0.8
    indices, signs = io.mirror(io.ACTION)
    rng = np.random.default_rng(0)
    for _ in range(10):
        action = rng.normal(0.0, 0.5, io.JOINTS)
        reward, *_ = env.step(np.stack([action, action[indices] * signs]))
        assert reward[0] == pytest.approx(reward[1], abs=1e-4)
    seen = env.critic_observation()
    indices, signs = io.mirror(io.OBSERVATION + io.PRIVILEGED)
    assert seen[0] == pytest.approx(seen[1][indices] * signs, abs=1e-3)


def test_network_is_symmetric() -> None:
    """A mirrored state gives the mirrored action and the same value, whatever the weights."""
    learner = Learner(seed=1)
    wake_up(learner)
    x = torch.randn(5, io.size(io.OBSERVATION))
    indices, signs = io.mirror(io.OBSERVATION)
    out_indices, out_signs = io.mirror(io.ACTION)
    mirrored = learner.actor(x[:, indices] * torch.from_numpy(signs))
    expected = learner.actor(x)[:, out_indices] * torch.from_numpy(out_signs)
    assert torch.allclose(mirrored, expected, atol=1e-5)


def test_graph_does_what_the_training_did(tmp_path: Path) -> None:
    """The packed policy and the training see and do the same, tick by tick.

    A wrong order, sign or scale in the graph would make a policy that almost walks.
    """
    torch.manual_seed(0)
    learner = Learner(seed=1)
    wake_up(learner)
    export.pack(tmp_path / 'walk.kinfer', learner.actor, export.provenance(1, 0))
    policy = evaluate.Policy(tmp_path / 'walk.kinfer')
    env = WalkEnv(1, seed=0)
    env.lesson = LESSONS[-1]
    env.phase[:] = 0.0
    env.command[:] = (0.3, 0.1, -0.2)
    for tick in range(40):
        if tick in (20, 30):  # stand for a while: phase and heading error must start anew
            env.command[:] = 0.0 if tick == 20 else 0.2
        env.bias[:] = 0.0
        inputs = {
            'joint_angles': env.qpos[0, 7:].copy(),
            'joint_angular_velocities': env.qvel[0, 6:].copy(),
            'gyroscope': env.qvel[0, 3:6].copy(),
            'command': env.command[0].copy(),
        }
        gravity = evaluate.Simulation.gravity(env.qpos[0, 3:7])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('training.env.NOISE', {})
            seen, _ = env.observe()
        with torch.no_grad():
            action = learner.actor(torch.from_numpy(seen)).numpy().astype(np.float64)
        target = policy.step(projected_gravity=gravity, **inputs)
        env._disturb = lambda: None  # type: ignore[method-assign]
        env.step(action)
        assert target == pytest.approx(env.target[0], abs=1e-4)


@pytest.mark.parametrize('task', posture.POSTURES)
def test_graph_of_a_posture_does_what_the_training_did(tmp_path: Path, task: str) -> None:
    """From every kind of start, through pushes and steps, tick by tick."""
    learner = Learner(1, posture.OBSERVATION, export.read_layers(export.WALK))
    path = tmp_path / f'{task}.kinfer'
    export.pack(path, learner.actor, export.provenance(1, 0), task)
    policies = [evaluate.Policy(path) for _ in range(ROBOTS)]
    env = PostureEnv(task, ROBOTS, 0, export.read_layers(export.WALK))
    env.bias[:] = 0.0
    stepped = np.zeros(ROBOTS, bool)
    for _ in range(60):
        sensors = [
            {
                'joint_angles': env.qpos[row, 7:].copy(),
                'joint_angular_velocities': env.qvel[row, 6:].copy(),
                'gyroscope': env.qvel[row, 3:6].copy(),
                'projected_gravity': evaluate.Simulation.gravity(env.qpos[row, 3:7]),
            }
            for row in range(ROBOTS)
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('training.env.NOISE', {})
            seen, _ = env.observe()
        with torch.no_grad():
            action = learner.actor(torch.from_numpy(seen)).numpy().astype(np.float64)
        env.step(action)
        stepped |= env.stepping
        for row, (policy, inputs) in enumerate(zip(policies, sensors, strict=True)):
            assert policy.step(**inputs) == pytest.approx(env.target[row], abs=1e-3)
    assert stepped.any() == (task == 'stand')


def test_a_lean_and_a_turn_are_sway() -> None:
    """The signs of the estimate: a body that leans or moves forward, or to the left."""
    feature = np.zeros((4, 30))
    feature[0, 1] = 1.0  # pitches forward, rad/s
    feature[1, 3] = 0.1  # gravity forward in the base frame: leans forward
    feature[2, 0] = -1.0  # rolls to the left, rad/s
    feature[3, 4] = 0.1  # gravity to the left: leans to the left
    sway = feature @ posture.sway_matrix()
    assert (sway[:2, 0] > 0.1).all() and (sway[2:, 1] > 0.05).all()
    assert sway[:2, 1] == pytest.approx(0.0) and sway[2:, 0] == pytest.approx(0.0)


def test_adopted_network_is_the_walk() -> None:
    """Weights read back from the archive and put into a fresh network give the same actions."""
    layers = export.read_layers(export.WALK)
    actor = actor_network()
    adopt(actor, layers, io.OBSERVATION)
    for (weight, bias), (wanted, offset) in zip(dense_layers(actor), layers, strict=True):
        assert weight == pytest.approx(wanted, abs=1e-7)
        assert bias == pytest.approx(offset, abs=1e-7)


def test_archive_is_reproducible_and_complete(tmp_path: Path) -> None:
    """The same weights give the same bytes, with all that a runtime asks for."""
    actor = Learner(seed=1).actor
    for name in ('a', 'b'):
        export.pack(tmp_path / name, actor, export.provenance(seed=1, steps=0))
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()
    metadata = read_archive(tmp_path / 'a').metadata
    assert metadata['joint_names'] == list(io.JOINT_NAMES)
    assert metadata['carry_size'] == [io.CARRY_SIZE]
    per_joint = ('joint_biases', 'joint_kp', 'joint_kd', 'joint_torque_limits')
    assert all(len(metadata[name]) == io.JOINTS for name in per_joint)


def test_packing_again_changes_only_the_commit(tmp_path: Path) -> None:
    """The commit is known only after the policy is."""
    before, after = tmp_path / 'before.kinfer', tmp_path / 'after.kinfer'
    export.pack(before, Learner(seed=1).actor, export.provenance(seed=1, steps=0))
    assert export.main([str(before), str(after), '--commit', '1a2b3c4']) == 0
    old, new = read_archive(before), read_archive(after)
    assert (old.init_fn, old.step_fn) == (new.init_fn, new.step_fn)
    old.metadata['provenance']['training_commit'] = '1a2b3c4'
    assert old.metadata == new.metadata
