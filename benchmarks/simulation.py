"""The loop without ROS and an evaluation, beside a bare loop of physics and network.

    python benchmarks/simulation.py [--quick]

The bare loop does the least that moves the robot: it writes the targets of the same tick, calls
mj_step (with the torques of a PD controller before it, where the MJCF has motors) and runs a bound
ONNX Runtime session. It reads no sensor and checks nothing. Both loops run in turns in one
process, and end in the same state to the bit. Without this, an evaluation could spend its time
anywhere.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import mujoco
import numpy as np
from _beside import bare_session
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles

from helpers.policies.flat_policies import FLAT
from helpers.walking import MODEL
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import Trial
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import default_matrix
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

PERIOD_NS = 20_000_000
SECONDS = 20.0
BLOCK = 25
"""Ticks of one side until the other's turn."""
MOST = {'biped': 1.6, 'g1': 1.25, 'evaluation': 2.0}
"""Ratios to the bare loop."""
WORKERS = 2


class BareLoop:
    """Physics and network of the same robot, and nothing else."""

    def __init__(self, robot: MujocoRobot, policy: Policy) -> None:
        self._model, self._data = robot.model, robot.data
        self._actuator, self._substeps = robot.fitted.actuator, PERIOD_NS // robot.timestep_ns
        self._qpos, self._dof = robot.fitted.qpos, robot.fitted.dof
        self._motors = not robot.fitted.servo.any()
        self._kp, self._kd, self._limit = robot.gains()
        self._session = bare_session(policy)
        robot.hold_base(False)

    def tick(self, target: np.ndarray) -> None:
        """Step physics and network for one control period, targets [N] rad."""
        if self._motors:
            for _ in range(self._substeps):
                self._write_torque(target)
                mujoco.mj_step(self._model, self._data)
        else:
            self._data.ctrl[self._actuator] = target
            mujoco.mj_step(self._model, self._data, nstep=self._substeps)
        self._session()

    def _write_torque(self, target: np.ndarray) -> None:
        torque = self._kp * (target - self._data.qpos[self._qpos])
        torque -= self._kd * self._data.qvel[self._dof]
        torque = np.minimum(np.maximum(torque, -self._limit), self._limit)
        self._data.ctrl[self._actuator] = torque


@dataclass
class Turns:
    """
    Runs a bare loop in turns with ours, on our targets.

    :ivar ours: us of each of our ticks in mode run; `bare` of each bare one.
    """

    loop: Callable[[np.ndarray], None]
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    _targets: list[np.ndarray] = field(default_factory=list)
    _last: float | None = None

    def each_tick(self, simulation: Simulation) -> None:
        """Note the time since the last tick; after a block of them it is the other's turn."""
        now = time.perf_counter()
        if simulation.controller.mode is not Mode.RUN:
            return
        if self._last is not None:
            self.ours.append((now - self._last) * 1e6)
        self._targets.append(simulation.controller.target.copy())
        if len(self._targets) == BLOCK:
            self.bare += [self._timed(each) for each in self._targets]
            self._targets.clear()
        self._last = time.perf_counter()

    def _timed(self, target: np.ndarray) -> float:
        begin = time.perf_counter()
        self.loop(target)
        return (time.perf_counter() - begin) * 1e6


def loops(robot: Robot, policy: Policy, speed: float, seconds: float) -> Turns:
    """Walk without ROS, and beside it the bare loop."""
    settings = SessionSettings(
        period_ns=PERIOD_NS,
        auto_run=True,
        ramp_speed=0.5,
        default_command=(speed, 0.0, 0.0),
    )
    simulation = Simulation(assemble(policy, robot, settings), MujocoRobot(robot))
    turns: list[Turns] = []

    def each_tick(each: Simulation) -> None:
        if not turns and each.controller.mode is Mode.RUN:
            turns.append(Turns(_bare_twin(each, policy).tick))
        if turns:
            turns[0].each_tick(each)

    simulation.run(seconds, each_tick)
    return turns[0]


def _bare_twin(simulation: Simulation, policy: Policy) -> BareLoop:
    """A bare loop that begins in the state that the simulation is in."""
    ours = simulation.robot
    twin = MujocoRobot(ours.robot)
    twin.set_gains(*ours.gains())
    for name in ('qpos', 'qvel', 'qacc_warmstart'):
        getattr(twin.data, name)[:] = getattr(ours.data, name)
    return BareLoop(twin, policy)


