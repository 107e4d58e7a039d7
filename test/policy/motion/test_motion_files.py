"""Motion files are read as they are meant; others are one clear error."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies import flat_models
from helpers.policies.motions import JOINTS
from helpers.policies.motions import RATE
from helpers.policies.motions import frames
from helpers.policies.motions import spec_of
from helpers.policies.motions import write_csv
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import load_model

SIZE = 3 + 3 + 6 + 1


def load(folder, **changes):
    """Load a policy with a motion from this folder."""
    model = folder / 'policy.onnx'
    model.write_bytes(flat_models.linear(SIZE)[0])
    spec = flat_models.write_spec(folder / 'p.yaml', spec_of(**changes))
    return load_model(model, spec=spec, trial=None)


def npz(path, **changes):
    """Write a motion as csv_to_npz.py does; None leaves an array out."""
    joints, root = frames()
    wxyz = np.roll(root, 1, axis=1)
    arrays = {
        'fps': np.array([RATE]),
        'joint_pos': joints,
        'joint_vel': np.full_like(joints, 0.25),
        'body_pos_w': np.zeros((len(joints), 2, 3)),
        'body_quat_w': np.stack([wxyz, np.tile([1.0, 0, 0, 0], (len(joints), 1))], axis=1),
    } | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_a_csv(tmp_path):
    """Columns by name, quaternion x y z w, at the spec's rate."""
    write_csv(tmp_path / 'motion.csv')
    motion = load(tmp_path).timeline.motion
    joints, root = frames()
    np.testing.assert_allclose(motion.positions, joints)
    np.testing.assert_allclose(motion.root_quaternion, np.roll(root, 1, axis=1))
    assert motion.duration_s == pytest.approx(0.5)


def test_columns_in_another_order_and_more(tmp_path):
    """Names, never positions: a file of the whole robot serves a policy of the legs."""
    joints, root = frames()
    rows = np.concatenate([np.zeros((31, 3)), root, joints[:, ::-1], joints], axis=1)
    write_csv(tmp_path / 'motion.csv', rows, header='x,y,z')
    names = [*JOINTS[::-1], 'a', 'b', 'c']
    motion = load(tmp_path, joints=names).timeline.motion
    np.testing.assert_allclose(motion.positions, joints)


def test_an_npz(tmp_path):
    """Its rate, velocities and bodies; w x y z."""
    npz(tmp_path / 'motion.npz')
    plain = {'file': 'motion.npz', 'rate': None, 'quaternion': None, 'velocity': None}
    timeline = load(tmp_path, **plain).timeline
    assert timeline.motion.rate_hz == RATE
    np.testing.assert_allclose(timeline.velocities, 0.25)
    anchored = load(tmp_path, **plain, body=1, anchor=None).timeline
    np.testing.assert_allclose(anchored.anchor, np.tile([1.0, 0, 0, 0], (26, 1)))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'file': 'absent.csv'}, "found 'absent.csv', expected a file in"),
        ({'file': '../motion.csv'}, "found '../motion.csv', expected a file in"),
        ({'file': '/etc/passwd'}, "found '/etc/passwd', expected a file in"),
        ({'rate': None}, 'does not give its rate'),
        ({'joints': ['hip', 'knee']}, 'no column for ankle'),
        ({'joints': [*JOINTS, 'x']}, 'found 10 columns, expected 11'),
        ({'start': 0.6}, 'the motion is 0.5 s long'),
        ({'start': 0.1, 'duration': 0.5}, 'the motion is 0.5 s long'),
        ({'velocity': 'stored'}, 'has no joint velocities'),
        ({'end': None}, "missing key 'end'"),
        ({'align': None}, "missing key 'align'"),
        ({'quaternion': None}, "missing key 'quaternion'"),
        ({'velocity': None}, "missing key 'velocity'"),
        ({'lag': -1}, 'found -1'),
        ({'anchor': [{'joint': 'waist', 'axis': 'z'}]}, "found 'waist', expected a joint"),
        ({'anchor': [{'joint': 'hip', 'axis': [0, 0, 0]}]}, 'expected x, y, z or a vector'),
        ({'network': {'step': 'a', 'joint_positions': 'b'}}, 'found both or neither'),
        ({'file': None}, 'found both or neither'),
    ],
)
def test_mistakes_of_a_spec(tmp_path, changes, words):
    """Each with its key."""
    write_csv(tmp_path / 'motion.csv')
    with pytest.raises(ModelError) as error:
        load(tmp_path, **changes)
    assert words in str(error.value)


