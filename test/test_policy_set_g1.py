"""A G1 walks, dances and walks on, in the loop without ROS: no fall, and replayed to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies.g1_set import AFTER_S
from helpers.policies.g1_set import DANCE_S
from helpers.policies.g1_set import TICK_S
from helpers.policies.g1_set import WALK_S
from helpers.policies.g1_set import g1_set
from helpers.policies.motions import dance_robot
from helpers.recorded import record_run
from helpers.shared import shared_path
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.gains.policy_gains import policy_joints
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.rotations import rotation_matrix
from kinfer_ros.simulate import Simulation

GAIT_S = 0.7
"""s of a step of the walk, over which its phases are spread."""


@pytest.fixture
def files(tmp_path):
    """:return: set file and robot file."""
    path = g1_set(tmp_path)
    if path is None:
        pytest.skip('the shared policies are not here')
    return path, dance_robot(tmp_path)


def walk_and_dance(files, ask: dict[int, str], seconds: float) -> tuple[Simulation, list[float]]:
    """Run and ask for policies by tick; :return: simulation, and squared errors of the dance."""
    loaded, robot = load_set(files[0]), load_robot(files[1])
    settings = SessionSettings(
        20_000_000, auto_run=True, duration_ns=round(seconds * 1e9), default_command=(0.5, 0, 0)
    )
    controller = assemble_set(loaded, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot))
    dance = loaded.policies['dance']
    order = [robot.joint_names.index(name) for name in dance.contract.joint_names]
    errors: list[float] = []

    def tick(s: Simulation) -> None:
        if controller.mode is not Mode.RUN:
            return
        name = ask.get(round(controller.run_ns / 20e6))
        if name is not None:
            assert controller.policies.request(name, Mode.RUN) == ''
        if controller.policies.running == 'dance' and controller.ran:
            errors.append(
                float(np.square(s._position[order] - dance.recorded['reference']).mean())
            )

    simulation.run(seconds + 8.0, tick)
    return simulation, errors


@pytest.mark.parametrize('phase', range(6))
def test_it_walks_dances_and_walks_on(files, phase):
    """From six moments of the gait; the dance as close to its motion as in a plain loop."""
    start = round((WALK_S + phase * GAIT_S / 6) / TICK_S)
    seconds = start * TICK_S + DANCE_S + AFTER_S
    simulation, errors = walk_and_dance(files, {start: 'dance'}, seconds)
    controller = simulation.controller
    assert controller.counts['faults'] == 0, controller.reason
    assert controller.reason == 'duration reached'
    assert controller.policies.running == 'walk'
    assert len(errors) == 1201
    assert np.sqrt(np.mean(errors)) <= 0.09
    assert simulation.odometer.distance > 2.5


@pytest.mark.parametrize('after_s', [2.0, 6.0, 10.0, 14.0, 18.0, 22.0])
def test_a_dance_that_is_broken_off_ends_in_the_walk(files, after_s):
    """At six moments in the middle of the motion: gains and targets change in one tick."""
    start = round(WALK_S / TICK_S)
    ask = {start: 'dance', start + round(after_s / TICK_S): 'walk'}
    simulation, _ = walk_and_dance(files, ask, WALK_S + after_s + AFTER_S)
    assert simulation.controller.counts['faults'] == 0, simulation.controller.reason
    assert simulation.controller.policies.running == 'walk'


def test_the_run_replays_to_the_bit(files, tmp_path):
    """Records of two layouts in one log: every output, target and carry again."""
    start = 100

    def ask(step: int, simulation: Simulation) -> None:
        words = {start: 'dance', start + 150: 'walk'}
        if simulation.controller.mode is Mode.RUN and step in words:
            assert simulation.controller.policies.request(words[step], Mode.RUN) == ''

    path = record_run(
        tmp_path, 7.0, ask, model='', policies=str(files[0]), robot=str(files[1]),
        default_command=[0.5, 0.0, 0.0],
    )  # fmt: skip
    run, loaded = RecordedRun.open(path), load_set(files[0])
    replay = Replay(run, loaded.entry, lambda name: loaded.policies[name])
    names = []
    for record in run.records():
        names.append(record['policy'])
        replay.feed(record)
    assert set(names) == {'walk', 'dance'}
    assert replay.outcome.identical, replay.outcome.first
    assert replay.outcome.tensors['output'].compared == replay.outcome.run_records == 350
    assert replay.outcome.tensors['target'].compared == 350
    assert replay.outcome.tensors['carry'].compared >= 7
    columns = read_columns(run)
    assert np.isfinite(columns.rows['target']).all(axis=1).sum() >= 350


def test_observations_targets_and_gains_are_golden(files):
    """Walk, dance, walk as a plain loop recorded them: each entered with fresh state."""
    golden_file = shared_path('policies/g1_walk_dance_walk/golden.npz')
    if golden_file is None:
        pytest.skip('the shared policies are not here')
    with np.load(golden_file, allow_pickle=False) as file:
        golden = dict(file)
    loaded, robot = load_set(files[0]), load_robot(files[1])
    names = [str(name) for name in golden['joint_names']]
    for segment, name, kp in (
        (0, 'walk', 'velocity'),
        (1, 'dance', 'motion'),
        (2, 'walk', 'velocity'),
    ):
        policy = loaded.policies[name]
        policy.reset()
        order = [names.index(joint) for joint in policy.contract.joint_names]
        requested = gains(policy.contract, robot)
        places = policy_joints(policy.contract, robot)
        np.testing.assert_allclose(requested.kp[places], golden[f'kp_{kp}'][order], rtol=1e-6)
        np.testing.assert_allclose(requested.kd[places], golden[f'kd_{kp}'][order], rtol=1e-6)
        for row, tick in enumerate(np.flatnonzero(golden['segment'] == segment)):
            target = policy.step(
                {key: _golden_input(golden, key, tick, order) for key in policy.inputs}
            )
            flat = policy._session.flat
            np.testing.assert_allclose(flat, golden[f'obs{segment}'][row], atol=1e-5)
            np.testing.assert_allclose(target, golden['target'][tick][order], atol=1e-5)


def _golden_input(golden, key: str, tick: int, order: list[int]) -> np.ndarray:
    """One input of a policy from the recorded sensors."""
    if key == 'joint_angles':
        return golden['q'][tick][order]
    if key == 'joint_angular_velocities':
        return golden['qd'][tick][order]
    if key == 'projected_gravity':
        return rotation_matrix(golden['base_quat'][tick]).T @ (0.0, 0.0, -9.81)
    if key == 'motion_control':
        return np.array([1.0, 0.0])
    return golden[{'gyroscope': 'gyro', 'quaternion': 'base_quat', 'command': 'command'}[key]][
        tick
    ]
