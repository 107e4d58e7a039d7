"""docs/your_policy.md walks a reader through each exporter: its commands are run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from helpers.policies import flat_models
from helpers.policies import leapp_bundle
from helpers.policies.deploy import DEPLOY
from helpers.processes import REPOSITORY
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model

PAGE = (REPOSITORY / 'docs' / 'your_policy.md').read_text()
HEADING = re.compile(r'^#{2,3} (.+)$', re.MULTILINE)
BLOCK = re.compile(r'^```bash\n(.*?)^```', re.DOTALL | re.MULTILINE)
TRIED = ('import', 'inspect', 'check')
"""Commands that are run; `walk` needs a graph, and is parsed by test_doc_commands.py."""

JOINTS = ('hip', 'knee', 'ankle')
LINK = """
<body name="{name}_link" pos="0 0 -0.2">
  <joint name="{name}" axis="0 1 0" range="-2 2"/>
  <geom type="capsule" size="0.03" fromto="0 0 0 0 0 -0.2" mass="1"/>
"""
TERMS = 'base_ang_vel,projected_gravity,command,joint_pos,joint_vel,actions'
METADATA = {
    'joint_names': ','.join(JOINTS),
    'default_joint_pos': '0.1,-0.2,0.3',
    'joint_stiffness': '20,30,40',
    'joint_damping': '1,1.5,2',
    'action_scale': '0.5,0.25,0.5',
    'observation_names': TERMS,
    'command_names': 'twist',
}
"""As the exporters of Isaac Lab and mjlab write it."""
HOLOSOMA = {
    'dof_names': '["hip", "knee", "ankle"]',
    'kp': '[20.0, 30.0, 40.0]',
    'kd': '[1.0, 1.5, 2.0]',
}


def mjcf(path: Path, *, actuators: bool = True) -> None:
    """Write a robot with three joints."""
    links = ''.join(LINK.format(name=name) for name in JOINTS) + '</body>' * len(JOINTS)
    motors = ''.join(f'<motor joint="{name}"/>' for name in JOINTS) if actuators else ''
    path.write_text(
        '<mujoco><compiler angle="radian"/><worldbody><geom type="plane" size="0 0 1"/>'
        '<body name="base" pos="0 0 1"><freejoint/><geom size="0.1" mass="5"/>'
        f'<site name="imu"/>{links}</body></worldbody><actuator>{motors}</actuator>'
        '<keyframe><key name="home" qpos="0 0 1 1 0 0 0 0.1 -0.2 0.3"/></keyframe></mujoco>'
    )


def network(path: Path, size: int, **build: Any) -> None:
    """Write a network of this many inputs and three outputs."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(flat_models.linear(size, **build)[0])


def ksim(folder: Path) -> None:
    """An archive, and the robot file of its robot."""
    shutil.copy(MODEL, folder / 'walk.kinfer')
    content = yaml.safe_load((REPOSITORY / 'config' / 'robots' / 'biped.yaml').read_text())
    content['mjcf'] = str(REPOSITORY / 'robots' / 'biped' / 'biped.xml')
    (folder / 'my_robot.yaml').write_text(yaml.safe_dump(content))


def by_hand(folder: Path) -> None:
    """A bare network, with a spec and a robot file written by hand."""
    terms = [{'source': 'gyroscope'}, {'source': 'gravity', 'unit': 'unit', 'frame': 'imu'}]
    terms += [{'source': 'joint_positions', 'relative': True}]
    flat_models.write_spec(folder / 'policy.spec.yaml', flat_models.spec(terms))
    network(folder / 'policy.onnx', 9)
    mjcf(folder / 'robot.xml')
    words = [str(folder / 'robot.xml'), '--out', str(folder / 'my_robot.yaml')]
    assert main(['robot', 'from-mjcf', *words]) == 0


def isaac_lab(folder: Path) -> None:
    """Metadata in the network, and a deploy.yaml beside another."""
    network(folder / 'policy.onnx', 18, custom=METADATA)
    mjcf(folder / 'robot.xml')
    (folder / 'params').mkdir()
    deploy = DEPLOY | {'joint_ids_map': [1, 0, 2], 'stiffness': [10, 20, 30], 'damping': [1, 2, 3]}
    deploy['default_joint_pos'] = [0.5, -0.5, 0.0]
    deploy['actions'] = {'JointPositionAction': {'scale': [0.25] * 3, 'offset': [0.5, -0.5, 0.0]}}
    deploy['observations'] = {
        'base_ang_vel': {'scale': [0.2] * 3, 'history_length': 2},
        'joint_pos_rel': {'scale': [1.0] * 3, 'history_length': 2},
    }
    (folder / 'params' / 'deploy.yaml').write_text(yaml.safe_dump(deploy, sort_keys=False))
    network(folder / 'exported' / 'policy.onnx', 12)


