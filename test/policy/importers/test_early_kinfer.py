"""Files of kinfer before 0.4 run as its own runtime runs them, or say what they need."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import yaml

from helpers.policies import models
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.early_kinfer import is_early_kinfer
from kinfer_ros.policy.policy import load_model

NAMES = ['hip', 'knee']
POSE = [0.25, -0.5]
META = {
    'input_params': {}, 'num_parameters': 3, 'embodiment': 'zbot', 'action_scale': 0.25,
    'sim_dt': 0.001, 'sim_decimation': 20, 'tau_factor': 0.5, 'robot_effort': [2.0],
    'robot_stiffness': [18.0], 'robot_damping': [1.5, 1.0], 'default_standing': POSE,
    'num_actions': 2, 'num_observations': 8, 'extra': 1,
}  # fmt: skip
ONE = ('x_vel', 'y_vel', 'rot', 't')
VECTORS = {'dof_pos': 2, 'dof_vel': 2, 'prev_actions': 2}
BUFFER = 24


def network(imu=('projected_gravity', 'imu_ang_vel'), meta=META, outputs=3, **more) -> bytes:
    """A network of their kind: a stack of two observations, and outputs that all of it moves."""
    sizes = dict.fromkeys(ONE, 1) | VECTORS | dict.fromkeys(imu, 3) | more
    graph = models.Builder()
    frame = graph.op('Concat', *(f'{name}.1' for name in sizes), axis=0)
    size = sum(sizes.values())
    both = graph.op('Concat', 'buffer.1', frame, axis=0)
    stacked = graph.take(both, size, size + BUFFER)
    weights = np.sin(np.arange(BUFFER * 2)).reshape(BUFFER, 2)
    actions = graph.dense(stacked, weights, [0.1, -0.2])
    scaled = graph.op('Mul', actions, graph.const(0.25))
    inputs = {f'{name}.1': (count,) for name, count in sizes.items()} | {'buffer.1': (BUFFER,)}
    made = {scaled: (2,), actions: (2,), stacked: (BUFFER,)}
    custom = {'kinfer_metadata': json.dumps(meta)} if meta is not None else {}
    return graph.build(inputs, dict(list(made.items())[:outputs]), custom=custom)


def imported(folder, data, *words):
    """Import it; :return: exit code and spec."""
    path = folder / 'walk.kinfer'
    path.write_bytes(data)
    code = main(['import', str(path), '--out', str(folder), *words])
    spec = folder / 'walk.spec.yaml'
    return code, yaml.safe_load(spec.read_text()) if spec.exists() else None


def test_it_runs_as_in_its_own_runtime(tmp_path):
    """The inputs of kscalelabs/sim's sim2sim.py, its two states fed back; targets to 1e-6."""
    data = network()
    code, spec = imported(tmp_path, data, '--joint-names', *NAMES)
    assert code == 0
    assert spec['control_rate'] == 50.0
    assert spec['gains'] == {'kp': 18.0, 'kd': [1.5, 1.0], 'torque_limit': 1.0}
    policy = load_model(tmp_path / 'walk.kinfer', tmp_path / 'walk.spec.yaml')
    session = onnxruntime.InferenceSession(data)
    state, before = np.zeros(BUFFER, np.float32), np.zeros(2, np.float32)
    rng = np.random.default_rng(5)
    for step in range(5):
        q, dq, w, command = (rng.normal(size=size) for size in (2, 2, 3, 3))
        gravity = rng.normal(size=3)
        gravity /= np.linalg.norm(gravity)
        given = {
            'x_vel.1': command[:1], 'y_vel.1': command[1:2], 'rot.1': command[2:],
            't.1': [step * 0.02], 'dof_pos.1': q - POSE, 'dof_vel.1': dq, 'prev_actions.1': before,
            'projected_gravity.1': gravity, 'imu_ang_vel.1': w, 'buffer.1': state,
        }  # fmt: skip
        given = {name: np.asarray(array, np.float32) for name, array in given.items()}
        scaled, before, state = session.run(None, given)
        found = policy.step(
            {
                'joint_angles': q, 'joint_angular_velocities': dq, 'gyroscope': w,
                'projected_gravity': 9.81 * gravity, 'command': command, 'time': [step * 0.02],
            }
        )  # fmt: skip
        np.testing.assert_allclose(found, scaled + np.float32(POSE), atol=1e-6)


def test_joints_are_to_be_filled_in(tmp_path, capsys):
    """No file has their names, and a wrong order moves other joints."""
    code, spec = imported(tmp_path, network(('imu_ang_vel', 'imu_euler_xyz')))
    assert code == 1
    assert spec['joints'].startswith('FILL IN')
    assert spec['default_pose'] == POSE
    assert spec['gains']['kp'] == 18.0
    assert {'input': 'imu_euler_xyz.1', 'terms': [{'source': 'euler'}]} in spec['observation']
    said = capsys.readouterr().out
    assert 'robot_stiffness: those of one leg, for both' in said
    assert 'in the file, and not read: extra' in said


def test_what_the_file_does_not_say(tmp_path):
    """Older files have a key for each number, or none; gains by motor type are not guessed."""
    code, spec = imported(tmp_path, network(meta=None), '--joint-names', *NAMES)
    assert code == 1
    assert spec['control_rate'].startswith('FILL IN')
    assert spec['default_pose'].startswith('FILL IN')
    assert 'gains' not in spec
    meta = META | {'robot_stiffness': [1.0, 2.0, 3.0], 'sim_dt': 'fast'}
    code, spec = imported(tmp_path, network(meta=meta), '--joint-names', *NAMES, '--force')
    assert code == 1
    assert spec['control_rate'].startswith('FILL IN')
    assert 'kp' not in spec['gains']


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (network(camera=3), 'found the inputs camera.1 and 3 outputs; expected of x_vel, y_vel'),
        (network(outputs=2), 'found the inputs of kinfer before 0.4 and 2 outputs'),
        (network(meta=META | {'robot_damping': 'soft'}), "robot_damping: found 'soft'"),
    ],
)
def test_other_networks_are_refused(tmp_path, capsys, data, words):
    """In one line, with what was expected."""
    assert imported(tmp_path, data)[0] == 2
    assert words in capsys.readouterr().err


def test_without_a_spec_it_says_what_to_do(tmp_path):
    """As .kinfer, as K-Scale named them, and as .onnx."""
    for name in ('walk.kinfer', 'walk.onnx'):
        path = tmp_path / name
        path.write_bytes(network())
        with pytest.raises(ModelError, match=r'before 0\.4, which has no joint names; .* import'):
            load_model(path)
    (tmp_path / 'other.kinfer').write_bytes(b'\x09' * 100)
    with pytest.raises(ModelError, match='not a gzip file'):
        load_model(tmp_path / 'other.kinfer')


def test_other_inputs_are_no_early_kinfer():
    """Names alone decide: all of theirs have to be there."""
    names = [*(f'{name}.1' for name in (*ONE, *VECTORS, 'buffer')), 'imu_ang_vel.1']
    assert is_early_kinfer(names)
    assert is_early_kinfer([name.removesuffix('.1') for name in names])
    assert not is_early_kinfer(names[1:])
    assert not is_early_kinfer(['joint_angles', 'carry'])
