"""What the guards cost in a tick: `python benchmarks/guards.py`.

A controller of 20 joints in mode `run`, on sensors that change in every tick, against the same
controller with its guards taken out; both tick in turns within one process. The bound for all
guards together is a median of 30 us. Without this, a guard more would be a tick later.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / 'test')]

from helpers import models  # noqa: E402
from helpers.robots import PERIOD_NS  # noqa: E402
from helpers.robots import Rig  # noqa: E402
from helpers.robots import small_robot  # noqa: E402
from kinfer_ros.control.guards.watch import Watch  # noqa: E402
from kinfer_ros.policy.policy import load_model  # noqa: E402

JOINTS = 20
TICKS = 20_000
BOUND_US = 30.0


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
    object.__setattr__(made.controller.parts, 'limiter', NoLimiter())
    made.controller.parts.watch.check = lambda moment, target, missed: ''
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
    made.controller.tick(made.now, made.now)
    return time.perf_counter_ns() - begin


def main() -> int:
    """Print the table; :return: exit code 1 above the bound."""
    noise = np.random.default_rng(0).normal(size=(256, 2 * JOINTS))
    times = np.empty((2, TICKS))
    with tempfile.TemporaryDirectory() as folder:
        guarded, plain = rig(Path(folder) / 'guarded'), bare(rig(Path(folder) / 'plain'))
        gc.disable()
        for i in range(TICKS):
            times[0, i] = tick(guarded, noise[i % 256])
            times[1, i] = tick(plain, noise[i % 256])
        gc.enable()
    assert guarded.controller.mode == plain.controller.mode == 'run'
    assert Watch.check is not plain.controller.parts.watch.check
    print(f'{JOINTS} joints, {TICKS} ticks each, in turns; us')
    print(f'{"controller":14} {"p50":>7} {"p99":>7} {"p99.9":>7} {"max":>8}')
    for name, row in zip(('with guards', 'without'), times / 1000, strict=True):
        cells = ' '.join(f'{q:7.1f}' for q in np.quantile(row, (0.5, 0.99, 0.999)))
        print(f'{name:14} {cells} {row.max():8.1f}')
    cost = float(np.median(times[0] - times[1])) / 1000
    print(f'guards, median of the differences: {cost:.1f} us (bound {BOUND_US:g})')
    return int(cost > BOUND_US)


if __name__ == '__main__':
    raise SystemExit(main())
