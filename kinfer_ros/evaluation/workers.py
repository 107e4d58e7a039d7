"""Runs jobs in parallel worker processes, one job at a time in each.

A crash (of MuJoCo, of ONNX Runtime, for want of memory) costs the job that it happened in; the
other jobs go on. No library does this: concurrent.futures gives up all jobs when one process dies,
and so does pebble (5.2.3) when a worker dies before it has taken a job: with one of four workers
killed while it was starting, 10 of 10 jobs had no result. In pebble a job whose worker dies right
after taking it can also stay `running` for ever: 11 of 600 did, beside a busy main process.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

from kinfer_ros.errors import KinferRosError
from kinfer_ros.evaluation.job import LoadedSubject
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job

Outcome = dict[str, Any] | str
"""The result of a job, or the reason why there is none."""

POLL_S = 0.5
"""s until the caller is told that nothing came, for its progress display."""
JOIN_TIMEOUT_S = 5.0


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
    Run jobs, at most `workers` at a time; closing the generator kills the workers.

    :return: each job with its outcome when it is done, and None after POLL_S without one.
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
    context = multiprocessing.get_context('spawn')  # a fork would copy locks held by threads
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(subject, theirs), daemon=True)
    # A Ctrl-C in a terminal reaches every process, and the parent ends the workers. They inherit
    # a mask that blocks SIGINT from their first instruction on. The tracker has to run before:
    # starting it, as the first start of a process does, unblocks SIGINT again.
    resource_tracker.ensure_running()
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
        with contextlib.suppress(OSError):  # it died while idle: `_outcome` says so
            worker.pipe.send(worker.job)


def _outcome(worker: _Worker) -> Outcome:
    try:
        outcome: Outcome = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(JOIN_TIMEOUT_S)
        code = worker.process.exitcode
        died = f'signal {-code}' if code is not None and code < 0 else f'exit code {code}'
        return f'its process died ({died})'
    return outcome


def _end(team: Sequence[_Worker]) -> None:
    for worker in team:
        worker.process.kill()
    for worker in team:
        worker.process.join(JOIN_TIMEOUT_S)
        worker.pipe.close()


def _work(subject: Subject, pipe: Connection) -> None:
    """Run jobs until the pipe is closed; the main function of a worker."""
    logging.disable(logging.WARNING)  # physics warnings are in the result
    loaded = LoadedSubject(subject)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(outcome_of(subject, pipe.recv(), loaded))


def outcome_of(subject: Subject, job: Job, loaded: LoadedSubject | None = None) -> Outcome:
    """Run a job; the text of an error that a user can correct becomes its outcome."""
    try:
        return run_job(subject, job, loaded)
    except KinferRosError as error:
        return str(error)
