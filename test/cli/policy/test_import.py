"""`import`: exports of other projects become working specs; every assumption is printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from import_cases import METADATA
from import_cases import deploy_file
from import_cases import run_import

from helpers.policies import flat_models
from helpers.policies.deploy import DEPLOY
from helpers.policies.flat_policies import FLAT
from helpers.shared import shared_path
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot

G1 = FLAT[2]


@pytest.mark.skipif(G1.path is None, reason='the shared flat policies are not here')
def test_a_real_deploy_yaml_gives_the_recorded_targets(tmp_path, capsys):
    """From the runtime's own file to 150 equal ticks, without manual edits."""
    deploy = shared_path('policies/g1_unitree_rl_lab/deploy.yaml')
    code, out, err = run_import(capsys, deploy, '--out', tmp_path, '--name', 'g1')
    assert code == 0, err
    assert 'joint names: those of scene.xml, in the order of the SDK' in out
    assert 'standing still' in out
    policy = load_model(G1.path, spec=tmp_path / 'g1.spec.yaml')
    golden = G1.golden()
    for tick in range(150):
        target = policy.step(G1.inputs(golden, tick))
        np.testing.assert_allclose(target, golden['target'][tick], atol=1e-5, rtol=0)
    robot = load_robot(str(tmp_path / 'g1.robot.yaml'))
    ours = load_robot(G1.robot_yaml(tmp_path))
    for joint in ours.joints:
        theirs = robot.joints[robot.joint_names.index(joint.name)]
        assert (joint.kp, joint.kd, joint.home) == (theirs.kp, theirs.kd, theirs.home)
        assert joint.torque_limit == theirs.torque_limit


def test_deploy_yaml_key_by_key(tmp_path, capsys):
    """Motor order for gains, policy order for the rest; each term's own clip and history."""
    path = deploy_file(tmp_path)
    words = [path, '--out', tmp_path, '--name', 'two', '--joint-names', 'left', 'right']
    code, out, err = run_import(capsys, *words)
    assert code == 0, err
    spec = load_spec(tmp_path / 'two.spec.yaml')
    assert spec.joints == ('right', 'left')
    assert (spec.kp, spec.kd) == ((20.0, 10.0), (2.0, 1.0))
    assert spec.default_pose == (0.5, -0.5)
    assert spec.commands == {'xvel': (-0.5, 1.0), 'yvel': None, 'yawrate': None}
    assert [spec.frames(term) for term in spec.terms] == [2, 1, 2]
    assert spec.terms[2].clip == ((-1.0, -1.0), (1.0, 1.0))
    assert spec.phase.frequency == 1.25
    assert spec.action.relative_to == 'default_pose'
    for words in ('no names', 'command ranges', 'gait clock', 'torque limits: kp x 0.5 rad'):
        assert words in out
        assert words in (tmp_path / 'two.spec.yaml').read_text()
    robot = load_robot(str(tmp_path / 'two.robot.yaml'))
    assert robot.joint_names == ('left', 'right')
    assert robot.kp.tolist() == [10.0, 20.0]
    assert robot.home.tolist() == [-0.5, 0.5]
    assert robot.mjcf is None


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'joint_ids_map': [0, 0]}, 'joint_ids_map'),
        ({'default_joint_pos': [0.1]}, 'found 1 numbers, expected 2'),
        ({'observations': {'foot_height': {}}}, "'foot_height' is not known"),
        ({'actions': {'JointEffortAction': {}}}, 'JointPositionAction or JointVelocityAction'),
    ],
)
def test_an_incomplete_deploy_yaml_is_refused(tmp_path, capsys, change, said):
    """It must not guess silently; nothing is written."""
    path = deploy_file(tmp_path, DEPLOY | change)
    out = tmp_path / 'out'
    code, _, err = run_import(capsys, path, '--out', out, '--joint-names', 'left', 'right')
    assert code == 2
    assert said in err
    assert not out.exists()


def test_a_deploy_yaml_without_names_asks_for_them(tmp_path, capsys):
    """The file has none, and the motor order must not be guessed."""
    code, _, err = run_import(capsys, deploy_file(tmp_path), '--out', tmp_path)
    assert code == 2
    assert '--joint-names' in err


