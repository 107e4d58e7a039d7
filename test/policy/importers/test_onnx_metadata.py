"""Metadata of exporters: what the file says is used, and what it does not say is printed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies import flat_models
from helpers.shared import shared_path
from kinfer_ros.contract.report import check_contract
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.onnx_metadata import read_onnx_metadata
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.draft import draft_robot
from kinfer_ros.robot.robot import load_robot

TERMS = ('base_ang_vel', 'projected_gravity', 'joint_pos', 'joint_vel', 'actions', 'command')
SIZES = (3, 3, 2, 2, 2, 3)
MJLAB = {
    'run_path': 'x',
    'joint_names': 'hip,knee',
    'joint_stiffness': '40.000,40.000',
    'joint_damping': '1.000,1.000',
    'default_joint_pos': '0.100,-0.200',
    'command_names': 'twist',
    'observation_names': ','.join(TERMS),
    'observation_terms_scale': ','.join(['1.000'] * 6),
    'observation_terms_clip': ','.join(['-inf;inf'] * 6),
    'observation_terms_history_length': ','.join(['0.000'] * 6),
    'observation_terms_flatten_history_dim': ','.join(['1.000'] * 6),
    'action_scale': '0.500,0.250',
}
"""As mjlab writes it since its pull request 903."""


def read(tmp_path, width=15, outputs=(('actions', 2),), **changed):
    """Import a network with this metadata; None removes a key."""
    custom = {k: v for k, v in (MJLAB | changed).items() if v is not None}
    if outputs == (('actions', 2),):
        model, _ = flat_models.linear(width, joints=2, custom=custom)
    else:
        model = flat_models.several_outputs(width, outputs, custom=custom)
    path = tmp_path / 'policy.onnx'
    path.write_bytes(model)
    return read_onnx_metadata(Graph(model, str(path)), path)


def load(tmp_path, contract):
    """Load the network of `read` with the spec that was imported."""
    spec = flat_models.write_spec(tmp_path / 'spec.yaml', contract.spec())
    return load_model(tmp_path / 'policy.onnx', spec=spec)


def flat_of(policy, value=1.0):
    """The flat vector for inputs that all have this value."""
    policy.step({each.name: np.full(each.shape, value) for each in policy.contract.inputs})
    return policy._session.flat


def said(contract):
    return '\n'.join(contract.assumptions)


def test_what_the_file_says_is_not_assumed(tmp_path):
    """Scales, clips and history stand in the file; nothing else is claimed about them."""
    contract = read(tmp_path)
    for word in ('scale', 'clip', 'history'):
        assert not any(line.startswith((word, f'observation {word}')) for line in
                       contract.assumptions)  # fmt: skip
    assert 'in the file, and not read: run_path' in said(contract)
    assert all(term.keys() <= {'source', 'relative', 'unit', 'which'} for term in
               contract.observation['terms'])  # fmt: skip
    assert 'history' not in contract.observation


def test_scales_reach_the_network(tmp_path):
    """One number for a term, or one for each of its numbers."""
    scale = '0.200,1.000,1.000,0.050,1.000,2.000;2.000;0.250'
    policy = load(tmp_path, read(tmp_path, observation_terms_scale=scale))
    flat = flat_of(policy)
    np.testing.assert_allclose(flat[:3], [0.2] * 3, atol=1e-6)
    np.testing.assert_allclose(flat[8:10], [0.05] * 2, atol=1e-6)
    np.testing.assert_allclose(flat[12:15], [2.0, 2.0, 0.25], atol=1e-6)


def test_clips_come_before_scales_and_may_be_open(tmp_path):
    """As in mjlab's and Isaac Lab's ObservationManager."""
    contract = read(
        tmp_path,
        observation_terms_clip='-0.5;0.5,-inf;inf,-inf;0.25,-inf;inf,-inf;inf,-inf;inf',
        observation_terms_scale='10.0,1,1,1,1,1',
    )
    flat = flat_of(load(tmp_path, contract))
    np.testing.assert_allclose(flat[:3], [5.0] * 3, atol=1e-6)
    assert flat[6] == pytest.approx(0.25)
    assert flat[7] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ('lengths', 'flatten', 'width'),
    [((5,) * 6, 1, 75), ((2,) * 6, 1, 30), ((2,) * 6, 0, 30), ((4, 1, 2, 2, 2, 1), 1, 30),
     ((0, 3, 0, 0, 0, 0), 1, 21), ((1,) * 6, 0, 15)],
)  # fmt: skip
def test_history_is_as_the_file_says(tmp_path, lengths, flatten, width):
    """By term or by frame, whatever else would fit the width."""
    contract = read(
        tmp_path, width,
        observation_terms_history_length=','.join(f'{n:.3f}' for n in lengths),
        observation_terms_flatten_history_dim=','.join([f'{flatten:.3f}'] * 6),
    )  # fmt: skip
    policy = load(tmp_path, contract)
    frames = [max(1, n) for n in lengths]
    for tick in range(6):
        flat = flat_of(policy, float(tick))
    first = [float(t) for t in range(6)][-frames[0] :]
    if flatten or max(frames) == 1:
        expected = [value for value in first for _ in range(3)]
        assert flat[: 3 * frames[0]].tolist() == expected
    else:
        assert [flat[15 * at] for at in range(frames[0])] == first
    assert 'from the input size' not in said(contract)


@pytest.mark.parametrize(
    ('name', 'entries'), [('pose', ['pose_0', 'pose_1', 'pose_2']), ('squat', ['squat_0'])]
)
def test_a_command_that_is_no_velocity_has_entries_of_its_own(tmp_path, name, entries):
    """Vx of a joystick is no squat height, even where the width fits."""
    contract = read(tmp_path, 12 + len(entries), command_names=name)
    assert list(contract.commands) == entries
    assert f'command {name}: {len(entries)} entries of unknown meaning' in said(contract)
    assert load(tmp_path, contract).contract.command_names == tuple(entries)


@pytest.mark.parametrize('name', ['twist', 'velocity', 'base_velocity', None])
def test_a_command_that_is_a_velocity_is_vx_vy_yaw_rate(tmp_path, name):
    """By the names that exporters use, or none at all."""
    assert list(read(tmp_path, command_names=name).commands) == ['xvel', 'yvel', 'yawrate']


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'command_names': 'motion'}, "'motion', a reference motion"),
        ({'command_names': 'pose', 'width': None}, 'size is not in the file'),
        ({'command_names': 'twist,pose'}, 'could be any of them'),
        ({'observation_names': ','}, r"observation_names: found ',', expected names"),
        ({'observation_names': 'base_ang_vel,foot_height'}, "'foot_height'"),
        ({'observation_names': 'motion_anchor_pos_b'}, "needs the robot's position in the world"),
        ({'policy_frequency': 'fast'}, "policy_frequency: found 'fast', expected one number .Hz"),
        ({'step_dt': '0'}, "step_dt: found '0', expected one number .s"),
        ({'step_dt': '0.02', 'control_rate': '100'}, 'inverse of the other'),
        ({'observation_history_lengths': 'a,b,c,d,e,f'}, 'observation_history_lengths: found'),
        ({'observation_history_lengths': '1,2,0,0,0,0'}, 'the same as observation_terms_history'),
        ({'observation_terms_history_length': '0.5,0,0,0,0,0'}, 'whole numbers'),
        ({'observation_terms_history_length': '2,0,0,0,0,0'}, '18 numbers; the network takes 15'),
        ({'observation_terms_history_length': '0,0'}, '6 numbers'),
        ({'observation_terms_scale': '1,1'}, '6 entries'),
        ({'observation_terms_scale': '1;1,1,1,1,1,1'}, '1 or 3 numbers for base_ang_vel'),
        ({'observation_terms_scale': 'inf,1,1,1,1,1'}, 'list of numbers'),
        ({'observation_terms_clip': '1;-1,' + ','.join(['-inf;inf'] * 5)}, 'lowest;highest'),
        ({'observation_terms_flatten_history_dim': 'yes,1,1,1,1,1'}, 'true or false'),
        ({'joint_stiffness': '{"hip": 40, "ankle": 40}'}, 'exactly the names hip, knee'),
        ({'joint_stiffness': 'nan,1'}, 'finite numbers from 0 on'),
        ({'joint_damping': '-1,-1'}, 'finite numbers from 0 on'),
        ({'action_scale': 'null'}, 'expected a value for action_scale'),
        ({'action_scale': 'tensor([0.5, 0.25])'}, r'text of a tensor: export \.tolist'),
        ({'action_scale': '[true, false]'}, '2 numbers'),
        ({'default_joint_pos': None}, 'expected a value for default_joint_pos'),
        ({'joint_names': '{"a": 1}'}, 'names, separated by commas'),
        ({'joint_names': '[1, 2]'}, 'names, separated by commas'),
        ({'joint_names': '[1'}, 'JSON, or entries'),
        ({'joint_names': 'hip,hip'}, "joint_names: found 'hip,hip', expected each name once"),
        ({'action_joint_names': 'hip,ankle'}, "action_joint_names: .'ankle'."),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_error(tmp_path, changed, words):
    """With key, found and expected; nothing is guessed, and no traceback is shown."""
    changed = dict(changed)
    width = changed.pop('width', 15) or 12
    with pytest.raises(ModelError, match=words):
        read(tmp_path, width, **changed)


@pytest.mark.parametrize(
    ('changed', 'check'),
    [
        ({'joint_stiffness': '{"knee": 30, "hip": 40}'}, lambda c: c.kp == [40.0, 30.0]),
        ({'joint_names': '"hip,knee"'}, lambda c: c.joints == ['hip', 'knee']),
        ({'joint_names': '["hip", "knee"]'}, lambda c: c.joints == ['hip', 'knee']),
        ({'policy_frequency': '25 Hz'}, lambda c: c.control_rate == 25.0),
        ({'step_dt': '0.01 s'}, lambda c: c.control_rate == 100.0),
        ({'step_dt': '0.02', 'control_rate': '50'}, lambda c: c.control_rate == 50.0),
        ({'action_scale': '0.5'}, lambda c: c.action['scale'] == 0.5),
        ({'joint_damping': 'null'}, lambda c: c.kd is None),
        ({'observation_terms_clip': None}, lambda c: 'clips: none' in said(c)),
        ({'observation_terms_scale': None}, lambda c: 'scales: 1' in said(c)),
        ({'observation_history_lengths': '0,0,0,0,0,0'}, lambda c: 'history' not in said(c)),
        ({'observation_terms_flatten_history_dim': 'True,True,true,True,1,1.0'},
         lambda c: 'history' not in said(c)),
    ],
)  # fmt: skip
def test_what_can_be_used_is(tmp_path, changed, check):
    """Values by name go to their joints; a unit behind a number is read."""
    assert check(read(tmp_path, **changed))


HOLOSOMA = dict.fromkeys(MJLAB) | {
    'dof_names': '["hip", "knee"]', 'kp': '[20.0, 30.0]', 'kd': '[1.0, 1.5]',
    'command_ranges': '{"lin_vel_x": [-1, 1], "heading": [-3.14, 3.14]}',
}  # fmt: skip
"""As holosoma writes it."""


@pytest.mark.parametrize(
    ('changed', 'check'),
    [
        ({}, lambda c: (c.kp, c.kd) == ([20.0, 30.0], [1.0, 1.5])),
        ({'dof_names': 'hip, knee'}, lambda c: c.joints == ['hip', 'knee']),
        ({'kp': '{"knee": 3, "hip": 2}'}, lambda c: c.kp == [2.0, 3.0]),
        ({'kp': '20.0,30.0'}, lambda c: c.kp == [20.0, 30.0]),
        ({}, lambda c: c.commands == {'xvel': [-1.0, 1.0], 'yvel': None, 'yawrate': None}),
        ({}, lambda c: 'yvel, yawrate not limited' in said(c)),
        ({}, lambda c: 'in command_ranges, and not used: heading' in said(c)),
        ({'command_ranges': 'null'}, lambda c: c.commands == {} and 'command: none' in said(c)),
        ({'default_joint_pos': '0.1,0.2'}, lambda c: c.default_pose == [0.1, 0.2]),
        ({'action_scale': '0.25'}, lambda c: c.action['scale'] == 0.25),
        ({'action_scale': '0.25', 'action_offset': '0.1,0.2'},
         lambda c: c.action == {'relative_to': 'zero', 'scale': 0.25, 'offset': [0.1, 0.2]}),
    ],
)  # fmt: skip
def test_metadata_without_terms_is_a_draft(tmp_path, changed, check):
    """What holosoma's file says is used; pose, scale and terms are places where it does not."""
    contract = read(tmp_path, **(HOLOSOMA | changed))
    assert check(contract)
    spec = contract.spec()
    assert spec['observation']['terms'].startswith('FILL IN (list of terms in their order, 15 ')
    pose, scale = 'default_joint_pos' in changed, 'action_scale' in changed
    assert str(spec['default_pose']).startswith('FILL IN') is not pose
    assert str(spec['action']['scale']).startswith('FILL IN') is not scale


