"""The MuJoCo robot: held still, honest sensors, exact gains, and the same bits every time."""

import mujoco
import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import YAML
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import load_robot


@pytest.fixture
def tiny(tmp_path):
    return load_robot(write_robot(tmp_path))


def joints(robot: MujocoRobot) -> np.ndarray:
    arrays = np.empty((3, len(robot.robot.joints)))
    robot.joint_state(*arrays)
    return arrays


def imu(robot: MujocoRobot) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    reading = np.empty(4), np.empty(3), np.empty(3)
    robot.imu(*reading)
    return reading


def base(robot: MujocoRobot) -> tuple[np.ndarray, ...]:
    truth = np.empty(3), np.empty(4), np.empty(3), np.empty(3)
    robot.base(*truth)
    return truth


def test_held_base_is_still_and_feels_gravity():
    """The policy ramps in this state: an IMU that says "falling" would be a fault at once."""
    robot = MujocoRobot(load_robot('biped'))
    start = base(robot)
    robot.step(250)
    position, quat, linear, angular = base(robot)
    _, gyro, accel = imu(robot)
    assert np.abs(position - start[0]).max() < 1e-5
    assert np.abs(quat - start[1]).max() < 1e-5
    assert max(np.abs(linear).max(), np.abs(angular).max(), np.abs(gyro).max()) < 1e-5
    np.testing.assert_allclose(accel, [0.0, 0.0, 9.81], atol=1e-3)


def test_held_base_stays_while_legs_move():
    """Ramps move every joint; what holds the base must not be a soft spring."""
    robot = MujocoRobot(load_robot('biped'))
    start = base(robot)[0]
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(50):
        robot.set_target(robot.robot.home + 0.1 * rng.standard_normal(12))
        robot.step(5)
        worst = max(worst, np.abs(base(robot)[0] - start).max())
    assert worst < 1e-3


def test_letting_go_does_not_kick():
    """The robot must not be thrown by the very moment in which the policy takes over."""
    robot = MujocoRobot(load_robot('biped'))
    robot.step(250)
    robot.hold_base(False)
    robot.step()
    position, _, linear, angular = base(robot)
    # In one step nothing can gain more speed than gravity and its own weight on the feet give.
    assert np.abs(linear).max() < 9.81 * 0.004
    assert np.abs(angular).max() < 0.2
    robot.step(25)
    assert base(robot)[0][2] > position[2] - 0.01
    assert np.abs(base(robot)[2]).max() < 0.1


def test_free_fall_and_push(tiny):
    """Let go in the air it falls, and a push adds exactly what was asked for, in the world."""
    robot = MujocoRobot(tiny)
    assert robot.push([1.0, 0.0, 0.0]) is False
    robot.data.qpos[2] += 2.0
    robot.hold_base(False)
    assert robot.push([1.0, 0.5, 0.0]) is True
    robot.step(50)
    assert robot.data.qvel[0] == pytest.approx(1.0, abs=0.1)
    assert robot.data.qvel[2] < -0.7
    with pytest.raises(BridgeError, match='expected 3 finite numbers'):
        robot.push([float('nan'), 0.0, 0.0])


