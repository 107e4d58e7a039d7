"""Jobs on all cores: a crash costs one job, and nothing outlives its caller."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.walking import MODEL
from kinfer_ros.evaluation.condition import CONDITIONS
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.workers import run_jobs

BIPED = Subject(MODEL, 'biped')
LONG = Job('forward', {'xvel': 0.3}, 'rough', CONDITIONS['rough'], 0, 3600.0)
SHORT = replace(LONG, command='stand', values={}, seconds=1.0)


def test_a_crash_costs_its_job_alone():
    """One worker, killed in the middle of a long job: named, and the next one runs."""
    found = []
    outcomes = run_jobs(BIPED, [SHORT, LONG, replace(SHORT, seed=1)], workers=1)
    for outcome in outcomes:
        if outcome is None:
            continue
        found.append(outcome)
        if len(found) == 1:
            (worker,) = multiprocessing.active_children()
            worker.kill()
    (first, result), (crashed, reason), (last, another) = found
    assert (first, crashed, last) == (SHORT, LONG, replace(SHORT, seed=1))
    assert result == run_job(BIPED, SHORT), 'a worker gives what this process gives'
    assert reason == 'its process died (signal 9)'
    assert another['job'] == 'stand/rough/1'
    assert not multiprocessing.active_children()


def test_a_worker_killed_while_it_starts_costs_one_job():
    """Killed for want of memory in its imports, say: pools of libraries give up there."""
    next_one = replace(SHORT, seed=1)

    def kill_the_first() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.001)
        children[0].kill()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    outcomes = [found for found in run_jobs(BIPED, [SHORT, next_one], 1) if found]
    killer.join()
    (job, reason), (last, result) = outcomes
    assert (job, reason) == (SHORT, 'its process died (signal 9)')
    assert last == next_one
    assert result['job'] == 'stand/rough/1'


FIRST_WORKER = """
import multiprocessing
from test_workers import LONG, BIPED
from kinfer_ros.evaluation.workers import run_jobs

outcomes = run_jobs(BIPED, [LONG, LONG], 2)
next(outcomes)
for worker in multiprocessing.active_children():
    with open(f'/proc/{worker.pid}/status') as file:
        print(*(line for line in file if line.startswith('SigBlk')), end='')
outcomes.close()
"""


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='no /proc')
def test_workers_block_ctrl_c_from_their_start():
    """Else one that is still importing dies, with a traceback of its own."""
    done = subprocess.run(
        [sys.executable, '-c', FIRST_WORKER], capture_output=True, text=True, timeout=60,
        check=True, env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )  # fmt: skip
    masks = [int(line.split()[1], 16) for line in done.stdout.splitlines()]
    assert len(masks) == 2
    assert all(mask & 1 << (signal.SIGINT - 1) for mask in masks)


def test_a_users_mistake_is_an_outcome():
    """A file that vanished under way is not a crash."""
    gone = Subject(MODEL.with_name('gone.kinfer'), 'biped')
    ((_, reason),) = [found for found in run_jobs(gone, [SHORT], 1) if found]
    assert 'gone.kinfer' in reason


def test_who_stops_listening_ends_the_workers():
    """Ctrl-C must not leave a core busy for an hour."""
    outcomes = run_jobs(BIPED, [LONG], 1)
    assert next(outcomes) is None
    assert multiprocessing.active_children()
    outcomes.close()
    assert not multiprocessing.active_children()


@pytest.mark.skipif(importlib.util.find_spec('ray') is None, reason='ray is not installed')
def test_ray_gives_the_same_numbers():
    """A cluster is the same jobs elsewhere."""
    from kinfer_ros.evaluation.on_ray import run_jobs_on_ray

    gone = Subject(MODEL.with_name('gone.kinfer'), 'biped')
    found = [outcome for outcome in run_jobs_on_ray(BIPED, [SHORT]) if outcome]
    assert found == [(SHORT, run_job(BIPED, SHORT))]
    ((_, reason),) = [outcome for outcome in run_jobs_on_ray(gone, [SHORT]) if outcome]
    assert 'gone.kinfer' in reason
