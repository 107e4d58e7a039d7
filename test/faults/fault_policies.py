"""Policies for the biped that go wrong in one way each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from helpers.policies.models import Builder
from helpers.policies.models import endless_loop
from helpers.policies.models import init_fn
from helpers.policies.models import write_kinfer
from helpers.walking import MODEL
from kinfer_ros.policy.policy import load_model

CONTRACT = load_model(MODEL).contract
JOINTS = len(CONTRACT.joint_names)
HOME = np.array(CONTRACT.joint_biases, np.float32)
CARRY = CONTRACT.carry_shape or (1,)


def _metadata(**changes: Any) -> dict[str, Any]:
    """That of the shipped policy, so that one can take over from the other."""
    return json.loads(json.dumps(dict(CONTRACT.metadata))) | changes


def _inputs() -> dict[str, tuple[int, ...]]:
    return {each.name: each.shape for each in CONTRACT.inputs} | {'carry': CARRY}


def _write(path: Path, graph: Builder, action: str, following: str, meta: Any) -> Path:
    step = graph.build(_inputs(), {action: (JOINTS,), following: CARRY})
    return write_kinfer(path, init_fn(np.zeros(CARRY)), step, meta)


def _counting(graph: Builder) -> tuple[str, str]:
    """The carry counts steps; :return: the next carry, and the count of this step [1], from 1."""
    following = graph.op('Add', 'carry', graph.const(np.ones(CARRY)))
    return following, graph.take(following, 0, 1)


def _home(graph: Builder) -> str:
    """The start pose [JOINTS], with every input taken into account by nothing."""
    parts = [graph.op('ReduceSum', each.name, keepdims=0) for each in CONTRACT.inputs]
    nothing = graph.op('Mul', graph.op('Sum', *parts), graph.const(0.0))
    return graph.op('Add', graph.const(HOME), nothing)


def broken_at(path: Path, step: int, value: float, **changes: Any) -> Path:
    """Stand at the start pose; from the given step on (the first is 1) ask for `value` instead."""
    graph = Builder()
    following, count = _counting(graph)
    late = graph.op('GreaterOrEqual', count, graph.const([float(step)]))
    action = graph.op('Where', late, graph.const(np.full(JOINTS, value)), _home(graph))
    return _write(path, graph, action, following, _metadata(**changes))


def nan_when_commanded(path: Path) -> Path:
    """Stand at the start pose; give NaN while xvel is over 0: a load, with none, passes."""
    graph = Builder()
    following, _ = _counting(graph)
    root = graph.op('Sqrt', graph.op('Neg', graph.take('command', 0, 1)))
    action = graph.op('Add', _home(graph), graph.op('Mul', root, graph.const(0.0)))
    return _write(path, graph, action, following, _metadata())


def forgetful_at(path: Path, step: int) -> Path:
    """Stand at the start pose; at the given step the carry becomes NaN, the action does not."""
    graph = Builder()
    following, count = _counting(graph)
    late = graph.op('GreaterOrEqual', count, graph.const([float(step)]))
    following = graph.op('Where', late, graph.const(np.full(CARRY, np.nan)), following)
    return _write(path, graph, _home(graph), following, _metadata())


def standing(path: Path, **changes: Any) -> Path:
    """Stand at the start pose; `changes` replace keys of the metadata."""
    graph = Builder()
    following, _ = _counting(graph)
    return _write(path, graph, _home(graph), following, _metadata(**changes))


def endless_at(path: Path, step: int) -> Path:
    """Stand at the start pose; the given step (the first is 1) does not end."""
    graph = Builder()
    following, count = _counting(graph)
    late = graph.op('GreaterOrEqual', count, graph.const([float(step)]))
    stuck = graph.op('Squeeze', late)
    action = endless_loop(graph, _home(graph), stuck, JOINTS)
    return _write(path, graph, action, following, _metadata())


def slow(path: Path, rounds: int, size: int = 512) -> Path:
    """Stand at the start pose, after `rounds` products of matrices of `size` by `size`."""
    graph = Builder()
    following, _ = _counting(graph)
    home = _home(graph)
    busy = graph.op('Expand', graph.take(home, 0, 1), graph.const([size, size], 'int64'))
    mixer = graph.const(np.eye(size) * 0.5)
    for _ in range(rounds):
        busy = graph.op('MatMul', busy, mixer)
    spent = graph.op('Mul', graph.op('ReduceSum', busy, keepdims=0), graph.const(0.0))
    return _write(path, graph, graph.op('Add', home, spent), following, _metadata())
