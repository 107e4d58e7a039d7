"""A policy set for the biped: the policy that ships, and small ones that go wrong in one way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from fault_policies import CONTRACT
from fault_policies import HOME
from fault_policies import JOINTS
from fault_policies import broken_at
from fault_policies import nan_when_commanded
from fault_policies import standing
from onnx import helper

from helpers.policies import flat_models
from helpers.policies import models
from helpers.policies.motions import write_csv
from helpers.walking import MODEL

SET = f"""enter: walk
policies:
  walk: {{model: {MODEL}}}
  stand: {{model: stand.kinfer, kp_factor: 0.9}}
  low: {{model: low.kinfer}}
  sway: {{model: sway.onnx, spec: sway.yaml, kd_factor: 0.9}}
  nan: {{model: nan.kinfer, kp_factor: 0.8}}
  soft_nan: {{model: nan.kinfer, kp_factor: 0.8}}
  late_nan: {{model: late_nan.kinfer, kp_factor: 0.8}}
transitions:
  - {{from: any, to: walk, blend_s: 0.3}}
  - {{from: any, to: stand}}
  - {{from: stand, to: low}}
  - {{from: [walk, stand, low], to: sway}}
  - {{from: sway, to: low, automatic: motion_ended}}
  - {{from: [walk, stand], to: nan}}
  - {{from: walk, to: soft_nan, blend_s: 0.3}}
  - {{from: walk, to: late_nan, blend_s: 0.3}}
"""
"""walk is entered by a blend, stand at once, low through stand, and from sway by itself."""

TRANSITIONS = {'direct': 'stand', 'chained': 'low', 'blended': 'walk', 'automatic': 'sway'}
"""What to ask for, for a transition of each kind; the blended one from stand."""
SWAY_S = 1.0


def sway(folder: Path, frames: np.ndarray | None = None) -> None:
    """Write a policy whose targets are its motion: the start pose, swaying a little."""
    if frames is None:
        t = np.arange(round(SWAY_S * 50) + 1)[:, None] / 50
        frames = HOME + 0.05 * np.sin(2 * np.pi * t) * np.ones(JOINTS)
    root = np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], (len(frames), 1))
    write_csv(folder / 'sway.csv', np.concatenate([root, frames], axis=1))
    graph = models.Builder()
    graph.add(helper.make_node('Identity', ['obs'], ['actions']))
    shape = (1, JOINTS)
    (folder / 'sway.onnx').write_bytes(graph.build({'obs': shape}, {'actions': shape}))
    meta: Any = CONTRACT.metadata
    content = flat_models.spec(
        [{'source': 'reference_joint_positions'}],
        joints=list(CONTRACT.joint_names),
        default_pose=[float(angle) for angle in HOME],
        commands={},
        gains={
            'kp': meta['joint_kp'],
            'kd': meta['joint_kd'],
            'torque_limit': meta['joint_torque_limits'],
        },
        motion={
            'file': 'sway.csv', 'rate': 50.0, 'quaternion': 'xyzw', 'velocity': 'forward',
            'end': 'hold', 'align': 'none',
        },
        action={'relative_to': 'zero', 'scale': 1.0},
    )  # fmt: skip
    flat_models.write_spec(folder / 'sway.yaml', content)


def biped_set(folder: Path) -> Path:
    """Write the set and its policies; :return: its path."""
    standing(folder / 'stand.kinfer')
    standing(folder / 'low.kinfer', joint_biases=[float(angle) for angle in HOME * 0.9])
    nan_when_commanded(folder / 'nan.kinfer')
    broken_at(folder / 'late_nan.kinfer', 5, math.nan)
    sway(folder)
    path = folder / 'set.yaml'
    path.write_text(SET)
    return path