def loop_figure(name: str, robot: Robot, policy: Policy, speed: float, seconds: float) -> Figure:
    """Ours beside the bare loop, a tick."""
    found = loops(robot, policy, speed, seconds)
    label = f'{name}: a tick without ROS, with its physics'
    figure = Figure(label, 'us', quantiles(found.ours), 'bare loop', quantiles(found.bare))
    return figure.bounded(figure.ratios[0], MOST[name], 'p50 ratio')


def biped(seconds: float) -> Figure:
    """The robot that ships."""
    return loop_figure('biped', load_robot('biped'), load_model(MODEL), 0.3, seconds)


def g1(seconds: float) -> list[Figure]:
    """A G1 with the policy of unitree_rl_lab, where its files are at hand."""
    flat = next(each for each in FLAT if each.name == 'g1')
    if flat.path is None:
        progress('no G1: its policy and MJCF are not part of the repository')
        return []
    with tempfile.TemporaryDirectory() as folder:
        robot = load_robot(flat.robot_yaml(Path(folder)))
        policy = load_model(flat.path, spec=flat.spec)
        return [loop_figure('g1', robot, policy, flat.speed, seconds)]


def bare_job(subject: Subject, job: Job) -> float:
    """S of the bare loop for one job: the ticks of its run, on its targets."""
    trial = Trial(subject, job)
    targets: list[np.ndarray] = []
    twins: list[BareLoop] = []

    def keep(simulation: Simulation) -> None:
        if not twins:
            twins.append(_bare_twin(simulation, trial.policy))
        targets.append(simulation.controller.target.copy())

    trial.run(keep)
    begin = time.perf_counter()
    for each in targets:
        twins[0].tick(each)
    return time.perf_counter() - begin


def bare_jobs(part: int, count: int, seconds: float) -> float:
    """S of the bare loops of every `count`-th job."""
    subject, jobs = evaluation_jobs(seconds)
    return sum(bare_job(subject, job) for job in jobs[part::count])


def evaluation_jobs(seconds: float) -> tuple[Subject, list[Job]]:
    """The jobs of `eval --robot biped --seconds ...`."""
    subject = Subject(MODEL, 'biped')
    matrix = default_matrix(subject.load()[0].contract)
    return subject, [
        Job(job.command, job.values, job.condition_name, job.condition, job.seed, seconds)
        for job in matrix.jobs()
    ]


def evaluation(seconds: float) -> Figure:
    """The whole command on two cores, beside the bare loops of the same jobs on two cores."""
    jobs = len(evaluation_jobs(seconds)[1])
    progress(f'evaluation of {jobs} runs of {seconds:g} s')
    with tempfile.TemporaryDirectory() as folder:
        words = ['-m', 'kinfer_ros', 'eval', str(MODEL), '--robot', 'biped', '--evals-dir', folder]
        words += ['--seconds', f'{seconds:g}', '--workers', str(WORKERS)]
        begin = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        ours = time.perf_counter() - begin
    progress('their bare loops')
    bare = max(_side_by_side(seconds))
    figure = Figure(f'evaluation of {jobs} runs', 's', (ours,), 'their bare loops', (bare,))
    return figure.bounded(figure.ratios[0], MOST['evaluation'], 'ratio')


def _side_by_side(seconds: float) -> list[float]:
    """S of the bare loops in each of WORKERS processes that run at the same time."""
    words = [sys.executable, __file__, '--bare', f'{seconds:g}']
    team = [
        subprocess.Popen([*words, str(part)], stdout=subprocess.PIPE, text=True)
        for part in range(WORKERS)
    ]
    return [float(each.communicate()[0].split()[-1]) for each in team]


def measure(*, quick: bool = False) -> list[Figure]:
    """All of it."""
    seconds = 5.0 if quick else SECONDS
    progress('loops without ROS')
    return [biped(seconds), *g1(seconds), evaluation(1.0 if quick else 10.0)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--bare', nargs=2, metavar=('SECONDS', 'PART'), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        seconds, part = arguments.bare
        print(bare_jobs(int(part), WORKERS, float(seconds)))
    else:
        print_figures('simulation', measure(quick=arguments.quick))


if __name__ == '__main__':
    main()