@pytest.mark.parametrize(
    'ranges',
    ['{"xvel": [1, -1]}', '{"xvel": 1}', '[-1, 1]', '{"xvel": [NaN, 1]}', '{"xvel": "wide"}'],
)
def test_ranges_that_are_none_are_one_error(tmp_path, ranges):
    """A range limits what the robot is told."""
    with pytest.raises(ModelError, match=r'command_ranges: found .*expected \{name: \[lowest'):
        read(tmp_path, **(HOLOSOMA | {'command_ranges': ranges}))


def test_ranges_beside_terms_are_used(tmp_path):
    """Nothing is assumed that the file says."""
    contract = read(tmp_path, command_ranges='{"lin_vel_y": [-0.5, 0.5], "ang_vel_z": [-2, 2]}')
    assert contract.commands == {'xvel': None, 'yvel': [-0.5, 0.5], 'yawrate': [-2.0, 2.0]}


def test_a_placeholder_for_gains_is_a_warning_and_fails_the_check(tmp_path):
    """Kp 1 and kd -0 pass for gains, and let a robot fall; who means them says so."""
    contract = read(tmp_path, joint_stiffness='1.000,1.000', joint_damping='-0.000,-0.000')
    assert contract.kd == [0.0, 0.0]
    assert math.copysign(1.0, contract.kd[0]) == 1.0
    assert 'kp 1 and kd 0' in contract.warnings[0]
    robot = tmp_path / 'robot.yaml'
    imu = {'frame': 'imu_link', 'mounting': [1.0, 0.0, 0.0, 0.0]}
    content = draft_robot(contract, {}, base='base_link', imu=imu, mjcf=None)
    robot.write_text(yaml.safe_dump(content))

    def row():
        rows = check_contract(load(tmp_path, contract), load_robot(str(robot)))
        return next(each for each in rows if each.what == 'gains')

    assert row().verdict == 'fail'
    assert 'undamped' in row().remedy
    spec = contract.spec()
    spec['gains']['undamped'] = True
    contract.spec = lambda: spec
    assert row().verdict == 'warn'  # only the torque limit is not known


