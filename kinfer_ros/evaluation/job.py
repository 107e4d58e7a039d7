"""Runs one job: a policy on its robot, under one condition, in the loop without ROS.

Each job has a policy and a model of its own, so that its result does not depend on the jobs before
it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.bridges.mujoco.model import FittedModel
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.commands.sequence import Playback
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.evaluation.condition import Pushes
from kinfer_ros.evaluation.gait import GaitMeter
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import twist_of
from kinfer_ros.evaluation.meter import Meter
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

MAX_RAMP_S = 60.0
MIN_PATH_M = 0.5
"""m; path length from which energy per metre is computed."""

EachTick = Callable[[Simulation], None]


@dataclass(frozen=True)
class Subject:
    """The files of an evaluation; the same on every machine that takes part."""

    model: Path
    robot: str
    """A name in config/robots, or the path of a robot YAML."""
    spec: Path | None = None
    mjcf: str = ''
    """In place of the robot file's; and so are the next two."""
    imu_site: str = ''
    imu_mounting: tuple[float, ...] = ()

    def load(self) -> tuple[Policy, Robot]:
        """
        Load policy and robot.

        :raises KinferRosError: a file is missing or wrong, or the robot has no MJCF.
        """
        policy = load_model(self.model, spec=self.spec)
        robot = change_robot(
            load_robot(self.robot),
            mjcf=self.mjcf,
            imu_site=self.imu_site,
            imu_mounting=self.imu_mounting,
        )
        if robot.mjcf is None:
            raise ConfigError(
                f'robot {robot.name} ({robot.path}) names no mjcf: an evaluation simulates it '
                '(--mjcf FILE)'
            )
        return policy, robot


