"""Runs jobs on all cores: processes of their own, each with one job at a time.

concurrent.futures gives up everything when one process dies; here a crash (of MuJoCo, of ONNX
Runtime, of memory) costs the job that it happened in, by name, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

from kinfer_ros.errors import KinferRosError
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job

Outcome = dict[str, Any] | str
"""A result, or why there is none."""

POLL_S = 0.5
"""s between two looks of the caller, for its progress."""
TIMEOUT_S = 5.0


def cores() -> int:
    """Number of CPUs that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    job: Job | None = None


def run_jobs(
    subject: Subject, jobs: Sequence[Job], workers: int
) -> Generator[tuple[Job, Outcome] | None, None, None]:
    """
    Run jobs, at most `workers` at a time; whoever stops iterating ends the workers at once.

    :return: each job with its outcome as it comes, and None when nothing came for a while.
    """
    waiting = deque(jobs)
    team = [_start(subject) for _ in range(min(workers, len(jobs)))]
    try:
        for worker in team:
            _give(worker, waiting)
        while any(worker.job is not None for worker in team):
            ready = wait([worker.pipe for worker in team if worker.job is not None], POLL_S)
            if not ready:
                yield None
            for index, worker in enumerate(team):
                if worker.pipe in ready:
                    job, outcome = worker.job, _outcome(worker)
                    if not worker.process.is_alive():
                        worker.pipe.close()
                        worker = team[index] = _start(subject)
                    _give(worker, waiting)
                    assert job is not None
                    yield job, outcome
    finally:
        _end(team)


def _start(subject: Subject) -> _Worker:
    context = multiprocessing.get_context('spawn')  # a fork would copy the threads' locks
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(subject, theirs), daemon=True)
    # Ctrl-C reaches everybody, and the parent ends the workers. The child inherits the mask: it is
    # deaf from its first instruction on. What comes here meanwhile comes afterwards.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, waiting: deque[Job]) -> None:
    worker.job = waiting.popleft() if waiting else None
    if worker.job is not None:
        with contextlib.suppress(OSError):  # died while idle: found when its outcome is read
            worker.pipe.send(worker.job)


def _outcome(worker: _Worker) -> Outcome:
    try:
        outcome: Outcome = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(TIMEOUT_S)
        code = worker.process.exitcode
        died = f'signal {-code}' if code is not None and code < 0 else f'exit code {code}'
        return f'its process died ({died})'
    return outcome


def _end(team: Sequence[_Worker]) -> None:
    for worker in team:
        worker.process.kill()
    for worker in team:
        worker.process.join(TIMEOUT_S)
        worker.pipe.close()


def _work(subject: Subject, pipe: Connection) -> None:
    """Run jobs until the pipe is closed; the body of a worker."""
    logging.disable(logging.WARNING)  # of physics: the result says it, the progress goes on
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(outcome_of(subject, pipe.recv()))


def outcome_of(subject: Subject, job: Job) -> Outcome:
    """Run a job; what a user can mend becomes its outcome, as text."""
    try:
        return run_job(subject, job)
    except KinferRosError as error:
        return str(error)
