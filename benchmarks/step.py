"""What a step costs over a bare onnxruntime session, and beside kinfer's own step.

    python benchmarks/step.py [--quick] [MODEL ...]

Both sides run the same model on the same kind of bound buffers, in turns within one process, so
that whatever the machine does meanwhile happens to both. The bare side is
`session.run_with_iobinding` alone: no new inputs, no checks, the carry read and written in place.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from _beside import SMALL
from _beside import bare_session
from _beside import write_small
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _processes import HERE
from _processes import models

from helpers.policies import flat_models
from kinfer_ros import Policy
from kinfer_ros import load_model
from kinfer_ros.policy.archive import write_archive

KINFER = os.environ.get('KINFER_PEER_PYTHON', '')


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


def measure_step(name: str, path: Path, rounds: int) -> Figure:
    """`policy.step` beside the bare session of the same file."""
    policy = load_model(path)
    obs = observation(policy)
    bare = bare_session(policy)
    in_turns(bare, lambda: policy.step(obs), 200)
    theirs, ours = in_turns(bare, lambda: policy.step(obs), rounds)
    figure = Figure(f'{name}: policy.step', 'us', quantiles(ours))
    figure.beside, figure.beside_values = 'bare bound session', quantiles(theirs)
    if name in MOST_OVER_BARE:
        figure.bounded(figure.ratios[0], MOST_OVER_BARE[name], 'p50 ratio')
    return figure


def measure_kinfer(name: str, path: Path, rounds: int, library: Path | None = None) -> Figure:
    """
    `policy.step` beside kinfer's step, both on the threads that onnxruntime takes by itself.

    kinfer cannot be told how many: one a core, spinning, wherever they may run. In five turns.

    :param library: the ONNX Runtime that kinfer is to load; its own wheel's if not given.
    """
    cores = len(os.sched_getaffinity(0))
    policy = load_model(path, threads=cores)
    obs = observation(policy)
    words = [KINFER, str(HERE / 'baselines' / 'kinfer_run.py'), 'step', str(path), '-']
    given = {'ORT_DYLIB_PATH': str(library)} if library else {}
    ours, theirs = [], []
    for _ in range(5):
        done = subprocess.run(
            [*words, str(rounds)],
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
            env={**os.environ, **given},
        )
        found = json.loads(done.stdout.splitlines()[-1])
        theirs += found['step_ns'][rounds // 10 :]
        times, _ = in_turns(lambda: policy.step(obs), _nothing, rounds)
        ours += list(times[rounds // 10 :])
    figure = Figure(
        f'{name}: policy.step, {cores} threads, ONNX Runtime {ort.__version__}',
        'us',
        quantiles(ours),
        f"kinfer's step (Rust), {cores} threads, ONNX Runtime {found['onnxruntime']}",
        quantiles(np.array(theirs) / 1e3),
    )
    bounded = name == LARGE and found['onnxruntime'] == ort.__version__
    return figure.bounded(figure.ratios[0], 1.0, 'p50 ratio') if bounded else figure


def our_library() -> Path:
    """The shared library of our ONNX Runtime, which kinfer can load as well."""
    return next((Path(ort.__file__).parent / 'capi').glob('libonnxruntime.so*'))


def _nothing() -> None:
    """What stands beside a figure that is measured in turns with another process."""


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


def measure_observation(folder: Path, rounds: int) -> Figure:
    """What the flat observation costs above the copy of its terms."""
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
    sources, vector = session._sources, session._flat_vector

    def build() -> None:
        copy()
        sources.refresh(inner.extra)
        vector.build(inner.extra)
        vector.update_memory(inner.next_extra)
        sources.update_memory(inner.extra, inner.next_extra, action, action)

    policy.step(obs)
    in_turns(copy, build, 200)
    theirs, ours = in_turns(copy, build, rounds)
    name = f'flat observation, {JOINTS} joints, {FRAMES} frames, {session.flat.size} numbers'
    figure = Figure(name, 'us', quantiles(ours), 'copy of its terms', quantiles(theirs))
    return figure.bounded(figure.ratios[0], 3.0, 'p50 ratio')


LARGE = 'GRU 5 x 256'
MOST_OVER_BARE = {SMALL: 1.15, LARGE: 1.05}


def policies(folder: Path) -> dict[str, Path]:
    """The four sizes, 20 joints each."""
    commands = [f'cmd_{index}' for index in range(16)]
    built = {
        'MLP 512-256-128': (models.mlp_policy(20, (512, 256, 128)), models.COMMANDS_3, [20]),
        'GRU 2 x 128': (models.gru_policy(20, 16, 2, 128), commands, [2, 128]),
        LARGE: (models.gru_policy(), commands, [5, 256]),
    }
    paths = {SMALL: write_small(folder)}
    for name, (parts, names, carry) in built.items():
        path = folder / f'{name.replace(" ", "_")}.kinfer'
        write_archive(path, *parts, models.metadata(20, names, carry_size=carry))
        paths[name] = path
    return paths


def measure(*, quick: bool = False) -> list[Figure]:
    """All four sizes; the smallest and the largest where it is to be quick."""
    rounds = 2000 if quick else 10000
    with tempfile.TemporaryDirectory() as name:
        sizes = policies(Path(name))
        if quick:
            sizes = {size: sizes[size] for size in (SMALL, LARGE)}
        figures = [
            measure_step(size, path, rounds // 4 if size == LARGE else rounds)
            for size, path in sizes.items()
        ]
        figures.append(measure_observation(Path(name), rounds))
        if not KINFER:
            print('step: no KINFER_PEER_PYTHON, so nothing beside kinfer itself')
            return figures
        fewer = 400 if quick else 2000
        for size, path in sizes.items():
            progress(f'{size} beside kinfer')
            figures.append(measure_kinfer(size, path, fewer, our_library()))
        figures.append(measure_kinfer(LARGE, sizes[LARGE], fewer))
    return figures


def main() -> None:
    """Print the table; for policy files that are named, theirs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='*', type=Path, help='policy files of your own')
    parser.add_argument('--quick', action='store_true')
    arguments = parser.parse_args()
    if arguments.models:
        figures = [measure_step(path.name, path, 10000) for path in arguments.models]
    else:
        figures = measure(quick=arguments.quick)
    print_figures('step', figures)


if __name__ == '__main__':
    main()
