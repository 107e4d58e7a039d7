"""What the guards cost in a tick: `python benchmarks/guards.py`.

A controller of 20 joints in mode `run`, on sensors that change in every tick, and the same
controller with its guards taken out; both tick in turns within one process. The bounds are
multiples of a bare inference of a small policy on the same machine. Without this, a guard more
would be a tick later.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import numpy as np
from _beside import SMALL
from _beside import bare_inference
from _beside import bare_session
from _beside import write_small
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _figures import typical
from _processes import models
from record import timed_add

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.step_log import StepLog

JOINTS = 20
TICKS = 20_000
RATE_HZ = 1000.0
MOST_GUARDS, MOST_BOTH = 0.6, 3.0
"""Of a bare inference, p50: all guards; the whole controller with guards and record."""
Quantiles = tuple[float, ...]
BARE = f'bare inference, {SMALL}'


def rig(folder: Path) -> Rig:
    """A controller in mode `run` with a small policy of 20 joints."""
    folder.mkdir()
    names = tuple(models.joint_names(JOINTS))
    meta = models.metadata(JOINTS, models.COMMANDS_3, carry_size=[JOINTS])
    path = models.write_kinfer(
        folder / 'leaky.kinfer', models.init_fn([0.0] * JOINTS), models.leaky_step(JOINTS), meta
    )
    made = Rig(load_model(path), small_robot(folder, names))
    made.run()
    return made


class NoLimiter:
    """In place of the limits on targets."""

    def apply(self, target: object, measured: object) -> tuple[()]:
        """Limit nothing."""
        return ()


def bare(made: Rig) -> Rig:
    """Take the guards out of a controller."""
    object.__setattr__(made.controller._parts, 'limiter', NoLimiter())
    made.controller._parts.guards.check = lambda moment, target, missed: ''
    return made


def tick(made: Rig, noise: np.ndarray) -> int:
    """Give a controller fresh sensors and tick it; :return: ns of the tick alone."""
    frame = made.frame
    frame.position[:] = 0.1 + 1e-3 * noise[:JOINTS]
    frame.velocity[:] = 0.1 * noise[JOINTS : 2 * JOINTS]
    frame.gyro[:] = noise[:3]
    made.now += PERIOD_NS
    made.sense()
    begin = time.perf_counter_ns()
    made.outcome = made.controller.tick(made.now, made.now)
    return time.perf_counter_ns() - begin


def measure(*, quick: bool = False) -> list[Figure]:
    """The guards alone, then guards and record."""
    ticks = TICKS // 5 if quick else TICKS
    with tempfile.TemporaryDirectory() as folder:
        bare_policy = load_model(write_small(Path(folder)))
        with_guards, without = guards_alone(Path(folder), ticks)
        inference = quantiles(bare_inference(bare_policy))
        whole, cold = with_record(Path(folder), ticks // 4, bare_policy)
        again = quantiles(bare_inference(bare_policy))
    inference = typical([inference, again])
    figures = [
        Figure('controller, all guards', 'us', with_guards, 'without guards', without),
        Figure('controller, guards and record, 1 kHz', 'us', whole, BARE, inference),
        Figure('the same', 'us', whole, 'the inference in the same pauses', cold),
    ]
    added = (with_guards[0] - without[0]) / inference[0]
    figures[0].bounded(added, MOST_GUARDS, 'p50 more, over a bare inference:')
    figures[1].bounded(figures[1].ratios[0], MOST_BOTH, 'p50 ratio')
    return figures


def guards_alone(folder: Path, ticks: int) -> tuple[Quantiles, Quantiles]:
    """Us of the controller with guards, and without, in turns and without pauses."""
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, ticks))
    guarded, plain = rig(folder / 'guarded'), bare(rig(folder / 'plain'))
    gc.disable()
    for i in range(ticks):
        times[0, i] = tick(guarded, noise[i % 256])
        times[1, i] = tick(plain, noise[i % 256])
    gc.enable()
    assert guarded.controller.mode == plain.controller.mode == 'run'
    assert GuardSet.check is not plain.controller._parts.guards.check
    return quantiles(times[0] / 1000), quantiles(times[1] / 1000)


def with_record(folder: Path, ticks: int, bare_policy: Policy) -> tuple[Quantiles, Quantiles]:
    """
    Us of the controller with guards and the record of its step, and of an inference beside it.

    In real time, at 1 kHz, so that the writer keeps up as it does in a node.
    """
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, ticks))
    made, inference = rig(folder / 'recorded'), bare_session(bare_policy)
    policy = made.controller._parts.runner.bound.policy
    log = StepLog(
        folder, made.controller, {'': policy}, rate_hz=RATE_HZ, carry_every=50, record=True
    )
    start = time.perf_counter()
    for i in range(ticks):
        time.sleep(max(start + i / RATE_HZ - time.perf_counter(), 0.0))
        times[0, i] = tick(made, noise[i % 256]) + timed_add(log, made, i)
        begin = time.perf_counter_ns()
        inference()
        times[1, i] = time.perf_counter_ns() - begin
    log.close()
    return quantiles(times[0] / 1000), quantiles(times[1] / 1000)


def main() -> None:
    """Print the table."""
    print_figures('guards', measure())


if __name__ == '__main__':
    main()
