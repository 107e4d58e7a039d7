"""Small policies for tests and benchmarks, built with onnx.helper from a few lines each.

All of them use an opset and IR version that kinfer 0.6.1 (onnxruntime 1.20.0) reads as well.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx import helper
from onnx import numpy_helper

OPSET = 17
IR_VERSION = 8
Shapes = Mapping[str, Sequence[int | str | None]]


class Builder:
    """Collects the nodes of a graph; names are made as it goes."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def const(self, value: Any, dtype: str = 'float32') -> str:
        """Add a constant; :return: its name."""
        name = f'const_{len(self._constants)}'
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, node: Any) -> None:
        """Add a node that was made elsewhere."""
        self._nodes.append(node)

    def add_constant(self, tensor: Any) -> None:
        """Add a constant that was made elsewhere."""
        self._constants.append(tensor)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; :return: the output's name."""
        name = f'{kind.lower()}_{len(self._nodes)}'
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def take(self, vector: str, start: int, stop: int) -> str:
        """Add the slice [start:stop] of a vector; :return: its name."""
        ends = (self.const([start], 'int64'), self.const([stop], 'int64'))
        return self.op('Slice', vector, *ends)

    def dense(self, x: str, weights: Any, bias: Any) -> str:
        """Add x @ weights + bias; :return: its name."""
        return self.op('Add', self.op('MatMul', x, self.const(weights)), self.const(bias))

    def build(
        self,
        inputs: Shapes,
        outputs: Shapes,
        *,
        dtypes: Mapping[str, int] | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> bytes:
        """
        The graph as an ONNX file.

        :param dtypes: TensorProto types of inputs and outputs that are not float32.
        :param custom: ONNX custom metadata.
        """
        types = dict(dtypes or {})

        def infos(shapes: Shapes) -> list[Any]:
            return [
                helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), list(size))
                for name, size in shapes.items()
            ]

        graph = helper.make_graph(
            self._nodes, 'graph', infos(inputs), infos(outputs), self._constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=IR_VERSION
        )
        if custom:
            helper.set_model_props(model, dict(custom))
        return bytes(model.SerializeToString())


def init_fn(carry: Any) -> bytes:
    """An init_fn that gives this carry."""
    array = np.asarray(carry, np.float32)
    build = Builder()
    return build.build({}, {build.op('Identity', build.const(array)): array.shape})


def joint_names(count: int) -> list[str]:
    """Names of test joints."""
    return [f'joint_{index}' for index in range(count)]


