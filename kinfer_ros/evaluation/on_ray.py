"""Runs the jobs of an evaluation on Ray: a cluster, or a Ray started on this machine.

Ray is an extra (`ray`). Policy, robot and this package need the same paths on every machine.
"""

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
    """Run one job per core, as `run_jobs` does; on the cluster of RAY_ADDRESS if that is set."""
    started = not ray.is_initialized()
    if started:
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
        if started:
            ray.shutdown()


def _result(reference: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        return ' '.join(str(error).split())[:300]
    return outcome
