"""Velocity actions of each exporter: a group with target velocity, and a robot file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from helpers.policies import flat_models
from helpers.policies.cart import JOINTS
from helpers.policies.cart import WHEELS
from helpers.policies.cart import mjcf
from helpers.policies.leapp_bundle import BUNDLE
from helpers.policies.leapp_bundle import network
from helpers.policies.leapp_bundle import tensor
from helpers.policies.leapp_bundle import write_bundle
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.yaml_kinds import read_exported_yaml
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.yaml_file import YamlFile

HIP, WHEEL = 'hip', 'wheel'
NAMES = ('leg_l', 'wheel_l', 'leg_r', 'wheel_r')


def read(path, content: Any = None) -> ImportedContract:
    """Read a file as `import` does; its joints are NAMES where it has no names."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    file = YamlFile(path, 'file', ModelError, foreign=True)
    return read_exported_yaml(file, lambda count: (NAMES, 'as given'))


def entry(width: int) -> dict[str, Any]:
    return {'params': {}, 'clip': None, 'scale': [1.0] * width, 'history_length': 1}


DEPLOY: dict[str, Any] = {
    'joint_ids_map': [0, 1, 2, 3],
    'step_dt': 0.02,
    'stiffness': [20.0, 0.0, 20.0, 0.0],
    'damping': [1.0, 0.5, 1.0, 0.5],
    'default_joint_pos': [0.3, 0.0, -0.3, 0.0],
    'actions': {
        'JointPositionAction': {
            'clip': None, 'joint_names': ['leg.*'], 'scale': [0.25, 0.25], 'offset': [0.3, -0.3],
            'joint_ids': [0, 2],
        },
        'JointVelocityAction': {
            'clip': [[-20.0, 20.0], [-20.0, 20.0]], 'joint_names': ['wheel.*'],
            'scale': [5.0, 5.0], 'offset': [0.0, 0.0], 'joint_ids': [1, 3],
        },
    },
    'observations': {'base_ang_vel': entry(3), 'joint_vel_rel': entry(4), 'last_action': entry(4)},
}  # fmt: skip


def test_deploy_yaml(tmp_path):
    """Groups in the order of the file, which is that of the network's output."""
    contract = read(tmp_path / 'deploy.yaml', DEPLOY)
    assert contract.spec()['action'] == [
        {'relative_to': 'default_pose', 'joints': ['leg_l', 'leg_r'], 'scale': 0.25},
        {'target': 'velocity', 'joints': ['wheel_l', 'wheel_r'], 'scale': 5.0,
         'target_clip': [[-20.0, 20.0], [-20.0, 20.0]]},
    ]  # fmt: skip
    said = '\n'.join(contract.assumptions)
    assert 'output of the network: JointPositionAction, then JointVelocityAction' in said
    assert 'applied to the target, in rad/s' in said


def test_deploy_yaml_of_wheels_alone(tmp_path):
    """An offset is a velocity; what is not named stays."""
    only = {'scale': [5.0, 4.0], 'offset': [0.0, 1.0], 'joint_ids': [1, 3], 'clip': None}
    contract = read(tmp_path / 'd.yaml', DEPLOY | {'actions': {'JointVelocityAction': only}} | {
        'observations': {'base_ang_vel': entry(3), 'last_action': entry(2)}})  # fmt: skip
    assert contract.spec()['action'] == {
        'target': 'velocity', 'joints': ['wheel_l', 'wheel_r'], 'scale': [5.0, 4.0],
        'offset': [0.0, 1.0],
    }  # fmt: skip


def test_deploy_yaml_with_a_stiff_wheel(tmp_path):
    """It would be pulled back to an angle: refused with the key of the file."""
    stiff = DEPLOY | {'stiffness': [20.0, 3.0, 20.0, 0.0]}
    with pytest.raises(ModelError, match=r'line \d+: stiffness: found 3 for wheel_l, expected 0'):
        read(tmp_path / 'deploy.yaml', stiff)