def io_descriptors(folder: Path) -> None:
    """What Isaac Lab writes beside a network."""
    overloads = {'clip': None, 'scale': None, 'history_length': 0, 'flatten_history_dim': True}

    def term(name: str, width: int, **more: Any) -> dict[str, Any]:
        path = f'isaaclab.envs.mdp.observations.{name}'
        kind = {'mdp_type': 'Observation', 'dtype': 'torch.float32', 'shape': [width]}
        return {'name': name, 'full_path': path, 'overloads': overloads, **kind, **more}

    joints = {'joint_names': list(JOINTS)}
    path = 'isaaclab.envs.mdp.actions.joint_actions.JointPositionAction'
    content = {
        'actions': [
            {'name': 'joint_position_action', 'full_path': path, 'clip': None, **joints,
             'mdp_type': 'Action', 'offset': [0.1, -0.2, 0.3], 'scale': 0.5, 'shape': [3]}
        ],
        'articulations': {
            'robot': {
                **joints, 'default_joint_pos': [0.1, -0.2, 0.3],
                'default_joint_stiffness': [20.0, 30.0, 40.0],
                'default_joint_damping': [1.0, 1.5, 2.0],
            }
        },
        'observations': {
            'policy': [
                term('base_ang_vel', 3),
                term('joint_pos_rel', 3, joint_pos_offsets=[0.1, -0.2, 0.3], **joints),
                term('last_action', 3),
            ]
        },
        'scene': {'decimation': 4, 'dt': 0.02, 'physics_dt': 0.005},
    }  # fmt: skip
    (folder / 'io_descriptors').mkdir()
    (folder / 'io_descriptors' / 'IO_descriptors.yaml').write_text(yaml.safe_dump(content))
    network(folder / 'exported' / 'policy.onnx', 9)
    mjcf(folder / 'robot.xml')


def leapp(folder: Path) -> None:
    """A bundle, under the name of its task."""
    task = folder / 'my_task'
    task.mkdir()
    path = leapp_bundle.write_bundle(task)
    path.rename(task / 'my_task.yaml')
    text = (task / 'my_task.yaml').read_text().replace('walk.onnx', 'my_task.onnx')
    (task / 'my_task.yaml').write_text(text)
    (task / 'walk.onnx').rename(task / 'my_task.onnx')
    mjcf(folder / 'robot.xml')


def mjlab(folder: Path) -> None:
    """Metadata in the network; the robot has no actuators."""
    network(folder / 'policy.onnx', 18, custom=METADATA | {'run_path': 'velocity/2026'})
    mjcf(folder / 'robot.xml', actuators=False)


def holosoma(folder: Path) -> None:
    """Names and gains alone: what is written is a draft."""
    network(folder / 'policy.onnx', 18, custom=HOLOSOMA)
    mjcf(folder / 'robot.xml')


RL_SAR = {
    'go2/himloco': {
        'num_of_dofs': 3, 'num_observations': 18, 'clip_obs': 100.0, 'wheel_indices': [],
        'observations': ['commands', 'ang_vel', 'gravity_vec', 'dof_pos', 'dof_vel', 'actions'],
        'rl_kp': [10.0, 20.0, 30.0], 'rl_kd': [1.0, 2.0, 3.0], 'action_scale': [0.25] * 3,
        'lin_vel_scale': 2.0, 'ang_vel_scale': 0.25, 'dof_pos_scale': 1.0, 'dof_vel_scale': 0.05,
        'commands_scale': [2.0, 2.0, 0.25], 'torque_limits': [23.0, 23.0, 35.0],
        'default_dof_pos': [0.1, -0.2, 0.3], 'joint_mapping': [0, 1, 2],
        'clip_actions_lower': [-100.0] * 3, 'clip_actions_upper': [100.0] * 3,
    }
}  # fmt: skip
BOOSTER = {
    'common': {
        'dt': 0.002, 'stiffness': [20, 200, 100], 'damping': [0.2, 5, 3],
        'default_qpos': [0.1, -0.2, 0.3], 'torque_limit': [7, 60, 30],
    },
    'policy': {
        'num_actions': 3, 'num_observations': 20, 'gait_frequency': 1.5,
        'normalization': {'gravity': 1.0, 'lin_vel': 2.0, 'ang_vel': 0.5, 'dof_pos': 1.0,
                          'dof_vel': 0.1, 'clip_actions': 3.0},
        'control': {'action_scale': 0.5, 'decimation': 10},
    },
}  # fmt: skip
BERKELEY = {
    'policy_checkpoint_path': 'checkpoints/biped.onnx', 'control_dt': 0.004, 'policy_dt': 0.04,
    'num_joints': 3, 'joints': list(JOINTS), 'joint_kp': [10.0, 20.0, 30.0],
    'joint_kd': [1.0, 2.0, 3.0], 'effort_limits': [4.0, 6.0, 6.0],
    'default_joint_positions': [0.1, -0.2, 0.3], 'num_observations': 18, 'history_length': 0,
    'command_velocity': [0.5, 0.0, 0.0], 'num_actions': 3, 'action_scale': 0.25,
    'action_indices': [0, 1, 2], 'action_limit_lower': -100, 'action_limit_upper': 100,
}  # fmt: skip