def test_twist_is_in_the_base_frame(tiny):
    """REP-105 and every odometry consumer: child frame, not world."""
    robot = MujocoRobot(tiny)
    robot.hold_base(False)
    half = np.sqrt(0.5)
    robot.data.qpos[3:7] = [half, 0.0, 0.0, half]  # looks along the world's y
    robot.data.qvel[:6] = [0.0, 2.0, 0.0, 0.1, 0.2, 0.3]
    mujoco.mj_forward(robot.model, robot.data)
    _, quat, linear, angular = base(robot)
    np.testing.assert_allclose(quat, [half, 0, 0, half], atol=1e-12)
    np.testing.assert_allclose(linear, [2.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(angular, [0.1, 0.2, 0.3], atol=1e-12)


def test_equals_a_plain_mujoco_loop():
    """Reading sensors and holding them current must not change the motion by one bit."""
    description = load_robot('biped')
    robot = MujocoRobot(description)
    robot.hold_base(False)
    model = mujoco.MjModel.from_xml_path(str(description.mjcf))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key('home').id)
    rng = np.random.default_rng(0)
    for _ in range(50):
        target = description.home + 0.1 * rng.standard_normal(12)
        robot.set_target(target)
        data.ctrl[:] = target
        robot.step(5)
        imu(robot)
        for _ in range(5):
            mujoco.mj_step(model, data)
    np.testing.assert_array_equal(robot.data.qpos, data.qpos)
    np.testing.assert_array_equal(robot.data.qvel, data.qvel)


def test_sensors_are_of_the_present_state(tiny):
    """mj_step leaves the sensors one step behind the state; a policy would see old data."""
    robot = MujocoRobot(tiny)
    robot.hold_base(False)
    robot.data.qvel[3:6] = [0.3, -0.2, 0.1]
    robot.step(7)
    _, gyro, _ = imu(robot)
    np.testing.assert_allclose(gyro, robot.data.qvel[3:6], rtol=1e-12)
    np.testing.assert_array_equal(joints(robot)[0], robot.data.qpos[7:9])


def test_same_seed_same_bits(tiny):
    """A run can only be compared with another if chance is the same in both."""

    def run(seed):
        robot = MujocoRobot(tiny, seed=seed, imu_noise=ImuNoise(0.01, 0.1, 0.2))
        readings = []
        for k in range(50):
            robot.set_target([0.1 * np.sin(k), -0.3])
            robot.step(3)
            readings += [*imu(robot), *joints(robot), *base(robot)]
        return np.concatenate(readings).tobytes()

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_noise_has_the_size_that_was_asked_for(tiny):
    """Noise in the wrong unit would be found on the robot only."""
    robot = MujocoRobot(tiny, imu_noise=ImuNoise(0.01, 0.1, 0.2))
    readings = [imu(robot) for _ in range(2000)]
    angles = 2.0 * np.array([reading[0][1:] for reading in readings])
    assert np.std(angles, axis=0) == pytest.approx([0.01] * 3, rel=0.1)
    assert np.std([reading[1] for reading in readings], axis=0) == pytest.approx(
        [0.1] * 3, rel=0.1
    )
    assert np.std([reading[2] for reading in readings], axis=0) == pytest.approx(
        [0.2] * 3, rel=0.1
    )
    assert np.linalg.norm(readings[0][0]) == pytest.approx(1.0)


def test_servo_and_motor_give_the_same_torque(tiny):
    """Gains mean Nm/rad on both kinds of actuator, whatever the gear."""
    robot = MujocoRobot(tiny)
    position, velocity, _ = joints(robot)
    robot.set_target(position + 0.1)
    robot.step()
    # Effort is that of the state just reached.
    position_now, velocity, effort = joints(robot)
    kp, kd, _ = robot.gains()
    expected = kp * (position + 0.1 - position_now) - kd * velocity
    np.testing.assert_allclose(effort, expected, rtol=1e-9)


def test_gains_are_limited_and_echoed(tiny):
    """What no contract may exceed must hold in the bridge, and the echo must say so."""
    robot = MujocoRobot(tiny)
    kp, kd, torque = robot.set_gains([100.0, 10.0], [2.0, 100.0], [20.0, 1.0])
    np.testing.assert_array_equal(kp, [60.0, 10.0])
    np.testing.assert_array_equal(kd, [2.0, 2.0])
    np.testing.assert_array_equal(torque, [10.0, 1.0])
    robot.set_target([1.0, 2.0])
    robot.step()
    assert np.all(np.abs(joints(robot)[2]) <= torque + 1e-9)
    with pytest.raises(BridgeError, match=r'kp: found knee \(-1\)'):
        robot.set_gains([1.0, -1.0], kd, torque)
    np.testing.assert_array_equal(robot.gains()[0], [60.0, 10.0])


def test_the_mjcf_may_limit_a_motor_further(tmp_path):
    """A torque limit in force that the simulation does not let through would be a lie."""
    mjcf = MJCF.replace('gear="4"', 'gear="4" ctrllimited="true" ctrlrange="-1 1"')
    robot = MujocoRobot(load_robot(write_robot(tmp_path, mjcf)))
    np.testing.assert_array_equal(robot.gains()[2], [10.0, 4.0])


def test_damping_only_brakes(tiny):
    """Damping is what is left when nobody commands: no pull towards an old target."""
    robot = MujocoRobot(tiny)
    robot.step(100)
    robot.damp()
    robot.data.qpos[7:9] = [0.9, -1.5]
    robot.data.qvel[6:8] = [1.0, -2.0]
    robot.step()
    _, velocity, effort = joints(robot)
    np.testing.assert_allclose(effort, -robot.gains()[1] * velocity, rtol=1e-9)
    assert robot.damped
    robot.set_target([0.0, 0.0])
    robot.step()
    assert not robot.damped
    assert joints(robot)[2][0] < -5.0


@pytest.mark.parametrize('target', [[0.0], [0.0, float('nan')], [0.0, float('inf')]])
def test_bad_targets_change_nothing(tiny, target):
    """A NaN in a target would make the whole simulation NaN."""
    robot = MujocoRobot(tiny)
    before = robot.target()
    with pytest.raises(BridgeError):
        robot.set_target(target)
    np.testing.assert_array_equal(robot.target(), before)


def test_reset_never_turns_time_back(tiny):
    """ROS nodes take a clock that jumps back for a new run, and drop what they know."""
    robot = MujocoRobot(tiny)
    robot.hold_base(False)
    robot.set_gains([10.0, 10.0], [1.0, 1.0], [5.0, 5.0])
    robot.set_target([0.5, 0.5])
    robot.step(200)
    robot.reset()
    assert robot.time_ns == 200 * 2_000_000
    assert robot.data.time == pytest.approx(0.4)
    assert robot.base_is_held
    np.testing.assert_array_equal(joints(robot)[0], tiny.home)
    np.testing.assert_array_equal(robot.target(), tiny.home)
    np.testing.assert_array_equal(robot.gains()[0], [10.0, 10.0])
    robot.step(10)
    again = MujocoRobot(tiny)
    again.set_gains([10.0, 10.0], [1.0, 1.0], [5.0, 5.0])
    again.step(10)
    np.testing.assert_array_equal(again.data.qpos, robot.data.qpos)


def test_starts_on_its_feet_without_a_keyframe(tiny):
    """Most MJCF files have no keyframe, and their qpos0 hangs in the air or sinks in."""
    robot = MujocoRobot(tiny)
    robot.hold_base(False)
    robot.step(10)
    assert robot.data.ncon == 0
    robot.step(60)
    assert robot.data.ncon > 0


def test_fixed_base(tmp_path):
    """An arm on a table is a robot as well; there is nothing to hold."""
    mjcf = MJCF.replace('<freejoint/>', '')
    robot = MujocoRobot(load_robot(write_robot(tmp_path, mjcf)))
    assert robot.base_is_held
    robot.hold_base(False)
    assert robot.push([1.0, 0.0, 0.0]) is False
    robot.step(100)
    position, quat, linear, _ = base(robot)
    np.testing.assert_allclose(position, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(quat, [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(linear, 0.0)
    np.testing.assert_allclose(imu(robot)[2], [0.0, 0.0, 9.81], atol=0.01)


def test_instability_is_an_error(tmp_path, monkeypatch):
    """MuJoCo resets an exploded simulation silently; a robot must not teleport home."""
    yaml = YAML.replace('kp_max: 40', 'kp_max: 1.0e+9').replace('kp: 20', 'kp: 1.0e+9')
    yaml = yaml.replace('torque_limit: 8', 'torque_limit: 1.0e+12')
    robot = MujocoRobot(load_robot(write_robot(tmp_path, yaml=yaml)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BridgeError, match='became unstable'):
        robot.step(2000)
    assert not (tmp_path / 'MUJOCO_LOG.TXT').exists()


def test_time_step_can_be_chosen(tiny):
    """A finer physics step is how one finds out whether the coarse one is to blame."""
    robot = MujocoRobot(tiny, timestep=0.001)
    robot.step(3)
    assert robot.time_ns == 3_000_000
