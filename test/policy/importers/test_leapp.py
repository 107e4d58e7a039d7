"""A LEAPP bundle: inputs by kind, feedback as states, gains from the network, or one error."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings

from helpers.edits import edited
from helpers.edits import some_edits
from helpers.policies import models
from helpers.policies.leapp_bundle import BUNDLE
from helpers.policies.leapp_bundle import INITIAL
from helpers.policies.leapp_bundle import MJCF
from helpers.policies.leapp_bundle import network
from helpers.policies.leapp_bundle import tensor
from helpers.policies.leapp_bundle import write_bundle
from helpers.policies.safetensors import write_safetensors
from kinfer_ros.__main__ import main
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.leapp import read_leapp
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.yaml_file import YamlFile

MODEL = ('models', 'walk')
INPUTS = (*MODEL, 'inputs')
OUTPUTS = (*MODEL, 'outputs')
NETWORK = network()


def read(folder, *edits):
    path = write_bundle(folder, edited(BUNDLE, *edits), NETWORK)
    return read_leapp(YamlFile(path, 'file', ModelError, foreign=True))


def said(contract):
    return '\n'.join(contract.assumptions)


def test_everything_of_the_bundle_is_in_the_spec(tmp_path):
    """Inputs by kind and connection, targets as they are, states with their first values."""
    contract = read(tmp_path)
    assert contract.spec() == {
        'name': 'gait',
        'control_rate': 25.0,
        'joints': ['hip', 'knee', 'ankle'],
        'default_pose': 'FILL IN (rad, one number a joint: the default joint positions of the '
                        'training)',
        'gains': {'kp': [20.0, 30.0, 40.0], 'kd': [1.0, 1.5, 2.0]},
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'observation': [
            {'input': 'q', 'terms': [{'source': 'joint_positions', 'relative': False}]},
            {'input': 'qd',
             'terms': [{'source': 'joint_velocities', 'joints': ['knee', 'hip']}]},
            {'input': 'quat', 'terms': [{'source': 'quaternion', 'order': 'xyzw'}]},
            {'input': 'rate', 'terms': [{'source': 'gyroscope'}]},
            {'input': 'twist',
             'terms': [{'source': 'command', 'entries': ['xvel', 'yvel', 'yawrate']}]},
        ],
        'action': {'output': 'target', 'joints': ['knee', 'hip'], 'relative_to': 'zero',
                   'scale': 1.0},
        'states': {'pair': {'last_in': 'last_out', 'hist_in': 'hist_out'},
                   'initial': {'last_in': [0.25, 0.5, -0.5], 'hist_in': 0.5}},
    }  # fmt: skip
    assert contract.model == tmp_path / 'walk.onnx'
    assert 'not read: pipeline.configs.runtime' in said(contract)


def test_import_writes_files_that_run_as_the_pipeline_does(tmp_path, capsys):
    """Two ticks, by hand: the second has the feedback of the first."""
    path = write_bundle(tmp_path)
    out = tmp_path / 'out'
    assert main(['import', str(path), '--out', str(out)]) == 1
    told = capsys.readouterr().out
    assert 'default_pose: FILL IN' in told
    assert f'check {tmp_path / "walk.onnx"}' in told
    spec = out / 'gait.spec.yaml'
    content = yaml.safe_load(spec.read_text()) | {'default_pose': [0.0, 0.0, 0.0]}
    spec.write_text(yaml.safe_dump(content, sort_keys=False))
    policy = load_model(tmp_path / 'walk.onnx', spec=spec)
    inputs = {
        'joint_angles': [0.1, 0.2, 0.3], 'joint_angular_velocities': [1.0, 2.0, 3.0],
        'quaternion': [0.5, 0.5, -0.5, -0.5], 'gyroscope': [0.01, 0.02, 0.03],
        'command': [0.5, 0.25, 0.0],
    }  # fmt: skip
    # hip: q + twist + last_in + both frames of hist_in + qd + quat's w; knee with its z.
    first = [0.1 + 0.5 + 0.25 + 1.0 + 1.0 + 0.5, 0.2 + 0.25 + 0.5 + 1.0 + 2.0 - 0.5, 0.0]
    np.testing.assert_allclose(policy.step(inputs), first, atol=1e-6)
    second = [0.1 + 0.5 + 0.11 + 0.51 + 1.0 + 0.5, 0.2 + 0.25 + 0.22 + 0.52 + 2.0 - 0.5, 0.0]
    np.testing.assert_allclose(policy.step(inputs), second, atol=1e-6)


def test_the_start_pose_is_the_keyframe_home(tmp_path, capsys):
    """A bundle has none, and its network needs none: with an MJCF nothing is to be filled in."""
    path, mjcf = write_bundle(tmp_path), tmp_path / 'robot.xml'
    mjcf.write_text(MJCF)
    assert main(['import', str(path), '--mjcf', str(mjcf), '--out', str(tmp_path / 'o')]) == 0
    told = capsys.readouterr().out
    assert 'default pose: the keyframe home of the MJCF' in told
    assert f'checked with {tmp_path / "walk.onnx"}' in told
    assert load_spec(tmp_path / 'o/gait.spec.yaml').default_pose == (0.5, -1.0, 0.25)


@pytest.mark.parametrize(
    ('at', 'new', 'expected'),
    [
        (2, tensor('quat', [1, 4], 'state/body/rotation'),
         {'source': 'quaternion', 'order': 'FILL IN (xyzw, as in Isaac Lab 3, or wxyz)'}),
        (2, tensor('quat', [1, 4], None, ['w', 'x', 'y', 'z'], 'state:robot:root_link_quat_w'),
         {'source': 'quaternion', 'order': 'wxyz'}),
        (2, tensor('quat', [1, 4], 'state/body/rotation', None, 'state:box:root_quat_w'),
         {'source': 'FILL IN (4 numbers, state:box:root_quat_w, state/body/rotation: '
                    'docs/specs.md)'}),
        (3, tensor('rate', [1, 3], 'state/body/angular_velocity', None, 'state:imu:ang_vel_b'),
         {'source': 'gyroscope', 'frame': 'imu'}),
        (3, tensor('rate', [1, 3], 'state/body/angular_velocity', None,
                   'state:robot:root_ang_vel_w'),
         {'source': 'FILL IN (3 numbers, state:robot:root_ang_vel_w, '
                    'state/body/angular_velocity: docs/specs.md)'}),
        (3, tensor('rate', [1, 3], 'state/vector3d', ['x', 'y', 'z'],
                   'state:robot:projected_gravity_b'), {'source': 'gravity', 'unit': 'unit'}),
        (3, tensor('rate', [1, 3], 'state/body/linear_velocity'), {'source': 'linear_velocity'}),
        (3, tensor('rate', [3], 'state/body/angular_velocity', ['x', 'z', 'y']),
         {'source': 'gyroscope', 'axes': ['x', 'z', 'y']}),
        (3, tensor('rate', '[1, 3]', 'state/body/angular_velocity'), {'source': 'gyroscope'}),
        (3, tensor('rate', [1, 3]), {'source': 'FILL IN (3 numbers, no kind: docs/specs.md)'}),
        (0, tensor('q', [1, 3], 'state/joint/position'),
         {'source': 'joint_positions', 'relative': False,
          'joints': 'FILL IN (3 names, in the order of the network)'}),
        (4, tensor('twist', [1, 6], 'command/body/velocity',
                   ['lin_x', 'lin_y', 'lin_z', 'ang_x', 'ang_y', 'ang_z']),
         {'source': 'command', 'entries': ['xvel', 'yvel', 0.0, 0.0, 0.0, 'yawrate']}),
        (4, tensor('twist', [1, 3], 'command/body/velocity'),
         {'source': 'command', 'entries': ['xvel', 'yvel', 'yawrate']}),
        (4, tensor('twist', [1, 3], 'command/joint/position', ['hip', 'knee', 'ankle']),
         {'source': 'command',
          'entries': 'FILL IN (3 entries, command/joint/position: hip, knee, ankle)'}),
    ],
)  # fmt: skip
def test_inputs_by_connection_kind_and_names(tmp_path, at, new, expected):
    """What is known is used; what is not is a place to fill in that names it."""
    contract = read(tmp_path, ((*INPUTS, at), new))
    assert contract.observation_inputs[at]['terms'] == [expected]


def test_without_rate_initial_values_and_gains(tmp_path):
    """What is missing is filled in by a person; states without values begin at 0."""
    contract = read(
        tmp_path, (('pipeline', 'configs'), ...), (('pipeline', 'initial_values'), ...),
        ((*OUTPUTS, 3, 'kind'), 'target_stiffness'), ((*OUTPUTS, 4, 'kind'), ...),
    )  # fmt: skip
    spec = contract.spec()
    assert spec['control_rate'] == 'FILL IN (Hz)'
    assert spec['gains']['kp'] == 'FILL IN (Nm/rad: a number, or one a joint)'
    assert spec['states'] == {'pair': {'last_in': 'last_out', 'hist_in': 'hist_out'}}
    assert 'outputs that are not used: stiff, damp' in said(contract)


def test_an_output_without_a_kind(tmp_path):
    """Isaac Lab writes one where it does not know what an action writes."""
    contract = read(
        tmp_path, ((*OUTPUTS, 0), tensor('target', [1, 2])),
        (('pipeline', 'outputs'), {'walk': ['target']}),
    )  # fmt: skip
    assert contract.action['output'] == 'target'
    assert all('FILL IN' in contract.action[key] for key in ('joints', 'relative_to', 'scale'))


def test_a_robot_of_another_name_and_a_drawer(tmp_path):
    """The robot is what is moved; joints of another thing in the scene are not its own."""
    drawer = tensor('rate', [1, 3], 'state/joint/position', ['a', 'b', 'c'],
                    'state:cabinet:joint_pos')  # fmt: skip
    contract = read(
        tmp_path, ((*OUTPUTS, 0, 'isaaclab_connection'), ...), ((*INPUTS, 3), drawer),
        *(((*INPUTS, at, 'isaaclab_connection'), f'state:dog:{name}')
          for at, name in ((0, 'joint_pos'), (1, 'joint_vel'), (2, 'root_quat_w'))),
    )  # fmt: skip
    assert contract.joints == ['hip', 'knee', 'ankle']
    sources = [block['terms'][0]['source'] for block in contract.observation_inputs]
    assert sources[:3] == ['joint_positions', 'joint_velocities', 'quaternion']
    assert sources[3].startswith('FILL IN (3 numbers, state:cabinet:joint_pos')


def test_two_outputs_are_two_groups(tmp_path):
    """Legs and arms, each with an output of its own."""
    second = tensor('last_out', [1, 3], 'target/joint/position', ['a', 'b', 'c'])
    contract = read(
        tmp_path, ((*OUTPUTS, 1), second),
        (('pipeline', 'outputs'), {'walk': ['target', 'last_out', 'stiff', 'damp']}),
    )  # fmt: skip
    assert [group['output'] for group in contract.action_groups] == ['target', 'last_out']
    assert contract.joints == ['hip', 'knee', 'ankle', 'a', 'b', 'c']
    assert contract.spec()['gains']['kp']['a'] == 'FILL IN (Nm/rad)'


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        (('models', 'encoder'), {'inputs': []}, 'found encoder without parameters'),
        (('models',), {}, 'models: found none, expected one or more'),
        (('models',), [1], 'models: found none, expected one or more'),
        (('pipeline',), 5, 'pipeline: found 5, expected inputs'),
        ((*MODEL, 'parameters'), ..., 'found walk without parameters'),
        ((*MODEL, 'parameters', 'backend'), 'jit', 'found jit, expected onnx'),
        ((*MODEL, 'parameters', 'warp_segments'), 2, 'parts that run in Warp'),
        ((*MODEL, 'parameters', 'model_path'), '../walk.onnx', 'expected a file beside'),
        ((*MODEL, 'parameters', 'model_path'), '/etc/passwd', 'expected a file beside'),
        ((*MODEL, 'parameters', 'model_path'), None, 'model_path: found nothing'),
        ((*MODEL, 'parameters', 'sha256sum'), '00', 'not the network that the bundle was'),
        ((*INPUTS, 0), 'q', r'inputs\[0\]: found the text'),
        ((*INPUTS, 0, 'name'), 'qd', 'found qd twice'),
        ((*INPUTS, 0, 'shape'), '1, 3', 'expected sizes from 1 on'),
        ((*INPUTS, 0, 'shape'), [1, 10**9], 'expected sizes from 1 on'),
        ((*INPUTS, 0, 'kind'), 'state/joint/velocity', 'expected state/joint/position, of'),
        ((*INPUTS, 0, 'element_names'), [['hip', 'knee']], 'here of 3 names'),
        ((*INPUTS, 0, 'element_names'), {'a': 1}, 'expected a list for each axis'),
        ((*INPUTS, 0, 'element_names'), ['__temporal_axis__', ['hip']], 'values of several ticks'),
        ((*INPUTS, 2, 'element_names'), [['qx', 'qz', 'qy', 'qw']], 'expected qx, qy, qz, qw'),
        ((*INPUTS, 3, 'element_names'), [['x', 'y', 'n']], 'expected of x, y, z'),
        ((*INPUTS, 4, 'shape'), 3, 'expected sizes'),
        ((*OUTPUTS, 0, 'kind'), 'target/joint/effort', 'alone: a target here is a joint'),
        (('pipeline', 'outputs'), {'walk': ['action']}, 'found action, expected outputs of walk'),
        (('pipeline', 'inputs'), {'walk': ['q']}, 'expected the inputs that nothing feeds'),
        (('pipeline', 'inputs'), ['q'], r'inputs: found \[.q.\], expected {MODEL'),
        (('pipeline', 'data_flow'), {'a/b': ['c/d']}, 'expected an output and an'),
        (('pipeline', 'feedback_flow'), ['a'], 'feedback_flow: found'),
        (('pipeline', 'feedback_flow', 'walk/last_out'), ['walk/none'], 'expected an output'),
        (('pipeline', 'feedback_flow', 'walk/last_out'), ['walk/hist_in'], 'the same shape: they'),
        (('pipeline', 'configs', 'frequency'), '50 Hz', "frequency: found the text '50 Hz'"),
        (('pipeline', 'configs', 'frequency'), 0, 'expected a number from 0.1'),
        (('pipeline', 'initial_values'), '../a', 'expected a file beside'),
        (('pipeline', 'initial_values'), 'none.safetensors', 'none.safetensors: cannot be read'),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_used_is_one_error(tmp_path, path, value, words):
    """With file, line where there is one, found and expected."""
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, (path, value))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ('tensors', 'words'),
    [
        ({'walk/other': np.zeros(3, np.float32)}, 'found walk/other, expected inputs'),
        ({'walk/last_in': np.zeros(4, np.float32)}, 'found 4 numbers, expected 3'),
        ({'walk/last_in': np.full(3, np.nan, np.float32)}, 'is not finite'),
    ],
)
def test_initial_values_that_do_not_fit(tmp_path, tensors, words):
    """The file with the initial values is another one."""
    path = write_bundle(tmp_path)
    write_safetensors(tmp_path / 'gait_initial_values.safetensors', INITIAL | tensors)
    with pytest.raises(ModelError, match=words):
        read_leapp(YamlFile(path, 'file', ModelError, foreign=True))


def test_gains_that_change_are_refused(tmp_path):
    """A network that sets its own stiffness needs a robot that follows it."""
    pipeline = (('pipeline', 'outputs'), {'walk': ['target', 'last_out']})
    with pytest.raises(ModelError, match='gains that change are not supported'):
        read(tmp_path, ((*OUTPUTS, 1), tensor('last_out', [1, 3], 'kp', ['hip', 'knee', 'ankle'])),
             pipeline)  # fmt: skip


def test_a_network_without_end_is_refused(tmp_path):
    """It is run for its gains only after a trial in another process."""
    path = write_bundle(tmp_path, model=models.Builder().build({'a': (1,)}, {}))
    with pytest.raises(KinferRosError):
        read_leapp(YamlFile(path, 'file', ModelError, foreign=True))


@given(some_edits(BUNDLE))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """No value of any type may be a traceback, and what is written can be read back."""
    folder = tmp_path_factory.mktemp('leapp')
    try:
        contract = read(folder, *edits)
    except KinferRosError:
        return
    path = folder / 'walk.spec.yaml'
    content = contract.spec() | {'default_pose': [0.0] * len(contract.joints)}
    path.write_text(yaml.safe_dump(content))
    if 'FILL IN' not in path.read_text():
        load_spec(path)
