"""What a step costs over a bare onnxruntime session: `python benchmarks/step.py`.

Both sides run the same model on the same kind of bound buffers, in turns within one process, so
that whatever the machine does meanwhile happens to both. The bare side is
`session.run_with_iobinding` alone: no new inputs, no checks, the carry read and written in place.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / 'test')]

from helpers import flat_models  # noqa: E402
from helpers import models  # noqa: E402
from kinfer_ros import Policy  # noqa: E402
from kinfer_ros import load_model  # noqa: E402
from kinfer_ros.policy.archive import read_archive  # noqa: E402
from kinfer_ros.policy.archive import write_archive  # noqa: E402


def bare_session(policy: Policy) -> Callable[[], None]:
    """
    The least that onnxruntime can do for this model: one bound run, nothing around it.

    It runs the policy's own session: with one of its own, the weights of the two would push each
    other out of the cache, and both sides would measure that.
    """
    session = policy._session.graph.session
    binding = session.io_binding()
    for bind, nodes in (
        (binding.bind_ortvalue_input, session.get_inputs()),
        (binding.bind_ortvalue_output, session.get_outputs()),
    ):
        for node in nodes:
            array = np.zeros(node.shape, np.float32)
            bind(node.name, ort.OrtValue.ortvalue_from_numpy(array))
    return lambda: session.run_with_iobinding(binding)


def in_turns(first: Callable[[], Any], second: Callable[[], Any], rounds: int) -> np.ndarray:
    """Times of both in us, shape (2, rounds): each always runs right after the other."""
    times = np.empty((2, rounds))
    clock = time.perf_counter_ns
    gc.disable()
    for turn in range(rounds):
        start = clock()
        first()
        middle = clock()
        second()
        times[:, turn] = middle - start, clock() - middle
    gc.enable()
    return times / 1e3


def observation(policy: Policy) -> dict[str, np.ndarray]:
    """Random numbers in the shape of the policy's inputs."""
    rng = np.random.default_rng(0)
    return {
        each.name: rng.standard_normal(each.shape).astype(np.float32)
        for each in policy.contract.inputs
    }


def measure(name: str, path: Path, rounds: int) -> None:
    """Print two rows for the policy of this file, each below the bare session it ran beside."""
    policy = load_model(path)
    obs = observation(policy)

    def tick() -> None:
        # What a controller does: fill in place, infer, accept.
        for key, array in policy.inputs.items():
            array[:] = obs[key]
        policy.infer()
        policy.accept()

    count = models.parameter_count(read_archive(path).step_fn)
    print(f'{name}: {count:,} parameters, {rounds} rounds')
    for label, function in (('policy.step', lambda: policy.step(obs)), ('infer + accept', tick)):
        bare = bare_session(policy)
        in_turns(bare, function, 200)
        rows = np.percentile(in_turns(bare, function, rounds), (50, 99), axis=1).T
        for title, (p50, p99) in zip(('bare session', label), rows, strict=True):
            print(
                f'  {title:15s} p50 {p50:8.2f} us   p99 {p99:8.2f} us'
                f'   ratio {p50 / rows[0][0]:5.3f}   difference {p50 - rows[0][0]:+6.2f} us'
            )


JOINTS, FRAMES = 29, 5
TERMS = [
    {'source': 'gyroscope', 'scale': 0.2},
    {'source': 'gravity', 'unit': 'unit'},
    {'source': 'command'},
    {'source': 'joint_positions', 'relative': True},
    {'source': 'joint_velocities', 'scale': 0.05},
    {'source': 'last_action', 'which': 'raw'},
]


def humanoid(folder: Path) -> Policy:
    """A humanoid's flat policy: five frames of six terms, 480 numbers."""
    names = models.joint_names(JOINTS)
    size = FRAMES * (9 + 3 * JOINTS)
    history = {
        'length': FRAMES,
        'layout': 'per_term',
        'order': 'oldest_first',
        'first': 'repeat',
    }
    content = flat_models.spec(
        TERMS,
        joints=names,
        default_pose=[0.1] * JOINTS,
        observation={'history': history},
        action={'relative_to': 'default_pose', 'scale': 0.25},
    )
    return flat_models.load(folder, flat_models.linear(size, JOINTS)[0], content)


def measure_observation(folder: Path, rounds: int) -> None:
    """Print what the flat observation costs above the copy of its terms."""
    policy = humanoid(folder)
    session = policy._session
    obs = observation(policy)
    terms = [(array, obs[name]) for name, array in policy.inputs.items()]
    frame = np.zeros(JOINTS, np.float32)
    action = np.zeros(JOINTS, np.float32)

    def copy() -> None:
        # The terms alone: five arrays that the sensors fill, and the last action.
        for array, value in terms:
            array[:] = value
        frame[:] = action

    inner = session._session
    built = session._observation

    def build() -> None:
        copy()
        built.build(inner.extra)
        built.remember(inner.extra, inner.next_extra, action, action)

    policy.step(obs)
    in_turns(copy, build, 200)
    rows = np.percentile(in_turns(copy, build, rounds), (50, 99), axis=1).T
    print(f'flat observation: {JOINTS} joints, {FRAMES} frames, {session.flat.size} numbers')
    for title, (p50, p99) in zip(('copy of terms', 'observation'), rows, strict=True):
        print(
            f'  {title:15s} p50 {p50:8.2f} us   p99 {p99:8.2f} us'
            f'   difference {p50 - rows[0][0]:+6.2f} us'
        )


def main() -> None:
    """Run the two built models, and the policies that ship or are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'models', nargs='*', type=Path, help='policy files (default: those shipped)'
    )
    parser.add_argument('--rounds', type=int, default=20000)
    arguments = parser.parse_args()
    rounds = arguments.rounds
    built = {
        'MLP 128-96, 12 joints': (models.mlp_policy(), models.metadata(12, models.COMMANDS_3)),
        'GRU 5 x 256, 20 joints': (
            models.gru_policy(),
            models.metadata(20, [f'cmd_{index}' for index in range(16)]),
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (parts, meta)) in enumerate(built.items()):
            path = Path(folder) / f'{number}.kinfer'
            write_archive(path, *parts, meta)
            # The second model takes 20 times as long.
            measure(name, path, max(rounds // (1, 5)[number], 1))
        measure_observation(Path(folder), rounds)
    for path in arguments.models or sorted(_ROOT.glob('robots/*/*.kinfer')):
        measure(path.name, path, rounds)


if __name__ == '__main__':
    main()
