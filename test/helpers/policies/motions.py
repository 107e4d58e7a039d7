"""Motion files as retargeting tools and exporters write them, and dances trained by others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import helper

from helpers.policies import flat_models
from helpers.policies import models
from helpers.policies.flat_policies import DATA
from helpers.shared import shared_path

RATE = 60.0
JOINTS = flat_models.JOINTS
MOTION: dict[str, Any] = {
    'file': 'motion.csv', 'rate': RATE, 'quaternion': 'xyzw', 'velocity': 'forward',
    'end': 'hold', 'align': 'yaw', 'anchor': [{'joint': 'hip', 'axis': 'z'}],
}  # fmt: skip
"""A section `motion` for three joints."""
TERMS = [
    {'source': 'reference_joint_positions'},
    {'source': 'reference_joint_velocities'},
    {'source': 'reference_anchor_orientation'},
    {'source': 'motion_frame'},
]


def frames(count: int = 31) -> tuple[np.ndarray, np.ndarray]:
    """A motion that turns: joints [count, 3], root quaternion x y z w [count, 4]."""
    t = np.arange(count) / RATE
    joints = np.stack([np.sin(3 * t), 0.5 * t, -(t**2)], axis=1)
    yaw = 1.0 + 2.0 * t
    zero = np.zeros(count)
    return joints, np.stack([zero, zero, np.sin(yaw / 2), np.cos(yaw / 2)], axis=1)


def write_csv(path: Path, rows: np.ndarray | None = None, header: str = '') -> Path:
    """Write root position, root quaternion and joints."""
    if rows is None:
        joints, root = frames()
        rows = np.concatenate([np.zeros((len(joints), 3)), root, joints], axis=1)
    np.savetxt(path, rows, delimiter=',', header=header, comments='')
    return path


def spec_of(**changes: Any) -> dict[str, Any]:
    """The spec of a policy with a motion; None removes a key."""
    motion = {key: value for key, value in (MOTION | changes).items() if value is not None}
    return flat_models.spec(TERMS, motion=motion, commands={})


def dance(folder: Path, name: str) -> tuple[Path, Path, dict[str, np.ndarray]] | None:
    """:return: model and spec of a dance, and its golden data; None where it is not here."""
    model = shared_path(f'policies/{name}/policy.onnx')
    if model is None:
        return None
    spec = folder / f'{name}.spec.yaml'
    shutil.copy(DATA / 'specs' / f'{name}.yaml', spec)
    motion = model.parent / 'motion.csv'
    if motion.exists():
        shutil.copy(motion, folder)
    with np.load(model.parent / 'golden.npz', allow_pickle=False) as file:
        return model, spec, dict(file)


def dance_robot(folder: Path) -> Path:
    """Write the G1's robot file with limits that the gains of the dances need."""
    content = yaml.safe_load((DATA / 'robots' / 'g1.yaml').read_text())
    content['mjcf'] = str(shared_path('policies/g1_unitree_rl_lab/scene.xml'))
    for joint in content['joints'].values():
        joint['kp_max'] *= 2.0
        joint['kd_max'] *= 4.0
    path = folder / 'g1.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


def network(size: int, *, bodies: bool = False, custom: dict[str, str] | None = None) -> bytes:
    """
    A network that holds `frames()`: obs, time_step -> actions, reference.

    :param bodies: the orientation of two bodies, w x y z, in place of the anchor's, x y z w.
    """
    joints, root = frames()
    tables = {'joint_pos': joints, 'joint_vel': np.gradient(joints, axis=0) * RATE}
    if bodies:
        wxyz = np.roll(root, 1, axis=1)
        still = np.tile([1.0, 0.0, 0.0, 0.0], (len(root), 1))
        tables['body_quat_w'] = np.stack([still, wxyz], axis=1)
    else:
        tables['ref_quat_xyzw'] = root
    graph = models.Builder()
    last = graph.op('Min', 'time_step', graph.const([[float(len(joints) - 1)]]))
    row = graph.op('Reshape', graph.op('Cast', last, to=7), graph.const([1], 'int64'))
    for name, table in tables.items():
        graph.add(helper.make_node('Gather', [graph.const(table), row], [name], axis=0))
    weights = np.random.default_rng(0).normal(size=(size, 3)) * 0.1
    graph.add(helper.make_node('MatMul', ['obs', graph.const(weights)], ['actions']))
    outputs = {'actions': (1, 3)} | {n: (1, *t.shape[1:]) for n, t in tables.items()}
    return graph.build({'obs': (1, size), 'time_step': (1, 1)}, outputs, custom=custom)