def runtimes(folder: Path) -> None:
    """Three configurations, and their networks."""
    base = {'go2': {'dt': 0.005, 'decimation': 4, 'joint_names': list(JOINTS), 'num_of_dofs': 3,
                    'joint_mapping': [0, 1, 2]}}  # fmt: skip
    for name, content in (
        ('policy/go2/base.yaml', base),
        ('policy/go2/himloco/config.yaml', RL_SAR),
        ('deploy/configs/T1.yaml', BOOSTER),
        ('configs/policy_biped.yaml', BERKELEY),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    network(folder / 'himloco.onnx', 18)
    network(folder / 'T1.onnx', 20)
    network(folder / 'checkpoints' / 'biped.onnx', 18)
    mjcf(folder / 'robot.xml')


SECTIONS: dict[str, tuple[Callable[[Path], None], int]] = {
    'Your own policy': (by_hand, 0),
    'ksim': (ksim, 0),
    'Isaac Lab': (isaac_lab, 0),
    'IO descriptors': (io_descriptors, 0),
    'LEAPP bundles': (leapp, 0),
    'mjlab': (mjlab, 0),
    'rl_sar, booster_gym, Berkeley-Humanoid-Lite': (runtimes, 0),
    'holosoma': (holosoma, 1),
}
"""How the files of a section are made, and the exit code of its commands."""


def sections() -> dict[str, list[list[str]]]:
    """Return the commands of each section that has some, as words."""
    parts = HEADING.split('## Your own policy\n' + PAGE)[1:]
    found: dict[str, list[list[str]]] = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        lines = '\n'.join(BLOCK.findall(text)).splitlines()
        if lines:
            found[title] = [shlex.split(line, comments=True) for line in lines if line.strip()]
    return found


def test_every_section_with_commands_is_tried() -> None:
    """A section that is added needs its files here."""
    assert set(sections()) == set(SECTIONS)


@pytest.mark.parametrize('title', SECTIONS)
def test_its_commands_do_what_the_page_says(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder with the exporter's files; each ends as it should, and says no error."""
    make, code = SECTIONS[title]
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    tried = 0
    for words in sections()[title]:
        assert words[:3] == ['python', '-m', 'kinfer_ros'], words
        if words[3] in TRIED:
            done = main(words[3:])
            out = capsys.readouterr()
            assert done == code, f'{" ".join(words)}\n{out.out}{out.err}'
            tried += 1
    assert tried


@pytest.mark.parametrize('title', [t for t, (_, code) in SECTIONS.items() if code == 0])
def test_what_is_imported_runs(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network with the written spec gives finite targets."""
    SECTIONS[title][0](tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in sections()[title]:
        if words[3] == 'import':
            assert main(words[3:]) == 0
    specs = [path for path in tmp_path.rglob('*.spec.yaml') if path.parent != tmp_path]
    if not specs:
        return
    for spec in specs:
        fitting = [policy for path in tmp_path.rglob('*.onnx') if (policy := fits(path, spec))]
        assert fitting, spec
        pose = fitting[0].contract.joint_biases
        assert np.isfinite(fitting[0].target_at_rest(pose)).all()


def fits(path: Path, spec: Path) -> Policy | None:
    """:return: the policy of a network and a spec, if they are of each other."""
    try:
        return load_model(path, spec=spec)
    except ModelError:
        return None
