"""Isaac Lab's IO_descriptors.yaml: every number that it has is in the spec, or refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings

from helpers.edits import edited
from helpers.edits import some_edits
from helpers.policies import flat_models
from kinfer_ros.__main__ import main
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.io_descriptors import read_io_descriptors
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.yaml_file import YamlFile

HIP, KNEE, ANKLE = flat_models.JOINTS


def term(name: str, width: int, *, module: str = 'isaaclab.envs.mdp.observations', **more: Any):
    """A term as the exporter writes it, with overloads, units and axes replaced by `more`."""
    extras = {'description': f'{name}.', 'modifiers': None}
    extras |= {key: more.pop(key) for key in ('units', 'axes') if key in more}
    overloads = {'clip': None, 'flatten_history_dim': True, 'history_length': 0, 'scale': None}
    overloads |= {key: more.pop(key) for key in tuple(more) if key in overloads}
    return {
        'name': name, 'full_path': f'{module}.{name}', 'mdp_type': 'Observation', 'extras': extras,
        'dtype': 'torch.float32', 'observation_type': 'State', 'overloads': overloads,
        'shape': [width], **more,
    }  # fmt: skip


CONTENT: dict[str, Any] = {
    'actions': [
        {
            'name': 'joint_position_action', 'action_type': 'JointAction', 'mdp_type': 'Action',
            'full_path': 'isaaclab.envs.mdp.actions.joint_actions.JointPositionAction',
            'clip': [[-float('inf'), float('inf')], [-1.5, 2.0]], 'dtype': 'torch.float32',
            'extras': {'description': 'Targets.'}, 'joint_names': [KNEE, HIP],
            'offset': [-0.25, 0.5], 'scale': [0.25, 0.5], 'shape': [2],
        }
    ],
    'articulations': {
        'box': {'joint_names': ['lid'], 'default_joint_pos': [0.0]},
        'robot': {
            'joint_names': [HIP, KNEE, ANKLE], 'default_joint_pos': [0.5, -0.25, 0.125],
            'default_joint_vel': [0.0, 0.0, 0.0], 'default_joint_armature': [0.0, 0.0, 0.0],
            'default_joint_pos_limits': [[-1.0, 1.0], [-2.0, 0.5], [-3.4e38, 3.4e38]],
            'default_joint_stiffness': [40.0, 30.0, 0.0],
            'default_joint_damping': [4.0, 3.0, 0.0],
            'default_joint_effort_limits': [80.0, 60.0, 5.0],
        },
    },
    'observations': {
        'policy': [
            term('base_ang_vel', 3, units='rad/s', axes=['X', 'Y', 'Z'], scale=0.25),
            term('projected_gravity', 3, units='m/s^2', axes=['X', 'Y', 'Z']),
            term('generated_commands', 3, scale=[2.0, 2.0, 0.25]),
            term('joint_pos_rel', 3, units='rad', joint_names=[HIP, KNEE, ANKLE],
                 joint_pos_offsets=[0.5, -0.25, 0.125], clip=[-3.0, float('inf')]),
            term('joint_vel_rel', 2, units='rad/s', joint_names=[KNEE, HIP],
                 joint_vel_offsets=[0.0, 1.5], history_length=3),
            term('last_action', 2, history_length=5),
        ]
    },
    'scene': {'decimation': 4, 'dt': 0.02, 'physics_dt': 0.005},
}  # fmt: skip
POLICY = ('observations', 'policy')
ACTION = ('actions', 0)
ROBOT = ('articulations', 'robot')


def read(tmp_path, content, *edits):
    path = tmp_path / 'IO_descriptors.yaml'
    path.write_text(yaml.safe_dump(edited(content, *edits)))
    return read_io_descriptors(YamlFile(path, 'file', ModelError, foreign=True))


def said(contract):
    return '\n'.join(contract.assumptions)


def test_every_number_of_the_file_is_in_the_spec(tmp_path):
    """Order, pose, gains, scales, clips, history, targets and rate: the whole spec."""
    contract = read(tmp_path, CONTENT)
    spec = contract.spec()
    assert spec.pop('name')
    assert spec == {
        'control_rate': 50.0,
        'joints': [HIP, KNEE, ANKLE],
        'default_pose': [0.5, -0.25, 0.125],
        'gains': {
            'kp': [40.0, 30.0, 0.0], 'kd': [4.0, 3.0, 0.0], 'torque_limit': [80.0, 60.0, 5.0]
        },
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'observation': {
            'history': {
                'length': 5, 'layout': 'per_term', 'order': 'oldest_first', 'first': 'repeat'
            },
            'terms': [
                {'source': 'gyroscope', 'scale': 0.25, 'history': 1},
                {'source': 'gravity', 'unit': 'unit', 'history': 1},
                {'source': 'command', 'scale': [2.0, 2.0, 0.25], 'history': 1},
                {'source': 'joint_positions', 'relative': True, 'clip': [-3.0, 1e30],
                 'history': 1},
                {'source': 'joint_velocities', 'joints': [KNEE, HIP], 'offset': [0.0, -1.5],
                 'history': 3},
                {'source': 'last_action', 'which': 'raw'},
            ],
        },
        'action': {
            'joints': [KNEE, HIP], 'relative_to': 'default_pose', 'scale': [0.25, 0.5],
            'target_clip': [[-1e30, 1e30], [-1.5, 2.0]],
        },
    }  # fmt: skip
    assert contract.position_limits == [(-1.0, 1.0), (-2.0, 0.5), (None, None)]
    assert 'gravity: a unit vector' in said(contract)
    assert 'not read: articulations.box.default_joint_pos' in said(contract)


def test_import_writes_files_that_run(tmp_path, capsys):
    """The command, with the network beside: a policy whose step uses the numbers above."""
    folder = tmp_path / 'io_descriptors'
    folder.mkdir()
    (folder / 'IO_descriptors.yaml').write_text(yaml.safe_dump(CONTENT))
    model = tmp_path / 'policy.onnx'
    data, weights = flat_models.linear(28, joints=2)
    model.write_bytes(data)
    words = ['import', folder / 'IO_descriptors.yaml', '--model', model, '--out', tmp_path / 'o']
    assert main([*map(str, words), '--name', 'leg']) == 0
    out = capsys.readouterr().out
    assert '3 joints, 28 observations' in out
    assert 'checked with' in out
    policy = load_model(model, spec=tmp_path / 'o/leg.spec.yaml')
    inputs = {
        'joint_angles': [0.75, 0.0, 0.25], 'joint_angular_velocities': [1.5, 2.0, 0.0],
        'gyroscope': [1.0, 2.0, 3.0], 'projected_gravity': [0.0, 0.0, -9.81],
        'command': [0.5, 0.0, 1.0],
    }  # fmt: skip
    flat = [
        0.25,
        0.5,
        0.75,
        0,
        0,
        -1,
        1.0,
        0.0,
        0.25,
        0.25,
        0.25,
        0.125,
        *[2.0, 0.0] * 3,
        *[0] * 10,
    ]
    knee, hip = flat @ weights
    expected = [min(max(0.5 + 0.5 * hip, -1.5), 2.0), -0.25 + 0.25 * knee, 0.125]
    assert policy.step(inputs).tolist() == pytest.approx(expected, abs=1e-5)
    robot = load_robot(str(tmp_path / 'o/leg.robot.yaml'))
    assert robot.lower.tolist() == [-1.0, -2.0, pytest.approx(-3.141593)]
    assert robot.torque_limit.tolist() == [80.0, 60.0, 5.0]


def test_gains_of_an_actuator_model_are_places_to_fill_in(tmp_path):
    """Isaac Lab writes 0 where a DCMotor computes the torque: a robot with them would fall."""
    both = [((*ROBOT, f'default_joint_{key}'), [0.0] * 3) for key in ('stiffness', 'damping')]
    contract = read(tmp_path, CONTENT, *both)
    assert contract.spec()['gains']['kp'][KNEE] == 'FILL IN (Nm/rad)'
    assert 'DCMotor' in contract.warnings[0]
    one = [((*ROBOT, f'default_joint_{key}', 0), 0.0) for key in ('stiffness', 'damping')]
    gains = read(tmp_path, CONTENT, *one).spec()['gains']
    assert gains['kp'] == {HIP: 'FILL IN (Nm/rad)', KNEE: 30.0, ANKLE: 0.0}
    assert gains['kd'] == {HIP: 'FILL IN (Nm s/rad)', KNEE: 3.0, ANKLE: 0.0}


@pytest.mark.parametrize(
    ('at', 'new', 'expected'),
    [
        (3, term('joint_pos', 3, units='rad', joint_names=[HIP, KNEE, ANKLE]),
         {'source': 'joint_positions', 'relative': False}),
        (3, term('joint_pos_rel', 3, joint_pos_offsets=[0.5, -0.25, 0.25]),
         {'source': 'joint_positions', 'relative': False, 'offset': [-0.5, 0.25, -0.25]}),
        (3, term('joint_vel', 3, units='rad/s'), {'source': 'joint_velocities'}),
        (0, term('base_lin_vel', 3, units='m/s', axes=['X', 'Y', 'Z']),
         {'source': 'linear_velocity'}),
        (0, term('base_ang_vel', 1, axes=['Z']), {'source': 'gyroscope', 'axes': ['z']}),
        (0, term('root_quat_w', 4, units='unit', axes=['X', 'Y', 'Z', 'W']),
         {'source': 'quaternion', 'order': 'xyzw'}),
        (0, term('root_quat_w', 4),
         {'source': 'quaternion', 'order': 'FILL IN (wxyz before Isaac Lab 3, xyzw since)'}),
        (0, term('imu_ang_vel', 3), {'source': 'gyroscope', 'frame': 'imu'}),
        (0, term('my_scan', 187, scale=2.0, module='mine'),
         {'source': 'FILL IN (the source of mine.my_scan, 187 numbers: docs/specs.md)',
          'scale': 2.0}),
        (0, term('height_scan', 187, scale=2.0, clip=[-1.0, 1.0]),
         {'source': 'height_scan', 'scale': 2.0, 'clip': [-1.0, 1.0],
          'grid': 'FILL IN ({size: [x, y], resolution: m, order: xy} of the 187 points; or, in '
                  'place of grid, count)',
          'offset': "FILL IN (m, minus the training's offset: -0.5 by default in Isaac Lab, 0 in "
                    'mjlab)'}),
        (0, term('current_time_s', 1), {'source': 'time'}),
        (3, term('joint_pos_limit_normalized', 2, joint_names=[KNEE, HIP], scale=0.5,
                 clip=[-1.0, 1.0]),
         {'source': 'joint_positions', 'relative': False, 'joints': [KNEE, HIP],
          'offset': [0.75, 0.0],
          'scale': 'FILL IN ([0.8, 1.0] / soft_joint_pos_limit_factor (mostly 0.9), times 0.5)',
          'clip_scaled': 'FILL IN ([-1.0, 1.0], times 0.5)'}),
        (3, term('joint_pos_limit_normalized', 1, joint_names=[ANKLE], clip=[-1.0, 1.0]),
         {'source': 'joint_positions', 'relative': False, 'joints': [ANKLE],
          'offset': 'FILL IN (rad, minus the middle of the limits, one a joint)',
          'scale': 'FILL IN (2 / (the range of the soft limits), one a joint)',
          'clip_scaled': [-1.0, 1.0]}),
        (2, term('generated_commands', 4),
         {'source': 'command', 'entries': 'FILL IN (4 names of commands)'}),
    ],
)  # fmt: skip
def test_terms_by_their_function(tmp_path, at, new, expected):
    """`joint_pos` of Isaac Lab is absolute; what nobody can know is a place to fill in."""
    contract = read(tmp_path, CONTENT, ((*POLICY, at), new))
    found = contract.observation['terms'][at]
    found.pop('history', None)
    assert found == expected
    if at == 2:
        assert next(iter(contract.commands)).startswith('FILL IN (NAME of each of 4 numbers')


def test_a_term_of_another_module_is_said(tmp_path):
    """A copy of a function may compute something else."""
    new = term('base_ang_vel', 3, module='my_task.mdp')
    assert 'that of Isaac Lab, although it is from my_task.mdp' in said(
        read(tmp_path, CONTENT, ((*POLICY, 0), new))
    )


def test_history_that_is_not_flattened_is_stacked_by_frame(tmp_path):
    """As the metadata importer has it; a mixture is refused."""
    names = range(len(CONTENT['observations']['policy']))
    flat = [((*POLICY, at, 'overloads', 'flatten_history_dim'), False) for at in names]
    long = [((*POLICY, at, 'overloads', 'history_length'), 4) for at in names]
    history = read(tmp_path, CONTENT, *flat, *long).observation['history']
    assert (history['length'], history['layout']) == (4, 'per_frame')
    with pytest.raises(ModelError, match='flatten_history_dim, or lengths that differ'):
        read(tmp_path, CONTENT, *flat)


def test_actions_in_several_groups(tmp_path):
    """Legs and arms with a scale each: their outputs stand one behind the other."""
    legs = edited(CONTENT['actions'][0], (('joint_names',), [HIP]), (('shape',), [1]),
                  (('offset',), 0.0), (('scale',), 0.5), (('clip',), None))  # fmt: skip
    arms = edited(legs, (('joint_names',), [ANKLE, KNEE]), (('shape',), [2]),
                  (('offset',), [0.125, -0.25]), (('scale',), 0.1))  # fmt: skip
    own = term('last_action', 1)
    contract = read(
        tmp_path, CONTENT, (('actions',), [legs, arms]), ((*POLICY, 5), own),
        ((*POLICY, 4), term('last_action', 3)),
    )  # fmt: skip
    assert contract.spec()['action'] == [
        {'joints': [HIP], 'relative_to': 'zero', 'scale': 0.5},
        {'joints': [ANKLE, KNEE], 'relative_to': 'default_pose', 'scale': 0.1},
    ]
    assert contract.observation['terms'][4:] == [
        {'source': 'last_action', 'which': 'raw'},
        {'source': 'last_action', 'which': 'raw', 'joints': [HIP]},
    ]


def test_a_relative_action(tmp_path):
    """Added to the measured position; its clip is that of the step, so of the output here."""
    path = 'isaaclab.envs.mdp.actions.joint_actions.RelativeJointPositionAction'
    contract = read(
        tmp_path, CONTENT, ((*ACTION, 'full_path'), path), ((*ACTION, 'offset'), 0.0),
        ((*ACTION, 'clip'), [-0.5, 1.0]),
    )  # fmt: skip
    assert contract.action['relative_to'] == 'joint_positions'
    assert contract.action['clip'] == [[-2.0, 4.0], [-1.0, 2.0]]
    assert 'in every physics step' in said(contract)


def test_joints_that_nothing_uses_are_left_out(tmp_path):
    """The hands of a humanoid that walks: its robot file may lack them."""
    new = term('joint_pos_rel', 2, joint_names=[HIP, KNEE], joint_pos_offsets=[0.5, -0.25])
    contract = read(tmp_path, CONTENT, ((*POLICY, 3), new))
    assert contract.joints == [HIP, KNEE]
    assert contract.kp == [40.0, 30.0]
    assert contract.default_pose == [0.5, -0.25]
    assert 'neither sees nor moves: ankle' in said(contract)


def test_one_group_of_several(tmp_path):
    """The critic is no input of the policy."""
    critic = (('observations', 'critic'), [term('base_lin_vel', 3)])
    assert 'not read: critic' in said(read(tmp_path, CONTENT, critic))
    with pytest.raises(ModelError, match='found critic, teacher, expected the group policy'):
        read(tmp_path, CONTENT, critic, (('observations', 'teacher'), []), (POLICY, ...))


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        (('scene',), ..., "missing key 'scene'"),
        (('scene', 'dt'), '0.02', "scene.dt: found the text '0.02'"),
        (('scene', 'dt'), 0.01, 'found 0.01 s, expected physics_dt times decimation, 0.02 s'),
        (('actions',), [], 'actions: found the list'),
        (('actions',), {'a': 1}, 'actions: found a mapping'),
        ((*ACTION, 'full_path'), 'a.JointVelocityAction', 'default_joint_stiffness: found 30'),
        ((*ACTION, 'full_path'), 'a.JointEffortAction', 'needs torques'),
        ((*ACTION, 'full_path'), 'a.Mine', 'found Mine; expected JointPositionAction, Rel'),
        ((*ACTION, 'joint_names'), [KNEE, 'toe'], 'expected one with joint_names that have all'),
        ((*ACTION, 'scale'), ..., "missing key 'scale'"),
        ((*ACTION, 'scale'), [0.5], 'found 1 numbers, expected 2'),
        ((*ACTION, 'offset'), None, "missing key 'offset'"),
        ((*ACTION, 'clip'), [1.0, -1.0], r'clip: found .* expected \[lowest, highest\]'),
        ((*ACTION, 'shape'), [3], r'found \[3\], expected \[2\], one for each joint'),
        (('articulations',), ['robot'], 'articulations: found the list'),
        ((*ROBOT, 'joint_names'), [HIP, KNEE], 'default_joint_pos: found 3 numbers, expected 2'),
        ((*ROBOT, 'default_joint_pos'), ..., "missing key 'default_joint_pos'"),
        ((*ROBOT, 'default_joint_stiffness'), [1.0, 1.0, -1.0], 'of at least 0'),
        ((*ROBOT, 'default_joint_pos_limits'), [[1.0, 2.0]], 'default_joint_pos_limits: found'),
        (POLICY, {}, 'policy: found a mapping'),
        ((*POLICY, 0), 'base_ang_vel', r'policy\[0\]: found the text'),
        ((*POLICY, 0, 'shape'), None, r'expected \[numbers of one frame\]'),
        ((*POLICY, 0, 'shape'), [4], 'found 4 numbers, expected 3: x, y, z'),
        ((*POLICY, 0, 'name'), 'projected_gravity', 'expected the function projected_gravity'),
        ((*POLICY, 0, 'extras', 'units'), 'deg/s', "found 'deg/s', expected rad/s"),
        ((*POLICY, 0, 'extras', 'axes'), ['X', 'Q', 'Z'], 'expected of X, Y, Z'),
        ((*POLICY, 0, 'extras', 'modifiers'), [{'func': 'bias'}], 'found modifiers'),
        ((*POLICY, 0, 'overloads', 'scale'), [1.0, 2.0], 'found 2 numbers, expected 3'),
        ((*POLICY, 0, 'overloads', 'scale'), 'half', 'scale: found'),
        ((*POLICY, 0, 'overloads', 'clip'), 5.0, 'clip: found 5.0'),
        ((*POLICY, 0, 'overloads', 'history_length'), 2.5, 'expected a whole number from 0'),
        ((*POLICY, 0, 'overloads', 'history_length'), -1, 'expected a whole number from 0'),
        ((*POLICY, 0, 'overloads'), [1], r'overloads: found the list \[1\]'),
        ((*POLICY, 3, 'joint_names'), [HIP, KNEE, 'toe'], 'found toe'),
        ((*POLICY, 3, 'joint_names'), [HIP, KNEE], 'found 3 numbers, expected 2'),
        ((*POLICY, 3, 'joint_pos_offsets'), [0.5], 'found 1 numbers, expected 3'),
        ((*POLICY, 5, 'shape'), [12], 'found 12 numbers, expected 2: knee, hip'),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_used_names_its_line(tmp_path, path, value, words):
    """One error, with line, key, found and expected."""
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, CONTENT, (path, value))
    assert 'IO_descriptors.yaml' in str(caught.value)
    assert 'line ' in str(caught.value)


@given(some_edits(CONTENT))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """No value of any type may be a traceback, and what is written can be read back."""
    folder = tmp_path_factory.mktemp('io')
    try:
        contract = read(folder, CONTENT, *edits)
    except KinferRosError:
        return
    path = folder / 'leg.spec.yaml'
    path.write_text(yaml.safe_dump(contract.spec() | {'name': 'leg'}))
    if 'FILL IN' not in path.read_text():
        load_spec(path)


@pytest.mark.parametrize(
    'name',
    ['base_pos_z', 'root_pos_w', 'root_lin_vel_w', 'root_ang_vel_w', 'body_pose_w',
     'body_projected_gravity_b', 'joint_effort', 'body_incoming_wrench', 'remaining_time_s'],
)  # fmt: skip
def test_what_nothing_can_give_is_named(tmp_path, name):
    """A place to fill in that says why: nobody should look for a source that cannot be."""
    contract = read(tmp_path, CONTENT, ((*POLICY, 0), term(name, 3, body_names=['torso'])))
    source = contract.observation['terms'][0]['source']
    assert f"no source gives isaaclab.envs.mdp.observations.{name} of ['torso'], 3" in source


def test_the_last_action_of_one_of_two_equal_actions_is_to_be_named(tmp_path):
    """The file does not have the name of the action that the term shows."""
    other = CONTENT['actions'][0] | {'joint_names': [ANKLE, HIP]}
    first = CONTENT['actions'][0] | {'joint_names': [KNEE, 'toe']}
    robot = ((*ROBOT, 'joint_names'), [HIP, KNEE, ANKLE, 'toe'])
    longer = [
        ((*ROBOT, key), [*values, values[0]])
        for key, values in CONTENT['articulations']['robot'].items()
        if key != 'joint_names'
    ]
    contract = read(tmp_path, CONTENT, (('actions',), [first, other]), robot, *longer)
    assert 'FILL IN (joints of the action' in contract.observation['terms'][5]['joints']


def test_the_group_may_be_called_actor(tmp_path):
    """As mjlab and newer trainings have it; the others are not the policy's."""
    groups = {'critic': [term('base_lin_vel', 3)], 'actor': CONTENT['observations']['policy']}
    contract = read(tmp_path, CONTENT, (('observations',), groups))
    assert len(contract.observation['terms']) == len(groups['actor'])
    assert 'the group actor; not read: critic, which the network must not take' in said(contract)