def metadata(joints: int, commands: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """A metadata.json of kinfer 0.6; `more` replaces and adds keys."""
    return {'joint_names': joint_names(joints), 'command_names': list(commands)} | more


COMMANDS_3 = ('xvel', 'yvel', 'yawrate')


def leaky_step(joints: int = 2, **build: Any) -> bytes:
    """
    A step_fn whose carry matters: next = 0.5 carry + joint_angles + command[0], action = next.

    Inputs joint_angles(N), command(3), carry(N).
    """
    graph = Builder()
    decayed = graph.op('Mul', 'carry', graph.const(0.5))
    driven = graph.op('Add', decayed, 'joint_angles')
    following = graph.op('Add', driven, graph.take('command', 0, 1))
    shapes = {'joint_angles': (joints,), 'command': (3,), 'carry': (joints,)}
    action = graph.op('Identity', following)
    return graph.build(shapes, {action: (joints,), following: (joints,)}, **build)


def sqrt_step(joints: int = 2) -> bytes:
    """
    A step_fn that can be made to give NaN: action = joint_angles + sqrt(command[0]).

    The next carry, of one number, is carry + 1 + sqrt(command[1]).
    """
    graph = Builder()
    root = graph.op('Sqrt', 'command')
    action = graph.op('Add', 'joint_angles', graph.take(root, 0, 1))
    counted = graph.op('Add', 'carry', graph.const([1.0]))
    following = graph.op('Add', counted, graph.take(root, 1, 2))
    shapes = {'joint_angles': (joints,), 'command': (3,), 'carry': (1,)}
    return graph.build(shapes, {action: (joints,), following: (1,)})


def breakable_step(level: float, joints: int = 2, *, breakable: bool = True) -> bytes:
    """
    A step_fn that asks for `level` rad of every joint and counts its steps in its carry, of one.

    Where it is breakable: sqrt(command[0]) is added, so that -1 gives NaN and 1e4 an action that
    explodes; a command[2] of 1 or more makes onnxruntime fail.
    """
    graph = Builder()
    action = graph.op('Add', graph.const([level] * joints), graph.take('command', 1, 2))
    if breakable:
        root = graph.op('Sqrt', graph.take('command', 0, 1))
        index = graph.op('Cast', graph.take('command', 2, 3), to=TensorProto.INT64)
        zero = graph.op('Gather', graph.const([0.0]), index)
        action = graph.op('Add', graph.op('Add', action, root), zero)
    following = graph.op('Add', 'carry', graph.const([1.0]))
    shapes = {'command': (3,), 'carry': (1,)}
    return graph.build(shapes, {action: (joints,), following: (1,)})


EVERY_INPUT = {
    'joint_angles': None,
    'joint_angular_velocities': None,
    'projected_gravity': 3,
    'accelerometer': 3,
    'gyroscope': 3,
    'command': 3,
    'time': 1,
    'quaternion': 4,
    'initial_heading': 1,
}


def concat_step(joints: int = 2, order: Sequence[str] = tuple(EVERY_INPUT)) -> bytes:
    """
    A step_fn that hands its inputs through, in `order`, as its next carry; action = joint_angles.

    The carry has as many numbers as the inputs of `order` together.
    """
    graph = Builder()
    sizes = {name: EVERY_INPUT[name] or joints for name in order}
    total = sum(sizes.values())
    zeros = graph.op('Mul', 'carry', graph.const(0.0))
    following = graph.op('Add', graph.op('Concat', *order, axis=0), zeros)
    action = graph.op('Identity', 'joint_angles')
    shapes = {name: (size,) for name, size in sizes.items()} | {'carry': (total,)}
    return graph.build(shapes, {action: (joints,), following: (total,)})


def mlp_policy(
    joints: int = 12, hidden: Sequence[int] = (128, 96), *, seed: int = 0
) -> tuple[bytes, bytes]:
    """
    A walking policy of the usual size: all sensors, a command of 3 and the last action as carry.

    :return: init_fn, step_fn.
    """
    rng = np.random.default_rng(seed)
    graph = Builder()
    sizes = {
        'joint_angles': joints,
        'joint_angular_velocities': joints,
        'projected_gravity': 3,
        'gyroscope': 3,
        'command': 3,
        'carry': joints,
    }
    x, width = graph.op('Concat', *sizes, axis=0), sum(sizes.values())
    for size in hidden:
        x, width = graph.op('Elu', graph.dense(x, *_layer(rng, width, size))), size
    action = graph.dense(x, *_layer(rng, width, joints))
    following = graph.op('Tanh', action)
    shapes = {name: (size,) for name, size in sizes.items()}
    step = graph.build(shapes, {action: (joints,), following: (joints,)})
    return init_fn(np.zeros(joints)), step


def gru_policy(
    joints: int = 20, commands: int = 16, layers: int = 5, width: int = 256, *, seed: int = 0
) -> tuple[bytes, bytes]:
    """
    A recurrent policy: GRU cells on a carry of (layers, width); the defaults have 2 M parameters.

    :return: init_fn, step_fn.
    """
    rng = np.random.default_rng(seed)
    graph = Builder()
    sizes = {
        'joint_angles': joints,
        'joint_angular_velocities': joints,
        'projected_gravity': 3,
        'gyroscope': 3,
        'command': commands,
    }
    x = graph.op('Concat', *sizes, axis=0)
    x = graph.op('Tanh', graph.dense(x, *_layer(rng, sum(sizes.values()), width)))
    states = []
    for layer in range(layers):
        state = graph.op('Gather', 'carry', graph.const(layer, 'int64'), axis=0)
        x = _gru_cell(graph, rng, x, state, width)
        states.append(graph.op('Unsqueeze', x, graph.const([0], 'int64')))
    following = graph.op('Concat', *states, axis=0)
    action = graph.dense(x, *_layer(rng, width, joints))
    shapes: dict[str, tuple[int, ...]] = {name: (size,) for name, size in sizes.items()}
    shapes['carry'] = (layers, width)
    step = graph.build(shapes, {action: (joints,), following: (layers, width)})
    return init_fn(rng.standard_normal((layers, width)) * 0.1), step


def _gru_cell(graph: Builder, rng: np.random.Generator, x: str, state: str, width: int) -> str:
    """Next state: (1 - z) n + z state, with the gates z (keep) and r (reset)."""

    def gate(source: str, size: int) -> str:
        return graph.dense(source, *_layer(rng, width, size))

    gates = graph.op('Sigmoid', graph.op('Add', gate(x, 2 * width), gate(state, 2 * width)))
    reset, keep = graph.take(gates, 0, width), graph.take(gates, width, 2 * width)
    recalled = graph.op('Mul', reset, gate(state, width))
    new = graph.op('Tanh', graph.op('Add', gate(x, width), recalled))
    return graph.op('Add', new, graph.op('Mul', keep, graph.op('Sub', state, new)))


def _layer(rng: np.random.Generator, width: int, size: int) -> tuple[Any, Any]:
    weights = rng.standard_normal((width, size)) / np.sqrt(width)
    return weights, rng.standard_normal(size) * 0.01


def raw_archive(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A gzip tar of whatever is given, right or wrong."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for name, body in entries:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), mtime=0)


def write_kinfer(path: Path, init: bytes, step: bytes, meta: Any) -> Path:
    """Write an archive without any of the checks of the package; :return: its path."""
    text = json.dumps(meta).encode()
    path.write_bytes(
        raw_archive([('init_fn.onnx', init), ('step_fn.onnx', step), ('metadata.json', text)])
    )
    return path


def parameter_count(model: bytes) -> int:
    """How many float parameters a model has."""
    graph = onnx.load_from_string(model).graph
    floats = (each for each in graph.initializer if each.data_type == TensorProto.FLOAT)
    return int(sum(np.prod(each.dims, dtype=np.int64) for each in floats))


def endless_loop(graph: Builder, value: str, condition: str, size: int) -> str:
    """Add a loop over `value` [size] without end where `condition` holds; :return: its name."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['go_on'], ['still']),
            helper.make_node('Neg', ['old'], ['new']),
        ],
        'body',
        [
            info('turn', TensorProto.INT64, []),
            info('go_on', TensorProto.BOOL, []),
            info('old', TensorProto.FLOAT, [size]),
        ],
        [info('still', TensorProto.BOOL, []), info('new', TensorProto.FLOAT, [size])],
    )
    return graph.op('Loop', '', condition, value, body=body)


def endless_step(above: float, joints: int = 2) -> bytes:
    """
    A step_fn that does not end where its carry, which counts the steps, is over `above`.

    Action = joint_angles.
    """
    graph = Builder()
    following = graph.op('Add', 'carry', graph.const([1.0]))
    stuck = graph.op('Greater', graph.op('ReduceSum', following, keepdims=0), graph.const(above))
    action = endless_loop(graph, 'joint_angles', stuck, joints)
    shapes = {'joint_angles': (joints,), 'carry': (1,)}
    return graph.build(shapes, {action: (joints,), following: (1,)})


def greedy_step(gigabytes: float, joints: int = 2) -> bytes:
    """A step_fn of some hundred bytes that fills so much memory with zeros."""
    graph = Builder()
    zeros = graph.op('ConstantOfShape', graph.const([int(gigabytes * 2.5e8)], 'int64'))
    action = graph.op('Add', 'joint_angles', graph.op('ReduceSum', zeros, keepdims=0))
    following = graph.op('Identity', 'carry')
    shapes = {'joint_angles': (joints,), 'carry': (1,)}
    return graph.build(shapes, {action: (joints,), following: (1,)})