def test_python_tags_run_nothing(tmp_path, capsys):
    """The exporter writes slice(None) as a Python object; it is read as a list, never called."""
    trap = tmp_path / 'trap'
    path = deploy_file(tmp_path)
    path.write_text(path.read_text() + f'x: !!python/object/apply:os.mkdir [{trap}]\n')
    words = [path, '--out', tmp_path, '--joint-names', 'left', 'right']
    assert run_import(capsys, *words)[0] == 0
    assert not trap.exists()


@pytest.mark.parametrize('as_json', [False, True])
def test_onnx_metadata(tmp_path, capsys, as_json):
    """Isaac Lab and mjlab write lists with commas, others JSON; the result runs."""
    metadata = dict(METADATA)
    if as_json:
        for key in METADATA.keys() - {'run_path'}:
            entries = METADATA[key].split(',')
            if key not in ('joint_names', 'observation_names', 'command_names'):
                entries = [float(entry) for entry in entries]
            metadata[key] = json.dumps(entries)
    size = 18 * 2
    model, weights = flat_models.linear(size, custom=metadata)
    path = tmp_path / 'walker.onnx'
    path.write_bytes(model)
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    for words in ('50 Hz', '2 frames, from the input size 36', 'scales: 1', 'unit vector'):
        assert words in out
    spec = load_spec(tmp_path / 'walker.spec.yaml')
    assert spec.joints == ('hip', 'knee', 'ankle')
    assert spec.kp == (20.0, 30.0, 40.0)
    assert spec.action.scale == (0.5, 0.25, 0.5)
    assert spec.observation_size == size
    policy = load_model(path, spec=spec.path)
    obs = {each.name: np.ones(each.shape) for each in policy.contract.inputs}
    target = policy.step(obs)
    flat = policy._session.flat
    expected = np.array([0.1, -0.2, 0.3]) + flat @ weights * [0.5, 0.25, 0.5]
    np.testing.assert_allclose(target, expected, atol=1e-5)
    np.testing.assert_allclose(flat[18:24], [0.9, 1.2, 0.7] * 2, atol=1e-6)


def test_onnx_metadata_with_states_and_lengths(tmp_path, capsys):
    """A recurrent export: its states are paired by name, which is printed."""
    metadata = METADATA | {
        'observation_names': 'base_ang_vel',
        'observation_history_lengths': '1.0',
        'step_dt': '0.01',
    }
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(flat_models.lstm(3))
    onnx.helper.set_model_props(model, metadata)
    path = tmp_path / 'lstm.onnx'
    path.write_bytes(model.SerializeToString())
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    assert 'states: paired by name' in out
    spec = load_spec(tmp_path / 'lstm.spec.yaml')
    assert spec.control_rate_hz == 100.0
    assert load_model(path, spec=spec.path).contract.carry_parts == {'h_in': 8, 'c_in': 8}


def test_a_command_in_two_terms(tmp_path, capsys):
    """Holosoma sorts its terms by name, so the yaw rate precedes the velocity."""
    commands = 'command_ang_vel,command_lin_vel'
    names = f'actions,base_ang_vel,{commands},dof_pos,dof_vel,projected_gravity'
    path = tmp_path / 'holo.onnx'
    path.write_bytes(flat_models.linear(18, custom=METADATA | {'observation_names': names})[0])
    code, _, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    policy = load_model(path, spec=tmp_path / 'holo.spec.yaml')
    obs = {each.name: np.zeros(each.shape) for each in policy.contract.inputs}
    policy.step(obs | {'command': [1.0, 2.0, 3.0]})
    assert policy._session.flat[6:9].tolist() == [3.0, 1.0, 2.0]


def test_existing_files_are_kept(tmp_path, capsys):
    """A second import must not overwrite manual corrections."""
    words = [deploy_file(tmp_path), '--out', tmp_path, '--joint-names', 'left', 'right']
    assert run_import(capsys, *words)[0] == 0
    code, _, err = run_import(capsys, *words)
    assert code == 2
    assert 'exists already' in err
    assert run_import(capsys, *words, '--force')[0] == 0


def test_other_files_are_refused(tmp_path, capsys):
    """The error has what was found and what was expected."""
    path = tmp_path / 'x.yaml'
    for text in ('a: 1\n', '[1, 2]\n', '{', ''):
        path.write_text(text)
        assert run_import(capsys, path, '--out', tmp_path)[0] == 2
    assert run_import(capsys, tmp_path / 'none.onnx')[0] == 2
