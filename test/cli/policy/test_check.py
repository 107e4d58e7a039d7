"""`check`: exit codes, the table, JSON; and live, over DDS, against good and bad drivers."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.policies import flat_models
from helpers.policies.biped_set import biped_set
from helpers.processes import REPOSITORY
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.robots import small_robot
from kinfer_ros.__main__ import main
from kinfer_ros.robot.robot import load_robot

MODEL = REPOSITORY / 'robots' / 'biped' / 'walk.kinfer'
START = 30.0


def run_check(capsys, *words):
    code = main(['check', *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_policy_that_ships_fits_its_robot(capsys):
    """Exit code 0, no failed row."""
    code, out, err = run_check(capsys, MODEL, '--robot', 'biped')
    assert (code, err) == (0, '')
    assert 'ok       joints' in out
    assert 'the contract fits: ' in out


def test_a_failure_is_exit_code_1(tmp_path, capsys):
    """Scripts and CI depend on it."""
    robot = small_robot(tmp_path)
    code, out, err = run_check(capsys, MODEL, '--robot', robot.path)
    assert (code, err) == (1, '')
    assert 'fail     joints' in out
    assert '-> use the same names in' in out
    assert 'does not fit' in out


def test_an_unusable_file_is_exit_code_2(tmp_path, capsys):
    """No table, one error."""
    code, out, err = run_check(capsys, tmp_path / 'none.onnx', '--robot', 'biped')
    assert (code, out) == (2, '')
    assert 'no such file' in err


def test_json(tmp_path, capsys):
    """The same rows as JSON."""
    code, out, _ = run_check(capsys, MODEL, '--robot', 'biped', '--json')
    assert code == 0
    content = json.loads(out)
    assert content['fits'] is True
    assert {row['verdict'] for row in content['rows']} == {'ok', 'assumed'}
    assert {'what', 'found', 'expected', 'remedy'} <= content['rows'][0].keys()


def test_a_named_spec_is_used(tmp_path, capsys):
    """Its assumptions are printed."""
    content = flat_models.spec([{'source': 'gravity', 'unit': 'unit'}])
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    robot = small_robot(tmp_path, tuple(flat_models.JOINTS))
    spec = tmp_path / 'policy.yaml'
    words = [policy.contract.path, '--robot', robot.path, '--spec', spec]
    code, out, _ = run_check(capsys, *words)
    assert code == 0, out
    assert 'assumed  gravity' in out
    assert 'a unit vector, (0, 0, -) upright' in out


def live(
    folder: Path, environment: dict[str, str], model: Path = MODEL
) -> subprocess.CompletedProcess:
    words = [sys.executable, '-m', 'kinfer_ros', 'check', str(model), '--robot', 'biped']
    return subprocess.run(
        [*words, '--live', '--seconds', '1.0'],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.ros
def test_live_against_a_good_robot(tmp_path):
    """Names, units, quaternion, gravity, rates and clock of a real graph."""
    environment = domain_environment()
    with node('mujoco_bridge', tmp_path, environment, {'robot': 'biped'}) as bridge:
        bridge.wait_for('is up in MuJoCo', START)
        for _ in range(3):
            done = live(tmp_path, environment)
            if done.returncode == 0:
                break  # on a busy machine messages may be late once
        bridge.send(signal.SIGINT)
        bridge.wait(40)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ('joint units', 'gravity sign', 'imu/data rate', 'joint_states clock'):
        assert f'ok       {words}' in done.stdout


BAD_DRIVER = """
import math, sys, time
import rclpy
from sensor_msgs.msg import Imu, JointState
from kinfer_ros.robot.robot import load_robot
robot = load_robot('biped')
half = math.radians(float(sys.argv[1])) / 2
rclpy.init()
node = rclpy.create_node('bad_driver')
joints = node.create_publisher(JointState, 'joint_states', 10)
imu = node.create_publisher(Imu, 'imu/data', 10)
print('publishing', flush=True)
while rclpy.ok():
    now = node.get_clock().now().to_msg()
    state = JointState(name=list(robot.joint_names), position=list(robot.home))
    state.velocity = [0.0] * len(robot.joint_names)
    message = Imu()
    state.header.stamp = message.header.stamp = now
    message.header.frame_id = robot.imu_frame
    # w x y z in the fields x y z w: the most common mistake.
    message.orientation.x, message.orientation.y = math.cos(half), math.sin(half)
    message.orientation.w = 0.0
    message.linear_acceleration.y = 9.81 * math.sin(2 * half)
    message.linear_acceleration.z = 9.81 * math.cos(2 * half)
    if rclpy.ok():
        joints.publish(state)
        imu.publish(message)
    time.sleep(0.01)
