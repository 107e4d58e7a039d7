"""What several figures stand beside: a bare inference and a bare wake-up in C.

Together they also say how fast this machine is: the suite prints them first. Where they differ
between two machines, a ratio that differs may be the machine's.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
from _processes import HERE
from _processes import Process
from _processes import domain_environment
from _processes import last_json
from _processes import models

from kinfer_ros import Policy
from kinfer_ros import load_model
from kinfer_ros.policy.archive import write_archive

SMALL = 'MLP 3 x 128'
WAKE_UPS_HZ = 1000.0


def write_small(folder: Path) -> Path:
    """Write the policy of SMALL, 20 joints; :return: its file."""
    path = folder / 'small.kinfer'
    meta = models.metadata(20, models.COMMANDS_3, carry_size=[20])
    write_archive(path, *models.mlp_policy(20, (128, 128, 128)), meta)
    return path


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


def bare_inference(policy: Policy, rounds: int = 3000) -> np.ndarray:
    """Us of each of many bare runs without a pause."""
    run, times = bare_session(policy), np.empty(rounds + rounds // 10)
    clock = time.perf_counter_ns
    for turn in range(len(times)):
        begin = clock()
        run()
        times[turn] = clock() - begin
    return times[rounds // 10 :] / 1e3


def c_loop(
    folder: Path, rate: float, seconds: float, *, priority: int = 0
) -> dict[str, list[int]]:
    """
    Run baselines/sleeper.c, compiled once for each folder.

    :param priority: of SCHED_FIFO; 0 for none.
    :return: what it printed: when it woke and how late that was, ns.
    """
    binary = folder / 'sleeper'
    if not binary.exists():
        compiler = shutil.which('cc') or shutil.which('gcc')
        if compiler is None:
            raise SystemExit('there is no C compiler (cc or gcc), for the bare C loop')
        source = HERE / 'baselines' / 'sleeper.c'
        subprocess.run([compiler, '-O2', '-o', binary, source], check=True)
    return figures_of([str(binary), str(rate), str(seconds), str(priority)], folder, seconds)


def figures_of(words: list[str], folder: Path, seconds: float) -> dict[str, list[int]]:
    """Run a program to its end; :return: the JSON it printed."""
    program, *rest = words
    log, environment = folder / 'baseline.log', domain_environment()
    with Process(rest, log, environment, program=program) as process:
        process.wait(seconds + 120)
        found: dict[str, list[int]] = last_json(process)
        return found


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep some cores busy."""
    loops = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(cores)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def machine_speed(*, quick: bool = False) -> dict[str, float]:
    """Us by which two machines compare: a bare inference and a bare wake-up."""
    with tempfile.TemporaryDirectory() as name:
        inference = bare_inference(load_model(write_small(Path(name))))
        late = c_loop(Path(name), WAKE_UPS_HZ, 1.0 if quick else 5.0)['late_ns']
    return {
        f'bare inference, {SMALL}, p50': float(np.median(inference)),
        'bare wake-up in C at 1 kHz, p50': float(np.median(late)) / 1e3,
        'bare wake-up in C at 1 kHz, p99': float(np.quantile(late, 0.99)) / 1e3,
    }
