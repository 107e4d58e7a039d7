"""A LEAPP bundle with three joints, made by hand after LEAPP's readers."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import helper

from helpers.policies import models
from helpers.policies.safetensors import write_safetensors

JOINTS = ['hip', 'knee', 'ankle']
INITIAL = {'walk/last_in': np.array([[0.25, 0.5, -0.5]], np.float32),
           'walk/hist_in': np.full((2, 1, 3), 0.5, np.float32)}  # fmt: skip


def tensor(name: str, shape: list[int], kind: str | None = None, names: Any = None, at: str = ''):
    """One input or output, as LEAPP describes it."""
    entry: dict[str, Any] = {'name': name, 'dtype': 'float32', 'shape': shape, 'type': 'tensor'}
    if kind is not None:
        entry['kind'] = kind
    if names is not None:
        entry['element_names'] = [names]
    if at:
        entry['isaaclab_connection'] = at
    return entry


BUNDLE: dict[str, Any] = {
    'models': {
        'walk': {
            'inputs': [
                tensor('q', [1, 3], 'state/joint/position', JOINTS, 'state:robot:joint_pos'),
                tensor('qd', [1, 2], 'state/joint/velocity', ['knee', 'hip'],
                       'state:robot:joint_vel'),
                tensor('quat', [1, 4], 'state/body/rotation', ['qx', 'qy', 'qz', 'qw'],
                       'state:robot:root_quat_w'),
                tensor('rate', [1, 3], 'state/body/angular_velocity', ['x', 'y', 'z'],
                       'state:robot:root_ang_vel_b'),
                tensor('twist', [1, 3], 'command/body/velocity',
                       ['lin_vel_x', 'lin_vel_y', 'ang_vel_z'], 'command:base_velocity'),
                tensor('last_in', [1, 3]),
                tensor('hist_in', [2, 1, 3]),
            ],
            'outputs': [
                tensor('target', [1, 2], 'target/joint/position', ['knee', 'hip'],
                       'write:robot:set_joint_position_target_index'),
                tensor('last_out', [1, 3]),
                tensor('hist_out', [2, 1, 3]),
                tensor('stiff', [1, 3], 'kp', JOINTS),
                tensor('damp', [1, 3], 'kd', JOINTS),
            ],
            'parameters': {
                'model_path': 'walk.onnx', 'md5sum': '0', 'sha256sum': None, 'backend': 'onnx',
                'warp_segments': 0, 'opset_version': 17,
            },
        }
    },
    'pipeline': {
        'configs': {'frequency': 25, 'runtime': 'isaac_lab'},
        'data_flow': {},
        'feedback_flow': {'walk/last_out': ['walk/last_in'], 'walk/hist_out': ['walk/hist_in']},
        'initial_values': 'gait_initial_values.safetensors',
        'inputs': {'walk': ['q', 'qd', 'quat', 'rate', 'twist']},
        'outputs': {'walk': ['target', 'stiff', 'damp']},
    },
    'system information': {'leapp version': '0.7.2'},
}  # fmt: skip


def network() -> bytes:
    """
    The network of the bundle.

    last_out = q + rate; hist_out = the newest rate behind the older; target = what knee and hip
    have of q + twist + last_in + the sum of hist_in, plus qd and quat's last two.
    """
    graph = models.Builder()
    first = graph.const([0], 'int64')
    newest = graph.op('Unsqueeze', 'rate', first)
    bounds = [graph.const([n], 'int64') for n in (1, 2, 0)]
    older = graph.op('Slice', 'hist_in', bounds[0], bounds[1], bounds[2])
    graph.add(helper.make_node('Concat', [older, newest], ['hist_out'], axis=0))
    graph.add(helper.make_node('Add', ['q', 'rate'], ['last_out']))
    summed = graph.op('ReduceSum', 'hist_in', first, keepdims=0)
    total = graph.op('Sum', 'q', 'twist', 'last_in', summed)
    picked = graph.op('MatMul', total, graph.const([[0, 1], [1, 0], [0, 0]]))
    turned = graph.op('MatMul', 'quat', graph.const([[0, 0], [0, 0], [1, 0], [0, 1]]))
    graph.add(helper.make_node('Sum', [picked, 'qd', turned], ['target']))
    for name, values in (('stiff', [[20.0, 30.0, 40.0]]), ('damp', [[1.0, 1.5, 2.0]])):
        graph.add(helper.make_node('Identity', [graph.const(values)], [name]))
    inputs = {t['name']: t['shape'] for t in BUNDLE['models']['walk']['inputs']}
    outputs = {t['name']: t['shape'] for t in BUNDLE['models']['walk']['outputs']}
    return graph.build(inputs, outputs)


def write_bundle(folder: Path, content: Any = BUNDLE, model: bytes | None = None) -> Path:
    """Write YAML, network and initial values; :return: the YAML."""
    data = network() if model is None else model
    content = copy.deepcopy(content)
    try:
        parameters = content['models']['walk']['parameters']
        if parameters['sha256sum'] is None:
            parameters['sha256sum'] = hashlib.sha256(data).hexdigest()
    except (KeyError, TypeError, IndexError):
        pass
    (folder / 'walk.onnx').write_bytes(data)
    write_safetensors(folder / 'gait_initial_values.safetensors', INITIAL)
    path = folder / 'gait.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


MJCF = """
<mujoco>
  <worldbody>
    <body name="trunk" pos="0 0 1">
      <freejoint/>
      <geom size="0.1" mass="5"/>
      <site name="imu"/>
      <body>
        <joint name="hip" axis="0 1 0" range="-90 90"/>
        <geom size="0.05" pos="0 0 -0.2" mass="1"/>
        <body pos="0 0 -0.3">
          <joint name="knee" axis="0 1 0" range="-150 10"/>
          <geom size="0.05" pos="0 0 -0.2" mass="1"/>
          <body pos="0 0 -0.3">
            <joint name="ankle" axis="0 1 0" range="-60 60"/>
            <geom size="0.1 0.05 0.02" type="box" mass="0.5"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <keyframe><key name="home" qpos="0 0 1 1 0 0 0 0.5 -1.0 0.25"/></keyframe>
</mujoco>
"""
"""The robot of the bundle, with a keyframe."""
