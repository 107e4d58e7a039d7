"""Train the biped to walk: `python -m training.train`, from the root of the repository.

A run writes to its folder (`--out`) a checkpoint a minute, the policy packed as `walk.kinfer` with
each of them, and `progress.jsonl`. Ctrl-C saves and exits; `--resume` goes on, and ends with the
same weights as a run that was never interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training import export
from training.env import WalkEnv
from training.posture_env import PostureEnv
from training.ppo import HORIZON
from training.ppo import Learner

ROBOTS = 512
CHECKPOINT_EVERY_S = 60.0
REPORT_EVERY = 10


@dataclass(frozen=True)
class Task:
    """What one policy is trained for, and how long."""

    steps: int
    lesson_ends: tuple[int, ...]  # steps at which the next lesson begins
    learning_rate_fades_at: int  # steps
    learning_rate_restarts_at: int = sys.maxsize  # steps; from there it fades once more


TASKS = {
    'walk': Task(13_240_000, (3_000_000, 5_080_000, 7_450_000, 12_490_000), 9_000_000),
    'stand': Task(8_200_000, (5_000_000, 7_000_000), 4_000_000),
    'crouch': Task(3_500_000, (2_000_000,), 1_500_000, 2_000_000),
}


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog='python -m training.train', description=__doc__)
    parser.add_argument('--task', choices=TASKS, default='walk')
    parser.add_argument('--out', type=Path, help='folder for checkpoints and the packed policy; '
                        'training/runs/TASK if not given')  # fmt: skip
    parser.add_argument('--steps', type=int, help='policy steps, all robots')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--resume', action='store_true', help='go on from the last checkpoint')
    parser.add_argument('--robots', type=int, default=ROBOTS, help='robots simulated at once')
    parser.add_argument('--threads', type=int, default=2)
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out or Path('training/runs') / arguments.task
    arguments.steps = arguments.steps or TASKS[arguments.task].steps
    return arguments


class Trainer:
    """A training run that can be stopped after any iteration."""

    def __init__(
        self, out: Path, seed: int, steps: int, robots: int, threads: int, task: str = 'walk'
    ) -> None:
        """Begin a run; nothing is written before the first checkpoint."""
        torch.set_num_threads(1)  # so small a network gains nothing from a second one
        self.out = out
        self.settings = {'task': task, 'seed': seed, 'steps': steps, 'robots': robots}
        self.task = task
        if task == 'walk':
            self.env = WalkEnv(robots, seed, threads)
            self.learner = Learner(seed)
        else:  # from the shipped walk: it knows how to keep its balance
            layers = export.read_layers(export.WALK)
            stand = export.read_layers(export.STAND) if task == 'crouch' else None
            self.env = PostureEnv(task, robots, seed, layers, threads, stand)
            self.learner = Learner(seed, self.env.OBSERVATION, layers)
        self.batch_steps = robots * HORIZON
        self.iterations = max(1, steps // self.batch_steps)
        self.iteration = 0
        self.seconds = 0.0

    @property
    def checkpoint(self) -> Path:
        """Where the run is saved."""
        return self.out / 'checkpoint.pt'

    @property
    def policy(self) -> Path:
        """Where the packed policy is saved."""
        return self.out / f'{self.task}.kinfer'

    def iterate(self) -> dict[str, float]:
        """Collect one batch, learn from it, and return what there is to say about it."""
        begun = time.monotonic()
        steps = self.iteration * self.batch_steps
        task = TASKS[self.task]
        self.env.lesson = self.env.lessons[sum(steps >= end for end in task.lesson_ends)]
        batch, log = self.learner.collect(self.env)
        fade = task.learning_rate_fades_at // self.batch_steps
        begun_at = task.learning_rate_restarts_at // self.batch_steps
        since = self.iteration - begun_at if self.iteration >= begun_at else self.iteration
        log |= self.learner.update(batch, since / fade)
        self.iteration += 1
        self.seconds += time.monotonic() - begun
        return log

    def state(self) -> dict[str, Any]:
        """Return everything that a later process needs to go on."""
        return {
            'settings': self.settings,
            'iteration': self.iteration,
            'seconds': self.seconds,
            'learner': self.learner.state(),
            'env': self.env.state(),
        }

    def save(self) -> None:
        """Write the checkpoint and the policy; a crash leaves the old ones or the new ones."""
        self.out.mkdir(parents=True, exist_ok=True)
        unfinished = self.checkpoint.with_suffix('.tmp')
        torch.save(self.state(), unfinished)
        unfinished.replace(self.checkpoint)
        steps = self.iteration * self.batch_steps
        export.pack(
            self.policy,
            self.learner.actor,
            export.provenance(seed=self.settings['seed'], steps=steps),
            self.task,
        )

    def load(self) -> None:
        """Go on from the checkpoint, which must be of the same run."""
        state = torch.load(self.checkpoint, weights_only=False)
        # A checkpoint without a task is from before there was another than the walk.
        if {'task': 'walk', **state['settings']} != self.settings:
            raise ValueError(
                f'{self.checkpoint} is of a run with {state["settings"]}, not {self.settings}'
            )
        self.iteration, self.seconds = state['iteration'], state['seconds']
        self.learner.load_state(state['learner'])
        self.env.load_state(state['env'])

    def report(self, log: dict[str, float]) -> None:
        """Print a line of progress, and keep it."""
        steps = self.iteration * self.batch_steps
        left = self.seconds / self.iteration * (self.iterations - self.iteration)
        numbers = '  '.join(f'{name} {value:.3g}' for name, value in log.items())
        print(
            f'{self.iteration}/{self.iterations}  {steps / 1e6:.2f}M steps  '
            f'{self.seconds / 60:.1f} min  ETA {left / 60:.1f} min  {numbers}',
            flush=True,
        )
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / 'progress.jsonl').open('a') as file:
            record = {'steps': steps, 'seconds': round(self.seconds, 1), **log}
            file.write(json.dumps(record) + '\n')


def train(trainer: Trainer) -> bool:
    """Run to the end, or to the first Ctrl-C.

    :return: whether the end was reached.
    """
    asked_to_stop: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _: asked_to_stop.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    saved = time.monotonic()
    try:
        while trainer.iteration < trainer.iterations and not asked_to_stop:
            log = trainer.iterate()
            if trainer.iteration % REPORT_EVERY == 0 or trainer.iteration == trainer.iterations:
                trainer.report(log)
            if time.monotonic() - saved > CHECKPOINT_EVERY_S:
                trainer.save()
                saved = time.monotonic()
        trainer.save()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return not asked_to_stop


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says."""
    arguments = parse_arguments(argv)
    trainer = Trainer(
        arguments.out,
        arguments.seed,
        arguments.steps,
        arguments.robots,
        arguments.threads,
        arguments.task,
    )
    if arguments.resume:
        trainer.load()
    finished = train(trainer)
    state = 'done' if finished else 'stopped; --resume goes on'
    print(f'{state}: {trainer.policy}')
    return 0 if finished else 130


if __name__ == '__main__':
    sys.exit(main())
