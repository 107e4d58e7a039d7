"""Small networks with one flat input, as exporters make them, and a spec to go with them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import helper

from helpers.policies import models
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model

JOINTS = ['hip', 'knee', 'ankle']
POSE = [0.1, -0.2, 0.3]


def spec(terms: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A spec of three joints, as plain data; `more` replaces and adds keys."""
    observation = {'terms': terms} | more.pop('observation', {})
    return {
        'name': 'test',
        'control_rate': 50.0,
        'joints': JOINTS,
        'default_pose': POSE,
        'commands': {'xvel': [-1.0, 1.0], 'yvel': None, 'yawrate': [-2.0, 2.0]},
        'observation': observation,
        'action': {'relative_to': 'default_pose', 'scale': 0.5},
    } | more


def write_spec(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a spec as YAML; :return: its path."""
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return path


def linear(size: int, joints: int = 3, seed: int = 0, **build: Any) -> tuple[bytes, np.ndarray]:
    """A network obs [1, size] -> actions [1, joints] = obs @ W; :return: it, and W."""
    weights = np.random.default_rng(seed).normal(size=(size, joints)).astype(np.float32) * 0.1
    graph = models.Builder()
    action = graph.op('MatMul', 'obs', graph.const(weights))
    graph.add(helper.make_node('Identity', [action], ['actions']))
    return graph.build({'obs': (1, size)}, {'actions': (1, joints)}, **build), weights


def several_outputs(size: int, outputs: Sequence[tuple[str, int]], **build: Any) -> bytes:
    """A network obs [1, size] with these outputs, by name and width."""
    graph = models.Builder()
    for name, width in outputs:
        value = graph.op('MatMul', 'obs', graph.const(np.full((size, width), 0.1)))
        graph.add(helper.make_node('Identity', [value], [name]))
    return graph.build({'obs': (1, size)}, {name: (1, width) for name, width in outputs}, **build)


def lstm(size: int, joints: int = 3, hidden: int = 8, seed: int = 0) -> bytes:
    """A recurrent export as rsl_rl writes it: obs, h_in, c_in -> actions, h_out, c_out."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> str:
        return graph.const(rng.normal(size=shape) * 0.4)

    graph = models.Builder()
    x = graph.op('Unsqueeze', 'obs', graph.const([0], 'int64'))
    graph.add(
        helper.make_node(
            'LSTM',
            [x, weights(1, 4 * hidden, size), weights(1, 4 * hidden, hidden),
             weights(1, 8 * hidden), '', 'h_in', 'c_in'],
            ['y', 'h_out', 'c_out'],
            hidden_size=hidden,
        )
    )  # fmt: skip
    flat = graph.op('Squeeze', 'h_out', graph.const([0], 'int64'))
    action = graph.op('MatMul', flat, weights(hidden, joints))
    graph.add(helper.make_node('Identity', [action], ['actions']))
    state = (1, 1, hidden)
    return graph.build(
        {'obs': (1, size), 'h_in': state, 'c_in': state},
        {'actions': (1, joints), 'h_out': state, 'c_out': state},
    )


def load(folder: Path, model: bytes, content: Mapping[str, Any]) -> Policy:
    """Write a network and its spec, and load them."""
    path = folder / 'policy.onnx'
    path.write_bytes(model)
    return load_model(path, spec=write_spec(folder / 'policy.yaml', content))
