"""The biped's own set: it stands, walks, crouches, takes pushes, and does not fall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

SET = Path(__file__).resolve().parents[1] / 'robots' / 'biped' / 'set.yaml'
TICKS = 50
"""In a second."""
GAIT_TICKS = 32
"""In a cycle of the walk."""


def run(
    seconds: float,
    ask: Mapping[int, str],
    pushes: Mapping[int, tuple[float, float, float]] | None = None,
    bases: list[np.ndarray] | None = None,
    speeds: list[np.ndarray] | None = None,
    command: tuple[float, float, float] = (0.3, 0.0, 0.0),
) -> tuple[Simulation, list[str], bytes]:
    """Run the set; ask for policies and push by tick of `run`.

    :param bases: gets the positions of the base [3], m.
    :param speeds: gets the velocities of the joints, rad/s.
    :return: the simulation as it ends, the policy of each tick, and the targets.
    """
    loaded, robot = load_set(SET), load_robot('biped')
    settings = SessionSettings(
        20_000_000,
        auto_run=True,
        duration_ns=round(seconds * 1e9),
        default_command=command,
    )
    controller = assemble_set(loaded, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot))
    ran: list[str] = []
    targets = bytearray()

    def tick(s: Simulation) -> None:
        if controller.mode is not Mode.RUN:
            return
        step = round(controller.run_ns / 20e6)
        if step in ask:
            assert controller.policies.request(ask[step], Mode.RUN) == ''
        if pushes and step in pushes:
            assert s.robot.push(pushes[step])
        ran.append(controller.policies.running)
        targets.extend(controller.target.tobytes())
        if bases is not None:
            bases.append(s.robot.data.qpos[:3].copy())
        if speeds is not None:
            speeds.append(s.robot.data.qvel[6:].copy())

    simulation.run(seconds + 5.0, tick)
    return simulation, ran, bytes(targets)


@pytest.mark.parametrize('phase', range(6))
def test_it_stands_walks_crouches_and_walks_on(phase):
    """At once from six moments of the gait, with a push in each policy."""
    stop = (3 + 5) * TICKS + phase * GAIT_TICKS // 6
    ask = {3 * TICKS: 'walk', stop: 'stand'}
    ask |= {stop + 2 * TICKS: 'crouch', stop + 5 * TICKS: 'stand', stop + 6 * TICKS: 'walk'}
    pushes = {
        2 * TICKS: (0.5, 0.0, 0.0),
        6 * TICKS: (0.0, 0.2, 0.0),
        stop + 4 * TICKS: (-0.2, 0.1, 0.0),
    }
    simulation, ran, _ = run((stop + 8 * TICKS) / TICKS, ask, pushes)
    controller = simulation.controller
    assert controller.counts['faults'] == 0, controller.reason
    assert controller.reason == 'duration reached'
    order = [name for name, before in zip(ran, ['', *ran], strict=False) if name != before]
    assert order == ['stand', 'walk', 'stand', 'crouch', 'stand', 'walk']
    assert simulation.odometer.distance > 1.2


@pytest.mark.parametrize('direction', range(12))
def test_the_stand_takes_a_push(direction):
    """0.5 m/s from every side, at which the walk falls in about half."""
    angle = math.tau * direction / 12
    push = (0.5 * math.cos(angle), 0.5 * math.sin(angle), 0.0)
    bases: list[np.ndarray] = []
    simulation, _, _ = run(7.0, {}, {TICKS: push}, bases=bases)
    assert simulation.controller.counts['faults'] == 0, simulation.controller.reason
    # It was moved, and stands still again.
    assert np.ptp(bases[-TICKS:], axis=0).max() < 0.01
    assert np.ptp(bases, axis=0)[:2].max() > 0.04


def test_the_crouch_is_lower_and_the_stand_comes_back_up():
    """By 15 cm, quietly; that is what one sees of a transition."""
    bases: list[np.ndarray] = []
    run(8.0, {TICKS: 'crouch', 4 * TICKS: 'stand'}, bases=bases)
    heights = np.array(bases)[:, 2]
    stand, crouch, again = heights[TICKS], heights[4 * TICKS - 1], heights[-1]
    assert stand - crouch == pytest.approx(0.15, abs=0.03)
    assert np.ptp(heights[3 * TICKS : 4 * TICKS]) < 0.002
    assert again == pytest.approx(stand, abs=0.02)


@pytest.mark.parametrize('phase', range(0, GAIT_TICKS, 8))
@pytest.mark.parametrize('command', [(0.1, 0.0, 0.0), (0.45, 0.0, 0.0), (0.3, 0.1, 0.5)])
def test_from_a_walk_the_crouch_comes_by_way_of_the_stand(command, phase):
    """Nobody has to know the way: the set finds it, and waits until the robot is at rest."""
    asked = 4 * TICKS + phase
    simulation, ran, _ = run(9.0, {TICKS: 'walk', asked: 'crouch'}, command=command)
    assert simulation.controller.counts['faults'] == 0, simulation.controller.reason
    first = ran.index('crouch')
    assert set(ran[asked + 1 : first]) == {'stand'}
    assert set(ran[first:]) == {'crouch'}


def test_the_stand_does_not_tremble():
    """A policy that catches pushes is stiff, and a stiff one trembles when commands come late."""
    speeds: list[np.ndarray] = []
    run(8.0, {}, {TICKS: (0.5, 0.0, 0.0)}, speeds=speeds)
    assert np.abs(speeds[-2 * TICKS :]).max() < 0.1


def test_the_same_run_gives_the_same_bits():
    """Transitions included."""
    ask = {TICKS: 'walk', 3 * TICKS: 'stand', 4 * TICKS: 'crouch'}
    assert run(5.0, ask)[2] == run(5.0, ask)[2]