"""


@pytest.fixture
def bad_driver(tmp_path):
    """A driver that writes its quaternion into the wrong fields, on its own domain."""
    script = tmp_path / 'bad_driver.py'
    script.write_text(BAD_DRIVER)
    environment = domain_environment()
    process = subprocess.Popen(
        [sys.executable, str(script), str(math.degrees(0.1))],
        cwd=REPOSITORY, env=environment | {'PYTHONPATH': path_with(environment)},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == b'publishing\n'
        yield environment
    finally:
        # Not killed: a participant that does not leave properly stays visible in its domain.
        process.send_signal(signal.SIGINT)
        process.wait(40)


def path_with(environment: dict[str, str]) -> str:
    return f'{REPOSITORY}:{environment.get("PYTHONPATH", "")}'


@pytest.mark.ros
def test_live_against_a_bad_driver(tmp_path, bad_driver):
    """Exit code 1, and the table names the swapped fields."""
    done = live(tmp_path, bad_driver)
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'fail     gravity sign' in done.stdout
    assert 'the fields x y z w hold w x y z' in done.stdout


@pytest.mark.long
@pytest.mark.ros
def test_what_any_policy_of_a_set_needs_is_looked_for(tmp_path, bad_driver):
    """The walk, which runs first, needs no odometry; the second policy does, and there is none."""
    path = biped_set(tmp_path)
    assert 'odometry' not in live(tmp_path, bad_driver, path).stdout
    robot = load_robot('biped')
    content = flat_models.spec(
        [{'source': 'linear_velocity'}], joints=list(robot.joint_names),
        default_pose=robot.home.tolist(),
    )  # fmt: skip
    (tmp_path / 'odo.onnx').write_bytes(flat_models.linear(3, len(robot.joint_names))[0])
    spec = flat_models.write_spec(tmp_path / 'odo.yaml', content)
    text = path.read_text().replace(
        f'soft: {{model: {MODEL},', f'soft: {{model: odo.onnx, spec: {spec},'
    )
    path.write_text(text)
    done = live(tmp_path, bad_driver, path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'fail     odometry' in done.stdout
    parameters = {
        'robot': 'biped', 'policies': path, 'runs_dir': tmp_path / 'runs', 'autostart': True,
        'sensor_timeout': 5.0,
    }  # fmt: skip
    with node('policy_node', tmp_path, bad_driver, parameters) as policy:
        assert policy.wait(START) == 2, policy.output
    assert 'no message yet on /odom' in policy.output


@pytest.mark.ros
def test_the_policy_node_refuses_a_bad_driver_with_the_same_report(tmp_path, bad_driver):
    """Before a motor is live, and before a run directory is created."""
    parameters = {
        'robot': 'biped', 'model': MODEL, 'runs_dir': tmp_path / 'runs', 'autostart': True,
        'sensor_timeout': 20.0,
    }  # fmt: skip
    with node('policy_node', tmp_path, bad_driver, parameters) as policy:
        assert policy.wait(START) == 2, policy.output
    assert 'does not fit the robot biped' in policy.output
    assert 'fail     gravity sign' in policy.output
    assert 'the fields x y z w hold w x y z' in policy.output
    assert 'Traceback' not in policy.output
    assert not (tmp_path / 'runs').exists()
