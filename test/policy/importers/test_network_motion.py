"""Networks that hold their motion: drafted as their runtimes read them, and run."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from helpers.policies import flat_models
from helpers.policies.motions import frames
from helpers.policies.motions import network
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.onnx_metadata import read_onnx_metadata
from kinfer_ros.policy.policy import load_model

JOINTS = ['waist_yaw_joint', 'hip', 'knee']
TRACKING = {
    'joint_names': ','.join(JOINTS),
    'default_joint_pos': '0.1,-0.2,0.3',
    'joint_stiffness': '20,30,40',
    'joint_damping': '1,1.5,2',
    'action_scale': '0.5,0.25,0.5',
    'command_names': 'motion',
    'observation_names': 'command,motion_anchor_ori_b,base_ang_vel,joint_pos,joint_vel,actions',
    'anchor_body_name': 'torso_link',
    'body_names': 'pelvis,torso_link',
}
"""As BeyondMimic and mjlab write it, for a policy without state estimation."""
SIZE = 6 + 6 + 3 + 3 + 3 + 3


def read(folder, model, name='policy.onnx'):
    path = folder / name
    path.write_bytes(model)
    return path, read_onnx_metadata(Graph(model, str(path)), path)


def test_a_tracking_export_runs_from_its_metadata(tmp_path):
    """Terms, anchor and step; the network sees the frame of the tick before."""
    path, contract = read(tmp_path, network(SIZE, bodies=True, custom=TRACKING))
    spec = contract.spec()
    assert spec['motion'] == {
        'network': {'step': 'time_step', 'joint_positions': 'joint_pos',
                    'joint_velocities': 'joint_vel', 'anchor_orientation': 'body_quat_w'},
        'lag': 1, 'wait': True, 'end': 'hold', 'quaternion': 'wxyz', 'body': 1, 'align': 'yaw',
        'anchor': [{'joint': 'waist_yaw_joint', 'axis': 'z'}],
    }  # fmt: skip
    assert [term['source'] for term in spec['observation'][0]['terms'][:3]] == [
        'reference_joint_positions', 'reference_joint_velocities', 'reference_anchor_orientation',
    ]  # fmt: skip
    assert spec['observation'][1] == {'input': 'time_step', 'terms': [{'source': 'motion_frame'}]}
    assert 'commands' not in spec
    assert 'states' not in spec
    policy = load_model(path, spec=flat_models.write_spec(tmp_path / 'p.yaml', spec))
    inputs = {name: np.zeros(array.shape) for name, array in policy.inputs.items()}
    inputs |= {'quaternion': [1.0, 0.0, 0.0, 0.0], 'motion_control': [1.0, 0.0]}
    joints, _ = frames()
    for tick in range(4):
        policy.step(inputs)
        flat = policy._session.flat
        np.testing.assert_allclose(flat[:3], joints[max(tick - 1, 0)], atol=1e-6)
        # The anchor of the motion turns by 2 rad/s; a frame of the network is a tick.
        turned = 2.0 * max(tick - 1, 0) / 60
        np.testing.assert_allclose(flat[6], np.cos(turned), atol=1e-5)


def test_scales_and_clips_of_the_command_are_those_of_its_parts(tmp_path):
    """One term of the exporter, two of ours."""
    scales = ';'.join(['1.0'] * 3 + ['0.05'] * 3) + ',1.0,0.25,1.0,1.0,1.0'
    more = {'observation_terms_scale': scales}
    _, contract = read(tmp_path, network(SIZE, bodies=True, custom=TRACKING | more))
    first, second = contract.observation['terms'][:2]
    assert first == {'source': 'reference_joint_positions', 'scale': [1.0, 1.0, 1.0]}
    assert second == {'source': 'reference_joint_velocities', 'scale': [0.05, 0.05, 0.05]}


def test_what_the_metadata_lacks(tmp_path):
    """The anchor among the bodies, or a robot whose torso is not known: places to fill in."""
    lacking = {key: value for key, value in TRACKING.items() if key != 'anchor_body_name'}
    names = lacking | {'joint_names': 'a,b,c'}
    _, contract = read(tmp_path, network(SIZE, bodies=True, custom=names))
    assert contract.motion['body'].startswith('FILL IN')
    assert contract.motion['anchor'].startswith('FILL IN')


def test_stacked_frames_of_a_motion_are_refused(tmp_path):
    """Positions and velocities of a frame stand together."""
    more = {'observation_terms_history_length': '2,1,1,1,1,1'}
    with pytest.raises(ModelError, match='2 frames of the motion'):
        read(tmp_path, network(SIZE + 6, bodies=True, custom=TRACKING | more))


def test_holosoma_gives_the_motion_and_no_terms(tmp_path, capsys):
    """Its network says where the motion is; terms, pose and scale are to be filled in."""
    custom = {
        'dof_names': str(JOINTS).replace("'", '"'), 'kp': '[20.0, 30.0, 40.0]',
        'kd': '[1.0, 1.5, 2.0]',
    }  # fmt: skip
    path, _ = read(tmp_path, network(SIZE, custom=custom), 'dance.onnx')
    assert main(['import', str(path), '--out', str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert 'motion: in the network' in out
    spec = tmp_path / 'dance.spec.yaml'
    content = yaml.safe_load(spec.read_text())
    assert content['motion']['network']['anchor_orientation'] == 'ref_quat_xyzw'
    assert content['motion']['quaternion'] == 'xyzw'
    content |= {'default_pose': 0.0}
    content['action']['scale'] = 1.0
    content['observation'][0]['terms'] = [
        {'source': 'last_action', 'which': 'raw'}, {'source': 'gyroscope'},
        {'source': 'joint_positions', 'relative': True}, {'source': 'joint_velocities'},
        {'source': 'reference_joint_positions'}, {'source': 'reference_joint_velocities'},
        {'source': 'reference_anchor_orientation'},
    ]  # fmt: skip
    spec.write_text(yaml.safe_dump(content, sort_keys=False))
    assert np.isfinite(load_model(path, spec=spec).target_at_rest([0.0, 0.0, 0.0])).all()
