"""Films one job of an evaluation, in lockstep: every frame is drawn."""

from pathlib import Path
from typing import Any

from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import Trial
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.simulate import Simulation
from kinfer_ros.viewers.film import Film
from kinfer_ros.viewers.film_progress import Say

CLOSE_TIMEOUT_S = 60.0
"""For the frames that wait: a picture takes a second where there is no GPU."""


def film_job(
    subject: Subject, job: Job, path: Path, say: Say = lambda _: None
) -> tuple[dict[str, Any], str]:
    """
    Run a job again, with the same numbers, and film it.

    :param say: takes lines on how long that takes, and how far it is.
    :return: its result, and one line on the film.
    :raises KinferRosError: a file is wrong, or nothing can be filmed here.
    """
    trial = Trial(subject, job)
    film = Film(path, trial.simulated, waits=True, say=say, seconds=job.seconds)

    def show(simulation: Simulation) -> None:
        film.show(simulation.now_ns)

    try:
        record = trial.run(show)
    finally:
        said = film.close(CLOSE_TIMEOUT_S)
    return record, said