def test_terms_without_a_motion(tmp_path):
    """There is nothing that they could read."""
    content = spec_of()
    del content['motion']
    with pytest.raises(ModelError, match='expected a section motion'):
        flat_models.load(tmp_path, flat_models.linear(SIZE)[0], content)


@pytest.mark.parametrize(
    ('rows', 'words'),
    [
        ('', 'expected rows of numbers'),
        ('1,2,3\n', 'found 3 columns, expected 10'),
        ('0,0,0,0,0,0,1,0,0,0\n', 'found 1 frames, expected at least 2'),
        ('0,0,0,0,0,0,1,0,0,nan\n' * 3, 'joint positions: frame 0 is not finite'),
        ('0,0,0,0,0,0,2,0,0,0\n' * 3, 'norm of 2'),
        ('0,0,0,0,0,0,1,0,0,0\n0,0,0,0,0,0,1,0,0,x\n', 'expected rows of numbers'),
        ('0,0,0,0,0,0,1,0,0,0\n0,0\n', 'expected rows of numbers'),
        ('\x00\xff', 'expected rows of numbers'),
    ],
)
def test_mistakes_of_a_csv(tmp_path, rows, words):
    """A NaN must not reach the robot."""
    (tmp_path / 'motion.csv').write_bytes(rows.encode('latin-1'))
    with pytest.raises(ModelError) as error:
        load(tmp_path)
    assert words in str(error.value)
    assert 'motion.csv' in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'joint_pos': None}, 'expected an array joint_pos'),
        ({'joint_pos': np.zeros((31, 4))}, 'joint_pos: found float64 [31, 4]'),
        ({'joint_pos': np.array(['a'])}, 'joint_pos: found <U1'),
        ({'fps': np.array([0.0])}, 'fps: found 0'),
        ({'fps': np.zeros(0)}, 'fps: found float64 [0]'),
        ({'joint_vel': np.zeros((3, 3))}, 'joint velocities: found 3 frames, expected 31'),
        ({'body_quat_w': np.zeros((31, 1, 3))}, 'body_quat_w: found'),
        ({'body_quat_w': np.ones((31, 1, 4))}, 'root orientation: frame 0 has a norm of 2'),
    ],
)
def test_mistakes_of_an_npz(tmp_path, changes, words):
    """Shapes and kinds are checked before anything is used."""
    npz(tmp_path / 'motion.npz', **changes)
    with pytest.raises(ModelError) as error:
        load(tmp_path, file='motion.npz', rate=None, quaternion=None, velocity=None)
    assert words in str(error.value)


def test_an_npz_runs_no_code(tmp_path):
    """No pickle, and nothing that unpacks to more than it may."""
    np.savez(tmp_path / 'motion.npz', joint_pos=np.array([{}], dtype=object))
    with pytest.raises(ModelError, match='no NPZ file of plain arrays'):
        load(tmp_path, file='motion.npz', rate=None, quaternion=None, velocity=None)
    with zipfile.ZipFile(tmp_path / 'motion.npz', 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('joint_pos.npy', bytes(300 * 2**20))
    with pytest.raises(ModelError, match='unpacks to'):
        load(tmp_path, file='motion.npz', rate=None, quaternion=None, velocity=None)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(['motion.csv', 'motion.npz']))
def test_no_bytes_break_it(tmp_path_factory, data, name):
    """A file is untrusted: it is one error."""
    folder = tmp_path_factory.mktemp('motion')
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError):
        load(folder, file=name)
