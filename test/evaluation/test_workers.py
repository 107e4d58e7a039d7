"""Jobs on all cores: a crash costs one job, and nothing outlives its caller."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import threading
from dataclasses import replace

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


def test_a_worker_is_deaf_to_ctrl_c_from_its_start():
    """One that is still importing would else die, with a traceback of its own."""
    found = []

    def collect() -> None:
        found.extend(outcome for outcome in run_jobs(BIPED, [SHORT], 1) if outcome)

    thread = threading.Thread(target=collect)
    thread.start()
    while thread.is_alive():
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signal.SIGINT)
        thread.join(0.02)
    ((_, result),) = found
    assert result['job'] == 'stand/rough/0'


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