class LoadedSubject:
    """A subject's files, loaded once for many jobs: loading takes as long as hundreds of ticks."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._files: tuple[Policy, Robot] | None = None
        self._fitted: FittedModel | None = None

    def files(self) -> tuple[Policy, Robot]:
        """
        Return policy and robot for the next job; the policy begins anew.

        :raises KinferRosError: as `Subject.load`.
        """
        if self._files is None:
            self._files = self._subject.load()
        self._files[0].reset()
        return self._files

    def model(self) -> FittedModel:
        """
        Return a model for one job.

        :raises KinferRosError: the MJCF or another file is missing or wrong.
        """
        if self._fitted is None:
            self._fitted = fit_model(self.files()[1])
        return self._fitted.copy()


class Trial:
    """
    One job, ready to run.

    :ivar policy: of `loaded`, which one trial at a time may use.
    """

    def __init__(self, subject: Subject, job: Job, loaded: LoadedSubject | None = None) -> None:
        """
        Load the files, and compile the model, unless that is done.

        :param loaded: the subject, where many jobs share it.
        :raises KinferRosError: a file is wrong, or policy and robot do not fit.
        """
        self.job = job
        loaded = loaded or LoadedSubject(subject)
        self.policy, self.robot = loaded.files()
        settings = replace(
            _settings(self.policy.contract),
            auto_run=True,
            duration_ns=round(job.seconds * 1e9),
            fade_ns=0,
            default_command=twist_of(job.values),
        )
        self.controller = assemble(self.policy, self.robot, settings)
        self.simulated = MujocoRobot(
            self.robot,
            seed=job.seed,
            imu_noise=job.condition.imu_noise(),
            disturbance=job.condition.disturbance(job.seed),
            fitted=loaded.model(),
        )
        self.simulation = Simulation(self.controller, self.simulated)
        self._meter = Meter(self.simulated, settings.period_ns / 1e9)
        self._gait = GaitMeter(self.simulated, settings.period_ns / 1e9)
        self._pushes = Pushes(job.condition, job.seed)
        named = {name: v for name, v in job.values.items() if name not in TWIST_ENTRIES}
        self._named = list(named), list(named.values())
        self._playback = _playback(job, self.policy.contract)
        self._digest = hashlib.sha256()
        self._reason = ''

    def run(self, each_tick: EachTick | None = None) -> dict[str, Any]:
        """
        Run until the time is over, a fall or another fault.

        :param each_tick: called after each tick, before the physics steps.
        :return: the result, one line of the results file.
        """

        def tick(simulation: Simulation) -> None:
            self._tick(simulation)
            if each_tick is not None:
                each_tick(simulation)

        try:
            self.simulation.run(self.job.seconds + MAX_RAMP_S, tick)
        except BridgeError as error:  # unstable physics is a result as well
            self._reason = str(error)
        return self._result()

    def _tick(self, simulation: Simulation) -> None:
        controller = self.controller
        names, values = self._named
        if names:
            controller.inputs.command.set_named(names, values, simulation.now_ns)
        running = controller.mode is Mode.RUN
        if running and self._playback is not None:
            self._play(simulation.now_ns)
        self._meter.running = running
        if running:
            run_s = controller.run_ns / 1e9
            self._digest.update(controller.target.tobytes())
            commanded = self._commanded()
            changing = commanded if self._playback is not None else None
            self._meter.measure(run_s, simulation.base, changing)
            self._gait.measure(simulation.base, commanded)
            self._push(run_s)
        elif controller.mode is Mode.FAULT:
            self._reason = self._reason or controller.reason
            controller.request_fade()

    def _play(self, now_ns: int) -> None:
        values = self._playback.at(self.controller.run_ns / 1e9) if self._playback else None
        if values is not None:
            command = self.controller.inputs.command
            command.set_named(list(values), list(values.values()), now_ns)

    def _commanded(self) -> tuple[float, float, float]:
        """Return the velocity that the policy is told now; a heading turns at its rate."""
        command = self.controller.inputs.command
        x, y, rate = command.twist()
        return x, y, rate if 'yawrate' in command.names else twist_of(self.job.values)[2]

    def _push(self, run_s: float) -> None:
        push = self._pushes.due(run_s)
        if push is not None:
            self.simulated.push(push)
            x, y, _ = push
            self.controller.stats.say(f'pushed by {x:+.2f}, {y:+.2f} m/s')

    def _result(self) -> dict[str, Any]:
        job, meter, odometer = self.job, self._meter, self.simulation.odometer
        run_s = self.controller.run_ns / 1e9
        disturbance = job.condition.disturbance(job.seed)
        reason = self._reason or ('' if run_s >= job.seconds else 'the policy never ran')
        path, work_j = odometer.path, meter.work_j()
        return {
            'job': job.id,
            'survived': not reason,
            'reason': reason,
            'run_s': run_s,
            'velocity': meter.velocity(),
            'velocity_error': meter.error(twist_of(job.values)),
            'power_w': work_j / run_s if run_s else None,
            'energy_j_per_m': work_j / path if path >= MIN_PATH_M else None,
            **self._gait.result(),
            'distance_m': odometer.distance,
            'path_m': path,
            'drawn': {
                'friction': disturbance.friction,
                'payload': disturbance.payload,
                'torque': disturbance.torque,
                **self.simulated.errors.drawn(self.robot.joint_names, self.simulated.model),
            },
            'digest': self._digest.hexdigest()[:16],
        }


def _playback(job: Job, contract: Contract) -> Playback | None:
    if job.sequence is None:
        return None
    ranges = {name: contract.command_ranges.get(name) for name in contract.command_names}
    return Playback(job.sequence, ranges, job.values)


def _settings(contract: Contract) -> SessionSettings:
    """Return the settings of every job; a matrix can set any entry of the command."""
    rate_hz = contract.control_rate_hz or DEFAULT_RATE_HZ
    return SessionSettings(period_ns=round(1e9 / rate_hz), command_entries=contract.command_names)


def run_job(subject: Subject, job: Job, loaded: LoadedSubject | None = None) -> dict[str, Any]:
    """
    Run a job.

    :param loaded: the subject, where many jobs share it.
    :return: its result.
    :raises KinferRosError: a file is wrong, or policy and robot do not fit.
    """
    return Trial(subject, job, loaded).run()


def check_subject(subject: Subject) -> tuple[Policy, list[str]]:
    """
    Check before many jobs whether one can run: files, fit of policy and robot, a free base.

    :return: the policy, and warnings on the simulation.
    :raises KinferRosError: with the problem.
    """
    policy, robot = subject.load()
    simulated = MujocoRobot(robot)
    controller = assemble(policy, robot, _settings(policy.contract))
    Simulation(controller, simulated)
    if not simulated.base_is_free:
        raise KinferRosError(
            f'{robot.mjcf}: the base of {robot.name} cannot move (found no <freejoint/>): '
            'it can neither fall nor walk'
        )
    refusal = simulated.start_refusal(controller.live.max_tilt)
    if refusal:
        raise KinferRosError(refusal)
    return policy, list(simulated.warnings().values())
