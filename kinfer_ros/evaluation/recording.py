"""Records one job of an evaluation as a run directory, for replay and report."""

import time
from pathlib import Path
from typing import Any

from kinfer_ros.contract.report import check_contract
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import Trial
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import twist_of
from kinfer_ros.run.parameters import POLICY_PARAMETERS
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.simulate import Simulation

MAX_WAITING = 100
"""Records that may wait to be written."""
WRITER_TIMEOUT_S = 5.0


def record_job(subject: Subject, job: Job, runs_dir: Path) -> tuple[dict[str, Any], Path]:
    """
    Run a job and log every tick.

    :return: the result, and the run directory.
    :raises KinferRosError: a file is wrong, or the run directory cannot be written.
    """
    trial = Trial(subject, job)
    policy, controller = trial.policy, trial.controller
    loaded = PolicySetup(
        policy=policy,
        robot=trial.robot,
        controller=controller,
        gains=gains(policy.contract, trial.robot),
        rate_hz=1e9 / controller.settings.period_ns,
        report=check_contract(policy, trial.robot),
    )
    parameters = {entry.name: entry.default for entry in POLICY_PARAMETERS} | {
        'model': str(subject.model),
        'spec': str(subject.spec or ''),
        'robot': subject.robot,
        'imu_mounting': list(subject.imu_mounting) or [0.0] * 4,
        'runs_dir': str(runs_dir),
        'duration': job.seconds,
        'auto_run': True,
        'fade_time': 0.0,
        'default_command': list(twist_of(job.values)),
    }
    session = RunSession(loaded, parameters)
    session.activation = 1
    session.odometer = trial.simulation.odometer
    session.directory.write_run_json({'evaluation': job.id})

    def log(simulation: Simulation) -> None:
        assert simulation.outcome is not None
        session.record(simulation.outcome, simulation.now_ns, 0, 0, (0, 0, 0, 0))
        if session.log.step_id % MAX_WAITING == 0:
            _wait_for_writer(session)

    record = trial.run(log)
    session.finish(record['reason'] or controller.reason)
    return record, session.path


def _wait_for_writer(session: RunSession) -> None:
    """Wait until the disk has caught up with the simulation: no record may be dropped."""
    deadline = time.monotonic() + WRITER_TIMEOUT_S
    while time.monotonic() < deadline:
        counters = session.log.counters()
        if counters['error'] or session.log.step_id - counters['written'] < MAX_WAITING:
            return
        time.sleep(0.005)