def test_import_of_a_deploy_yaml_with_its_mjcf(tmp_path, capsys):
    """Files that load and fit: the wheels without limits, with what the MJCF has of gains."""
    (tmp_path / 'cart.xml').write_text(mjcf('velocity'))
    action = {
        'JointPositionAction': {'scale': [0.1], 'offset': [0.0], 'joint_ids': [0], 'clip': None},
        'JointVelocityAction': {'scale': [5.0] * 4, 'joint_ids': [1, 2, 3, 4], 'clip': None},
    }
    content = DEPLOY | {
        'joint_ids_map': [0, 1, 2, 3, 4], 'stiffness': [20.0, 0, 0, 0, 0],
        'damping': [1.0, 0.5, 0.5, 0.5, 0.5], 'default_joint_pos': [0.0] * 5, 'actions': action,
        'observations': {'base_ang_vel': entry(3), 'last_action': entry(5)},
    }  # fmt: skip
    path = tmp_path / 'deploy.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    model = tmp_path / 'policy.onnx'
    model.write_bytes(flat_models.linear(8, joints=5)[0])
    words = [path, '--mjcf', tmp_path / 'cart.xml', '--out', tmp_path / 'o', '--name', 'cart']
    code = main(['import', *map(str, words), '--model', str(model)])
    told = capsys.readouterr()
    assert code == 0, told
    assert 'driven by velocity' in told.out
    assert f'continuous (no limits): {", ".join(WHEELS)}' in told.out
    assert load_spec(tmp_path / 'o/cart.spec.yaml').action.velocity_joints == WHEELS
    robot = load_robot(tmp_path / 'o/cart.robot.yaml')
    assert robot.joint_names == JOINTS
    assert [joint.continuous for joint in robot.joints] == [False, True, True, True, True]
    assert robot.kp.tolist() == [20.0, 0.0, 0.0, 0.0, 0.0]
    assert robot.torque_limit[1] == 0.5 * robot.velocity_limit[1], 'kd x velocity limit'


def term(name: str, width: int, **more: Any) -> dict[str, Any]:
    """A term of Isaac Lab."""
    return {
        'name': name, 'full_path': f'isaaclab.envs.mdp.observations.{name}', 'shape': [width],
        'extras': None, 'overloads': None, **more,
    }  # fmt: skip


def io_action(kind: str, joints: list[str], scale: float) -> dict[str, Any]:
    count = len(joints)
    return {
        'full_path': f'isaaclab.envs.mdp.actions.joint_actions.{kind}', 'joint_names': joints,
        'scale': [scale] * count, 'offset': [0.0] * count, 'clip': None, 'shape': [count],
    }  # fmt: skip


def io_content(kp: list[float], kd: list[float]) -> dict[str, Any]:
    return {
        'actions': [
            io_action('JointPositionAction', [HIP], 0.25),
            io_action('JointVelocityAction', [WHEEL], 8.0) | {'clip': [[-30.0, 30.0]]},
        ],
        'articulations': {
            'robot': {
                'joint_names': [HIP, WHEEL], 'default_joint_pos': [0.0, 0.0],
                'default_joint_stiffness': kp, 'default_joint_damping': kd,
            }
        },
        'observations': {'policy': [term('base_ang_vel', 3), term('last_action', 2)]},
        'scene': {'dt': 0.02},
    }  # fmt: skip


def test_io_descriptors(tmp_path):
    """The clip of the action is one of the target, in rad/s."""
    contract = read(tmp_path / 'IO_descriptors.yaml', io_content([30.0, 0.0], [1.0, 0.5]))
    assert contract.spec()['action'] == [
        {'joints': [HIP], 'relative_to': 'default_pose', 'scale': 0.25},
        {'joints': [WHEEL], 'target': 'velocity', 'scale': 8.0, 'target_clip': [[-30.0, 30.0]]},
    ]
    assert contract.spec()['gains'] == {'kp': [30.0, 0.0], 'kd': [1.0, 0.5]}


