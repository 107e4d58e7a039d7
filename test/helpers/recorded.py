"""Real runs without DDS: the node's own run session and step log around the loop without ROS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.walking import MODEL
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.modes import Mode
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.parameters import STRUCTURE
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.setup import load_setup
from kinfer_ros.simulate import Simulation

DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in STRUCTURE}


def record_run(
    folder: Path,
    seconds: float,
    each_tick: Callable[[int, Simulation], None] | None = None,
    *,
    begin: Callable[[PolicySetup, RunSession], None] | None = None,
    **parameters: Any,
) -> Path:
    """
    Walk for some seconds of `run` and log every tick as the policy node does.

    :param each_tick: called before each tick with its number in the run directory, from 0.
    :param begin: called with what a node has after configure.
    :param parameters: of the policy node, in place of its defaults.
    :return: the run directory.
    """
    given = DEFAULTS | {
        'model': str(MODEL),
        'robot': 'biped',
        'runs_dir': str(folder / 'runs'),
        'duration': seconds,
        'auto_run': True,
        'default_command': [0.3, 0.0, 0.0],
        **parameters,
    }
    loaded = load_setup(given)
    session = RunSession(loaded, given)
    session.activation = 1
    if begin is not None:
        begin(loaded, session)
    robot = MujocoRobot(loaded.robot, seed=0)
    simulation = Simulation(loaded.controller, robot)
    session.odometer = simulation.odometer  # a node has its own, from the topic odom

    def log(s: Simulation) -> None:
        assert s.outcome is not None
        session.record(s.outcome, s.now_ns, 0, 0, (0, 0, 0, 0))
        if s.controller.mode is Mode.RUN:
            # As the tick does on a disk that keeps up: the writer's thread gets its turn.
            assert session.log.counters()['error'] is None
        if each_tick is not None:
            each_tick(session.log.step_id, s)

    simulation.run(seconds + 5.0, log)
    session.finish(loaded.controller.reason)
    assert session.log.counters()['dropped'] == 0
    return session.path


def other_model(folder: Path) -> Path:
    """The shipped policy under another hash."""
    archive = read_archive(MODEL)
    path = folder / 'other.kinfer'
    meta = dict(load_model(MODEL).contract.metadata) | {'note': 'another file'}
    write_archive(path, archive.init_fn, archive.step_fn, meta)
    assert load_model(path).contract.sha256 != load_model(MODEL).contract.sha256
    return path
