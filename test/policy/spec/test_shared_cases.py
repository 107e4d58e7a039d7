"""Small networks and robots of others that were refused or misread once, each with its value."""

from __future__ import annotations

import shutil

import numpy as np
import onnxruntime
import pytest

from helpers.shared import shared_path
from kinfer_ros.__main__ import main
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot

CASES = shared_path('cases')
pytestmark = pytest.mark.skipif(CASES is None, reason='the shared cases are not here')


@pytest.mark.parametrize('name', ['dynamic_batch', 'dynamic_all'])
def test_open_dimensions_run(name):
    """A batch of one, whatever the file leaves open: the target is 0.25 times the output."""
    assert CASES is not None
    path = CASES / name / 'policy.onnx'
    policy = load_model(path, spec=CASES / 'flat.spec.yaml')
    target = policy.step(
        {
            'joint_angles': [0.3, -0.2],
            'gyroscope': [0.1, 0.2, 0.3],
            'projected_gravity': [0.0, 0.0, -9.81],
            'command': [0.5, 0.0, -0.5],
        }
    )
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    obs = np.array([[0.1, 0.2, 0.3, 0, 0, -1, 0.5, 0, -0.5, 0.3, -0.2, 0]], np.float32)
    (output,) = session.run(None, {session.get_inputs()[0].name: obs})
    np.testing.assert_allclose(target, 0.25 * output.ravel(), rtol=1e-6, atol=1e-7)
    assert np.abs(target).max() > 1e-4


@pytest.mark.parametrize(
    ('name', 'found', 'advice'),
    [
        ('custom_op', 'it uses the operator com.example:MyOp', 'export it without custom ones'),
        ('opset_new', 'found opset 99', 'export it with opset_version='),
        ('ir_new', 'found the ONNX format (IR version) 99', 'save it with model.ir_version ='),
    ],
)
def test_what_cannot_run_is_one_line(name, found, advice):
    """What it is, what was found, and what to do; no traceback of ONNX Runtime."""
    assert CASES is not None
    with pytest.raises(ModelError) as error:
        load_model(CASES / name / 'policy.onnx', spec=CASES / 'flat.spec.yaml')
    text = str(error.value)
    assert len(text.splitlines()) == 1
    assert found in text
    assert advice in text


def test_an_mjcf_by_another_suffix_is_simulated():
    """`biped.mjcf` as `biped.xml`."""
    assert CASES is not None
    robot = load_robot(CASES / 'mjcf_suffix' / 'robot.yaml')
    simulated = MujocoRobot(robot)
    simulated.step(5)
    assert simulated.time_ns > 0
    assert len(robot.joint_names) == 12


def test_an_mjcf_without_actuators_gets_the_gains_of_the_metadata(tmp_path, capsys):
    """As mjlab keeps its robots."""
    assert CASES is not None
    shutil.copy(CASES / 'no_actuators' / 'robot.xml', tmp_path)
    shutil.copy(CASES / 'mjlab_plain' / 'policy.onnx', tmp_path)
    model, mjcf = str(tmp_path / 'policy.onnx'), str(tmp_path / 'robot.xml')
    assert main(['import', model, '--mjcf', mjcf, '--out', str(tmp_path)]) == 0
    assert 'the simulation adds a position servo for each joint' in capsys.readouterr().out
    (made,) = tmp_path.glob('*.robot.yaml')
    robot = load_robot(made)
    assert robot.kp.tolist() == [40.0, 40.0]
    assert robot.kd.tolist() == [1.0, 1.0]
    kp, kd, torque = MujocoRobot(robot).gains()
    assert (kp.tolist(), kd.tolist(), torque.tolist()) == ([40.0] * 2, [1.0] * 2, [50.0] * 2)
