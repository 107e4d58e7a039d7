"""Runs the jobs of an evaluation on Ray: a cluster, or a Ray that is started on this machine.

Apart, because Ray is an extra (`ray`). The files of the policy and the robot, and this package,
have to be in the same place on every machine.
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Sequence
from typing import Any

import ray

from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.workers import POLL_S
from kinfer_ros.evaluation.workers import Outcome
from kinfer_ros.evaluation.workers import outcome_of


def run_jobs_on_ray(
    subject: Subject, jobs: Sequence[Job]
) -> Generator[tuple[Job, Outcome] | None, None, None]:
    """Run jobs, one a core; like `run_jobs`. Where RAY_ADDRESS is set, on that cluster."""
    begun = not ray.is_initialized()
    if begun:
        ray.init(log_to_driver=False, include_dashboard=False)
    remote = ray.remote(num_cpus=1, max_retries=0)(outcome_of)
    waiting: dict[Any, Job] = {remote.remote(subject, job): job for job in jobs}
    try:
        while waiting:
            ready, _ = ray.wait(list(waiting), timeout=POLL_S)
            if not ready:
                yield None
            for reference in ready:
                yield waiting.pop(reference), _result(reference)
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        if begun:
            ray.shutdown()


def _result(reference: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        return ' '.join(str(error).split())[:300]
    return outcome
