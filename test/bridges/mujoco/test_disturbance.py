"""A robot that is worse than its drawing, by as much as was asked for and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.disturbance import UNDISTURBED
from kinfer_ros.bridges.mujoco.disturbance import CommandLine
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot

BAD = Disturbance(
    friction=0.5, payload=0.1, torque=0.8, gain_error=0.2, joint_zero_error=0.05,
    joint_position_noise=0.01, joint_velocity_noise=0.1, command_delay=(0.0, 0.02),
    command_drop=0.2,
)  # fmt: skip


@pytest.fixture
def tiny(tmp_path):
    return load_robot(write_robot(tmp_path))


def trace(robot: MujocoRobot) -> np.ndarray:
    """What the joints read and truly did, over 40 commands."""
    rows = []
    arrays = np.empty((3, 2))
    for k in range(40):
        robot.set_target([0.3 * np.sin(0.3 * k), -0.3])
        robot.step(5)
        robot.joint_state(*arrays)
        rows.append(np.concatenate([arrays.ravel(), robot.data.qpos]))
    return np.array(rows)


def test_the_same_seed_is_the_same_robot(tiny):
    """The worst case of an evaluation has to come again."""
    first, again, other = (
        trace(MujocoRobot(tiny, seed=seed, disturbance=BAD)) for seed in (3, 3, 4)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_without_a_disturbance_every_bit_stays(tiny):
    """Stepping one by one, for a meter, is the same physics as all at once."""
    plain, watched = MujocoRobot(tiny), MujocoRobot(tiny, disturbance=UNDISTURBED)
    seen = []
    watched.after_step = lambda: seen.append(watched.time_ns)
    assert trace(plain).tobytes() == trace(watched).tobytes()
    assert seen == [2_000_000 * n for n in range(1, 201)]


@pytest.mark.parametrize('name', ['friction', 'payload', 'torque', 'gain_error'])
def test_each_of_them_changes_the_motion(tiny, name):
    """A disturbance that does nothing would make every policy look robust."""
    robots = [MujocoRobot(tiny), MujocoRobot(tiny, disturbance=Disturbance(**_one(name)))]
    for robot in robots:
        robot.hold_base(False)
        robot.data.qvel[0] = 1.0
        for _ in range(6):  # falls, lies and slides
            robot.set_target([1.0, -2.0])
            robot.step(100)
    apart = np.abs(robots[0].data.qpos - robots[1].data.qpos).max()
    assert apart > 1e-3


def _one(name):
    return {name: getattr(BAD, name)}


def test_payload_is_a_share_of_the_whole_robot(tiny):
    """In kg it would be a feather to one robot and a rock to another."""
    plain, laden = MujocoRobot(tiny), MujocoRobot(tiny, disturbance=Disturbance(payload=0.5))
    masses = [float(robot.model.body_subtreemass[robot.fitted.base]) for robot in (plain, laden)]
    assert masses == pytest.approx([6.0, 9.0])


def test_an_encoder_that_is_off_fools_its_servo_too(tiny):
    """What is read and what is obeyed come from one encoder: the reading reaches the target."""
    robot = MujocoRobot(tiny, seed=1, disturbance=Disturbance(joint_zero_error=0.1))
    robot.set_gains([60, 40], [3, 2], [10, 8])
    target = np.array([0.1, -0.3])
    robot.set_target(target)
    np.testing.assert_allclose(robot.target(), target)
    robot.step(2000)
    arrays = np.empty((3, 2))
    robot.joint_state(*arrays)
    off = arrays[0] - robot.data.qpos[robot.fitted.qpos]
    assert (np.abs(off) > 1e-3).all()
    assert (np.abs(off) <= 0.1).all()
    np.testing.assert_allclose(arrays[0], target, atol=0.05)


def test_joint_noise_has_the_size_that_was_asked_for(tiny):
    """Noise in the wrong unit would be found on the robot only."""
    noise = Disturbance(joint_position_noise=0.02, joint_velocity_noise=0.5)
    robot = MujocoRobot(tiny, disturbance=noise)
    readings = np.empty((2000, 3, 2))
    for reading in readings:
        robot.joint_state(*reading)
    np.testing.assert_allclose(readings[:, 0].std(axis=0), 0.02, rtol=0.1)
    np.testing.assert_allclose(readings[:, 1].std(axis=0), 0.5, rtol=0.1)
    assert np.ptp(readings[:, 2]) == np.ptp(readings[0, 2])


def sent(disturbance: Disturbance, count: int = 2000) -> list[tuple[int, float]]:
    """Step and number of each command that arrives; one is sent every 10 steps of 1 ms."""
    line = CommandLine(disturbance, 0, 0.001)
    arrived = []
    for step in range(10 * count):
        if step % 10 == 0:
            line.send(np.array([step / 10]), step)
        target = line.due(step)
        if target is not None:
            arrived.append((step, float(target[0])))
    return arrived


def test_commands_are_late_by_as_much_and_in_order():
    """A command that overtakes an older one would be undone by it."""
    arrived = sent(Disturbance(command_delay=(0.003, 0.030)))
    late = [step - 10 * number for step, number in arrived]
    assert min(late) >= 3
    assert max(late) <= 30
    numbers = [number for _, number in arrived]
    assert numbers == sorted(numbers)
    assert 12 < np.mean(late) < 22


def test_commands_are_lost_as_often_as_asked():
    """The last one that came is held."""
    arrived = sent(replace(UNDISTURBED, command_drop=0.3))
    assert len(arrived) == pytest.approx(1400, abs=70)
    assert all(step == 10 * number for step, number in arrived)


def test_damping_does_not_wait_for_late_commands(tiny):
    """A stop that an older target undoes would be none."""
    robot = MujocoRobot(tiny, disturbance=Disturbance(command_delay=(0.02, 0.02)))
    robot.set_target([0.5, 0.5])
    robot.damp()
    robot.step(50)
    assert robot.damped