def test_io_descriptors_without_gains(tmp_path):
    """An actuator model hides them: kd is to be filled in, and kp of a wheel is 0 in any case."""
    contract = read(tmp_path / 'IO_descriptors.yaml', io_content([30.0, 0.0], [1.0, 0.0]))
    gains = contract.spec()['gains']
    assert gains['kp'] == {HIP: 30.0, WHEEL: 0.0}
    assert gains['kd'] == {HIP: 1.0, WHEEL: 'FILL IN (Nm s/rad)'}


def test_leapp(tmp_path):
    """Targets of both kinds, each an output."""
    content = yaml.safe_load(yaml.safe_dump(BUNDLE))
    outputs = content['models']['walk']['outputs']
    outputs[0] = tensor('target', [1, 2], 'target/joint/velocity', ['toe_l', 'toe_r'])
    path = write_bundle(tmp_path, content, network())
    assert read(path).spec()['action'] == {
        'output': 'target', 'joints': ['toe_l', 'toe_r'], 'target': 'velocity', 'scale': 1.0
    }  # fmt: skip
    outputs[0] = tensor('target', [1, 2], 'target/joint/velocity', ['hip', 'knee'])
    with pytest.raises(ModelError, match='outputs: found 20 for hip, 30 for knee, expected 0'):
        read(write_bundle(tmp_path, content, network()))


def rl_sar(**more: Any) -> dict[str, Any]:
    """A go2w in small: two legs and two wheels, one after the other."""
    config = {
        'num_observations': 15, 'observations': ['ang_vel', 'dof_pos', 'dof_vel', 'actions'],
        'observations_history': [], 'clip_obs': 100.0, 'clip_actions_lower': [-9.0] * 4,
        'clip_actions_upper': [9.0, 8.0, 9.0, 8.0], 'rl_kp': [20.0, 0.0, 20.0, 0.0],
        'rl_kd': [1.0, 0.5, 1.0, 0.5], 'num_of_dofs': 4, 'action_scale': [0.25, 5.0, 0.25, 5.0],
        'wheel_indices': [1, 3], 'ang_vel_scale': 0.25, 'dof_pos_scale': 2.0,
        'dof_vel_scale': 0.05, 'default_dof_pos': [0.3, 0.0, -0.3, 0.0], 'dt': 0.005,
        'decimation': 4, 'joint_names': list(NAMES), 'joint_mapping': [0, 1, 2, 3],
    }  # fmt: skip
    return {'dog/walk': config | more}


def test_rl_sar(tmp_path):
    """Groups of neighbours, since the output is in joint order; angles of wheels count as 0."""
    contract = read(tmp_path / 'dog/walk/config.yaml', rl_sar())
    leg = {'relative_to': 'default_pose', 'scale': 0.25, 'clip': [-9.0, 9.0]}
    wheel = {'target': 'velocity', 'scale': 5.0, 'clip': [-9.0, 8.0]}
    spec = contract.spec()
    assert spec['action'] == [
        {'joints': ['leg_l'], **leg},
        {'joints': ['wheel_l'], **wheel},
        {'joints': ['leg_r'], **leg},
        {'joints': ['wheel_r'], **wheel},
    ]
    positions, speeds = spec['observation']['terms'][1:3]
    assert positions == {
        'source': 'joint_positions', 'relative': True, 'scale': [2.0, 0.0, 2.0, 0.0]
    }  # fmt: skip
    assert speeds == {'source': 'joint_velocities', 'scale': 0.05}
    assert contract.velocity_joints == ['wheel_l', 'wheel_r']


def test_rl_sar_of_legs_is_one_group(tmp_path):
    """As it was: one mapping, without joints."""
    legs = rl_sar(wheel_indices=[], rl_kp=[20.0] * 4, action_scale=[0.25] * 4)
    contract = read(tmp_path / 'dog/walk/config.yaml', legs)
    assert contract.spec()['action'] == {
        'relative_to': 'default_pose', 'scale': 0.25,
        'clip': [[-9.0, 9.0], [-9.0, 8.0], [-9.0, 9.0], [-9.0, 8.0]],
    }  # fmt: skip
