"""What the guards cost in a tick: `python benchmarks/guards.py`.

A controller of 20 joints in mode `run`, on sensors that change in every tick, and the same
controller with its guards taken out; they tick in turns, within one process, with a bare inference
of a small policy, and the bounds are multiples of that. So the price of a new guard is seen.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _beside import SMALL
from _beside import bare_session
from _beside import write_small
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import models
from record import timed_add

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.step_log import StepLog
from kinfer_ros.run.writer import PERIOD

JOINTS = 20
TICKS = 20_000
RATE_HZ = 1000.0
WRITTEN = 200
"""Ticks without a pause, after which the writer gets one."""

MOST_GUARDS, MOST_BOTH = 0.6, 3.0
"""Of a bare inference, p50: all guards; the whole controller with guards and record."""
Quantiles = tuple[float, ...]
BARE, BOTH = f'bare inference, {SMALL}', 'controller, guards and record'


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
        with_guards, without, whole, inference = in_turns(Path(folder), ticks, bare_policy)
        paced, paced_bare = after_pauses(Path(folder), ticks // 4, bare_policy)
    figures = [
        Figure('controller, all guards', 'us', with_guards, 'without guards', without),
        Figure(BOTH, 'us', whole, BARE, inference),
        Figure(f'{BOTH}, after 1 ms of sleep', 'us', paced, BARE, paced_bare),
    ]
    added = (with_guards[0] - without[0]) / inference[0]
    figures[0].bounded(added, MOST_GUARDS, 'p50 more, over a bare inference:')
    for figure in figures[1:]:
        figure.bounded(figure.ratios[0], MOST_BOTH, 'p50 ratio')
    return figures


def in_turns(folder: Path, ticks: int, bare_policy: Policy) -> list[Quantiles]:
    """
    Us of the controller with guards, without, with guards and record, and of a bare inference.

    Without pauses, but for those in which the writer takes the records.
    """
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((4, ticks))
    guarded, plain = rig(folder / 'guarded'), bare(rig(folder / 'plain'))
    made, inference = rig(folder / 'recorded'), bare_session(bare_policy)
    log = log_of(made, folder)
    gc.disable()
    for i in range(ticks):
        times[0, i] = tick(guarded, noise[i % 256])
        times[1, i] = tick(plain, noise[i % 256])
        times[2, i] = tick(made, noise[i % 256]) + timed_add(log, made, i)
        times[3, i] = timed(inference)
        if i % WRITTEN == 0:
            time.sleep(2 * PERIOD)
    gc.enable()
    log.close()
    assert guarded.controller.mode == plain.controller.mode == made.controller.mode == 'run'
    assert GuardSet.check is not plain.controller._parts.guards.check
    return [quantiles(each / 1000) for each in times]


def after_pauses(folder: Path, ticks: int, bare_policy: Policy) -> list[Quantiles]:
    """Us of the controller with guards and record, and of an inference, each after 1 ms."""
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, ticks))
    made, inference = rig(folder / 'paced'), bare_session(bare_policy)
    log = log_of(made, folder / 'paced')
    start = time.perf_counter()
    for i in range(2 * ticks):
        time.sleep(max(start + i / RATE_HZ - time.perf_counter(), 0.0))
        if i % 2:
            times[1, i // 2] = timed(inference)
        else:
            times[0, i // 2] = tick(made, noise[i % 256]) + timed_add(log, made, i)
    log.close()
    return [quantiles(each / 1000) for each in times]


def log_of(made: Rig, folder: Path) -> StepLog:
    """The step log of a controller."""
    policies = {'': made.controller._parts.runner.bound.policy}
    return StepLog(folder, made.controller, policies, rate_hz=RATE_HZ, carry_every=50, record=True)


def timed(call: Callable[[], object]) -> int:
    """Ns of a call."""
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def main() -> None:
    """Print the table."""
    print_figures('guards', measure())


if __name__ == '__main__':
    main()
