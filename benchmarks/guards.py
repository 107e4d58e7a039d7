"""What the guards cost in a tick: `python benchmarks/guards.py`.

A controller of 20 joints in mode `run`, on sensors that change in every tick, against the same
controller with its guards taken out; both tick in turns within one process. The bound for all
guards together is a median of 30 us. Without this, a guard more would be a tick later.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import models
from record import timed_add

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.step_log import StepLog

JOINTS = 20
TICKS = 20_000
BOUND_US = 30.0
BOTH_US = 80.0


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

    def apply(self, target: object, position: object, velocity: object) -> tuple[()]:
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
    """Both controllers in turns."""
    ticks = TICKS // 5 if quick else TICKS
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, ticks))
    with tempfile.TemporaryDirectory() as folder:
        guarded, plain = rig(Path(folder) / 'guarded'), bare(rig(Path(folder) / 'plain'))
        gc.disable()
        for i in range(ticks):
            times[0, i] = tick(guarded, noise[i % 256])
            times[1, i] = tick(plain, noise[i % 256])
        gc.enable()
    assert guarded.controller.mode == plain.controller.mode == 'run'
    assert GuardSet.check is not plain.controller._parts.guards.check
    ours, theirs = times / 1000
    figure = Figure(f'controller, {JOINTS} joints, all guards', 'us', quantiles(ours))
    figure.beside, figure.beside_values = 'without guards', quantiles(theirs)
    return [
        figure.bounded(float(np.median(ours - theirs)), BOUND_US, 'median us more'),
        measure_with_record(ticks // 4),
    ]


def measure_with_record(ticks: int) -> Figure:
    """Guards and the record of a step, against neither; diagnostics go out between ticks."""
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, ticks))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        guarded, plain = rig(folder / 'guarded'), bare(rig(folder / 'plain'))
        policy = guarded.controller._parts.runner.bound.policy
        log = StepLog(
            folder, guarded.controller, {'': policy}, rate_hz=1000.0, carry_every=50, record=True
        )
        start = time.perf_counter()
        for i in range(ticks):
            # In real time, at 1 kHz, so that the writer keeps up as it does in a node.
            time.sleep(max(start + i / 1000 - time.perf_counter(), 0.0))
            times[0, i] = tick(guarded, noise[i % 256]) + timed_add(log, guarded, i)
            times[1, i] = tick(plain, noise[i % 256])
        log.close()
    ours, theirs = times / 1000
    figure = Figure(f'controller, {JOINTS} joints, guards and record', 'us', quantiles(ours))
    figure.beside, figure.beside_values = 'neither', quantiles(theirs)
    return figure.bounded(float(np.median(ours - theirs)), BOTH_US, 'median us more')


def main() -> None:
    """Print the table."""
    print_figures('guards', measure())


if __name__ == '__main__':
    main()