@pytest.mark.parametrize('outputs', [
    (('value', 1), ('actions', 2)), (('actions', 2), ('value', 1)), (('value', 3), ('mu', 2)),
    (('other', 2), ('action', 2)),
])  # fmt: skip
def test_the_action_is_the_output_of_its_width_and_name(tmp_path, outputs):
    """An exporter may put the critic first."""
    contract = read(tmp_path, outputs=outputs)
    expected = next((n for n, _ in outputs if n in ('actions', 'action')), 'mu')
    assert contract.action['output'] == expected
    assert f'action output: {expected}, of' in said(contract)


@given(
    st.dictionaries(
        st.sampled_from(sorted(MJLAB)),
        st.one_of(
            st.text(max_size=30),
            st.lists(st.floats(), max_size=7).map(lambda v: ','.join(map(str, v))),
            st.recursive(
                st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3),
                lambda inner: (
                    st.lists(inner, max_size=4)
                    | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
                max_leaves=6,
            ).map(json.dumps),
        ),
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_stands_there_it_is_used_or_one_error(changed):
    """Users edit these, and exporters are written in a hurry."""
    model, _ = flat_models.linear(15, joints=2, custom=MJLAB | changed)
    try:
        contract = read_onnx_metadata(Graph(model, 'policy.onnx'), Path('policy.onnx'))
    except KinferRosError:
        return
    yaml.safe_dump(contract.spec())


DRAFT = 'FILL IN'
CASES = {
    'mjlab_plain': '', 'mjlab_scale': '', 'mjlab_clip': '', 'mjlab_history': '',
    'mjlab_history_order': '', 'mjlab_history_swapped': '', 'mjlab_pose': '',
    'mjlab_motion': 'a reference motion', 'mjlab_damping_0': '', 'mjlab_lab_keys': DRAFT,
    'meta_empty_terms': 'observation_names', 'meta_hist_zero': '',
    'meta_hist_text': 'observation_history_lengths', 'meta_freq_text': '',
    'meta_step_dt_0': 'step_dt', 'meta_names_json_str': '', 'meta_kp_json_obj': '',
    'meta_scale_json_null': 'action_scale', 'meta_scale_tensor': 'tensor',
    'actions_value': 'joint_names',
}  # fmt: skip
"""The error of each, '' where it is used, DRAFT where something has to be filled in."""


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
@pytest.mark.parametrize(('name', 'words'), CASES.items())
def test_the_shared_cases(tmp_path, name, words):
    """Files that were read wrongly, or refused, once."""
    path = shared_path(f'cases/{name}/policy.onnx')
    graph = Graph(path.read_bytes(), str(path))
    if words and words != DRAFT:
        with pytest.raises(ModelError, match=words):
            read_onnx_metadata(graph, path)
        return
    contract = read_onnx_metadata(graph, path)
    spec = flat_models.write_spec(tmp_path / 'spec.yaml', contract.spec())
    if words == DRAFT:
        assert DRAFT in spec.read_text()
    else:
        assert flat_of(load_model(path, spec=spec)).size == graph.inputs[0].shape[-1]


def with_scan(**changed):
    return {
        'observation_names': ','.join([*TERMS, 'height_scan']),
        'observation_terms_scale': ','.join(['1.000'] * 6 + ['0.200']),
        'observation_terms_clip': ','.join(['-inf;inf'] * 7),
        'observation_terms_history_length': ','.join(['0.000'] * 7),
        'observation_terms_flatten_history_dim': ','.join(['1.000'] * 7),
    } | changed


def test_a_height_scan_is_a_draft_of_the_right_size(tmp_path):
    """Its points are the rest of the input; where they are, nobody has written down."""
    contract = read(tmp_path, 15 + 187, **with_scan())
    scan = contract.observation['terms'][-1]
    assert scan['scale'] == 0.2
    assert scan['grid'].startswith('FILL IN ({size: [x, y], resolution: m, order: xy} of the 187')
    scan |= {'grid': {'size': [1.6, 1.0], 'resolution': 0.1, 'order': 'xy'}, 'offset': 0.0}
    flat = flat_of(load(tmp_path, contract), 2.0)
    np.testing.assert_allclose(flat[15:], np.full(187, 0.4), atol=1e-6)


def test_a_height_scan_that_does_not_fit_is_one_error(tmp_path):
    """Frames of it that are not whole, or no room for any."""
    history = ','.join(['0.000'] * 6 + ['2.000'])
    contract = read(tmp_path, 15 + 20, **with_scan(observation_terms_history_length=history))
    assert '10 points' in contract.observation['terms'][-1]['grid']
    for width, more in ((36, {'observation_terms_history_length': history}), (15, {})):
        with pytest.raises(ModelError, match='a height scan, whose size is not in the file'):
            read(tmp_path, width, **with_scan(**more))


def test_a_velocity_of_mjlab_may_be_that_of_the_imu(tmp_path):
    """Its velocity tasks name the velocimeter of the IMU base_lin_vel; the file has the name."""
    names = 'base_lin_vel,' + ','.join(TERMS[1:])
    assert 'base_lin_vel at the site of' in said(read(tmp_path, observation_names=names))
    assert 'site of the IMU' not in said(read(tmp_path))
