"""Pack a policy as a `.kinfer` archive: two ONNX graphs and what a runtime has to know.

    python -m training.export training/runs/walk/checkpoint.pt robots/biped/walk.kinfer
    python -m training.export robots/biped/walk.kinfer robots/biped/walk.kinfer --commit 1a2b3c4

The second form changes nothing but the commit that the archive says it was trained from.

The graphs are written node by node with onnx.helper, straight from the weights: everything
between a sensor's reading and a joint's target in rad is inside, and a reader of the graph finds
the lines of interface.py in it, in their order. They have static shapes and no batch dimension.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import onnx
import torch
from onnx import TensorProto
from onnx import helper
from onnx import numpy_helper
from torch import nn

from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from training import interface as io
from training import posture
from training.ppo import HORIZON
from training.ppo import Layers
from training.ppo import actor_network
from training.ppo import dense_layers

OPSET = 17
IR_VERSION = 8

SENSORS = {
    'joint_angles': io.JOINTS,
    'joint_angular_velocities': io.JOINTS,
    'projected_gravity': 3,
    'gyroscope': 3,
}


class GraphBuilder:
    """Collects nodes and constants, and makes up the names between them."""

    def __init__(self) -> None:
        """Start an empty graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """Add a constant and return its name."""
        name = f'constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, name: str = '', **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        output = name or f'{kind.lower()}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def pick(self, vector: str, start: int, stop: int) -> str:
        """Return a part of a vector."""
        bounds = [self.constant([bound], np.int64) for bound in (start, stop)]
        return self.op('Slice', vector, *bounds)

    def clip(self, vector: str, low: float, high: float, name: str = '') -> str:
        """Keep every entry within the same bounds."""
        return self.op('Clip', vector, self.constant(low), self.constant(high), name=name)

    def scaled(self, vector: str, factor: Any) -> str:
        """Multiply by a constant."""
        return self.op('Mul', vector, self.constant(factor))

    def model(self, name: str, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """Finish: check the graph and return it as a file's content."""

        def format_mode(vectors: dict[str, int]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(vector, TensorProto.FLOAT, [width])
                for vector, width in vectors.items()
            ]

        graph = helper.make_graph(
            self.nodes, name, format_mode(inputs), format_mode(outputs), self.constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid('', OPSET)],
            ir_version=IR_VERSION,
            producer_name='kinfer_ros training',
        )
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def init_graph(carry_size: int = io.CARRY_SIZE) -> bytes:
    """Build the graph that gives the first carry: no action yet, phase zero, no heading error."""
    graph = GraphBuilder()
    zeros = numpy_helper.from_array(np.zeros(carry_size, np.float32))
    graph.op('Constant', name='carry', value=zeros)
    return graph.model('init_fn', {}, {'carry': carry_size})


def step_graph(layers: Layers, model: mujoco.MjModel) -> bytes:
    """Build the graph of one tick."""
    graph = GraphBuilder()
    home = model.key('home').qpos[7:]
    last_action, phase, moving, heading, stride = _memory(graph)
    turns = graph.scaled(phase, [2.0 * np.pi])
    sine, cosine = (graph.op('Mul', graph.op(kind, turns), moving) for kind in ('Sin', 'Cos'))
    observation = _observation(graph, home, last_action, [sine, cosine], heading)
    action = graph.clip(_actor(graph, observation, layers), -io.ACTION_LIMIT, io.ACTION_LIMIT)
    target = graph.op('Add', graph.scaled(action, io.ACTION_SCALE), graph.constant(home))
    _target(graph, target, _gait_pattern(graph, sine, cosine, stride), model)
    ahead = graph.op('Add', phase, graph.constant([1.0 / io.GAIT_TICKS]))
    next_phase = graph.op('Sub', ahead, graph.op('Floor', ahead))
    graph.op('Concat', action, next_phase, heading, stride, name='next_carry', axis=0)
    inputs = {**SENSORS, 'command': 3, 'carry': io.CARRY_SIZE}
    return graph.model('step_fn', inputs, {'action': io.JOINTS, 'next_carry': io.CARRY_SIZE})


def posture_graph(layers: Layers, model: mujoco.MjModel, pose: posture.Posture) -> bytes:
    """Build the graph of one tick of a policy that holds a posture."""
    graph = GraphBuilder()
    bounds = np.cumsum([0, *posture.CARRY_PARTS])
    last_action, kept, progress, phase, sway = (
        graph.pick('carry', int(start), int(stop)) for start, stop in pairwise(bounds)
    )
    gravity = graph.scaled('projected_gravity', [1.0 / io.GRAVITY])
    angles = graph.op('Sub', 'joint_angles', graph.constant(pose.joints()))
    measured = ['gyroscope', gravity, angles, 'joint_angular_velocities']
    first = graph.op('Equal', progress, graph.constant([0.0]))
    offset = graph.op('Where', first, angles, kept)
    left = graph.op('Mul', graph.op('Sub', graph.constant([1.0]), progress), offset)
    sway = _sway(graph, sway, measured)
    phase, stepping = _steps(graph, first, angles, phase, sway, pose.step_at)
    turns = graph.scaled(phase, [2.0 * np.pi])
    clock = [graph.op('Mul', graph.op(kind, turns), stepping) for kind in ('Sin', 'Cos')]
    observation = graph.op('Concat', *measured, last_action, *clock, left, axis=0)
    observation = graph.scaled(observation, io.scales(posture.OBSERVATION))
    action = graph.clip(_actor(graph, observation, layers), -io.ACTION_LIMIT, io.ACTION_LIMIT)
    target = graph.op('Add', graph.scaled(action, io.ACTION_SCALE), graph.constant(pose.joints()))
    _target(graph, target, graph.op('Add', _lift(graph, clock[0]), left), model)
    ahead = graph.op('Add', progress, graph.constant([1.0 / posture.ENTRY_TICKS]))
    progress = graph.op('Min', ahead, graph.constant([1.0]))
    ahead = graph.op('Add', phase, graph.scaled(stepping, [1.0 / io.GAIT_TICKS]))
    phase = graph.op('Sub', ahead, graph.op('Floor', ahead))
    graph.op('Concat', action, offset, progress, phase, sway, name='next_carry', axis=0)
    size = posture.CARRY_SIZE
    inputs = {**SENSORS, 'carry': size}
    return graph.model('step_fn', inputs, {'action': io.JOINTS, 'next_carry': size})


def _sway(graph: GraphBuilder, sway: str, measured: list[str]) -> str:
    """Advance the smoothed sway of the body over its feet."""
    now = graph.op('Concat', *measured, axis=0)
    now = graph.op('MatMul', now, graph.constant(posture.sway_matrix()))
    change = graph.scaled(graph.op('Sub', now, sway), [posture.SWAY_SMOOTHING])
    return graph.op('Add', sway, change)


def _steps(
    graph: GraphBuilder, first: str, angles: str, phase: str, sway: str, step_at: float
) -> tuple[str, str]:
    """Choose the foot in the first tick; step to the end of a step, and while the body sways."""
    left, right = (graph.pick(angles, knee, knee + 1) for knee in posture.KNEES)
    right_first = graph.op('Cast', graph.op('Less', left, right), to=TensorProto.FLOAT)
    phase = graph.op('Where', first, graph.scaled(right_first, [0.5]), phase)
    axes = graph.constant([0], np.int64)
    squares = graph.op('ReduceSum', graph.op('Mul', sway, sway), axes, keepdims=1)
    sways = graph.op('Greater', squares, graph.constant([step_at**2]))
    twice = graph.scaled(phase, [2.0])
    in_step = graph.op('Less', graph.op('Floor', twice), twice)
    return phase, graph.op('Cast', graph.op('Or', in_step, sways), to=TensorProto.FLOAT)


def _target(graph: GraphBuilder, target: str, pattern: str, model: mujoco.MjModel) -> None:
    """Add the pattern, and stay within the joints' limits."""
    lower, upper = model.jnt_range[1:].T
    target = graph.op('Add', target, pattern)
    target = graph.op('Max', target, graph.constant(lower))
    graph.op('Min', target, graph.constant(upper), name='action')


def _memory(graph: GraphBuilder) -> tuple[str, str, str, str, str]:
    """Unpack the carry: last action, phase, whether to step, heading error, stride command."""
    axes = graph.constant([0], np.int64)
    squares = graph.op('Mul', 'command', 'command')
    asked = graph.op('ReduceSum', squares, axes, keepdims=1)
    is_moving = graph.op('Greater', asked, graph.constant([io.STAND_BELOW**2]))
    moving = graph.op('Cast', is_moving, to=TensorProto.FLOAT)
    last_action = graph.pick('carry', 0, io.JOINTS)
    phase = graph.op('Mul', graph.pick('carry', io.JOINTS, io.JOINTS + 1), moving)
    old = graph.scaled(graph.pick('carry', io.JOINTS + 1, io.JOINTS + 2), [io.HEADING_LEAK])
    rate_error = graph.op('Sub', graph.pick('command', 2, 3), graph.pick('gyroscope', 2, 3))
    heading = graph.op('Add', old, graph.scaled(rate_error, [io.CONTROL_DT]))
    heading = graph.clip(heading, -io.HEADING_LIMIT, io.HEADING_LIMIT)
    stride = graph.pick('carry', io.JOINTS + 2, io.CARRY_SIZE)
    towards = graph.op('Sub', 'command', stride)
    towards = graph.scaled(towards, [io.CONTROL_DT / io.STRIDE_LAG_S])
    stride = graph.op('Mul', graph.op('Add', stride, towards), moving)
    return last_action, phase, moving, graph.op('Mul', heading, moving), stride


def _lift(graph: GraphBuilder, sine: str) -> str:
    """Lift the foot whose turn it is by the clock."""
    swing = graph.op('Concat', sine, graph.op('Neg', sine), axis=0)
    return graph.op('MatMul', graph.op('Relu', swing), graph.constant(io.lift_pattern()))


def _gait_pattern(graph: GraphBuilder, sine: str, cosine: str, stride: str) -> str:
    """Add up what the clock alone would have the joints do."""
    lift = _lift(graph, sine)
    above, below = io.STRIDE_GAIN
    ahead = graph.scaled(graph.op('Relu', stride), above)
    back = graph.scaled(graph.op('Relu', graph.op('Neg', stride)), below)
    stride = graph.op('Mul', graph.op('Sub', ahead, back), cosine)
    return graph.op('Add', lift, graph.op('MatMul', stride, graph.constant(io.stride_pattern())))


def _observation(
    graph: GraphBuilder, home: np.ndarray, last_action: str, clock: list[str], heading: str
) -> str:
    """Lay out the observation as interface.py says."""
    gravity = graph.scaled('projected_gravity', [1.0 / io.GRAVITY])
    angles = graph.op('Sub', 'joint_angles', graph.constant(home))
    parts = ['gyroscope', gravity, 'command', angles, 'joint_angular_velocities', last_action,
             *clock, heading]  # fmt: skip
    return graph.scaled(graph.op('Concat', *parts, axis=0), io.scales(io.OBSERVATION))


def _actor(graph: GraphBuilder, observation: str, layers: Layers) -> str:
    """Run the network."""
    hidden = graph.op('Unsqueeze', observation, graph.constant([0], np.int64))
    for number, (weight, bias) in enumerate(layers, start=1):
        hidden = graph.op('Gemm', hidden, graph.constant(weight.T), graph.constant(bias))
        if number < len(layers):
            hidden = graph.op('Elu', hidden)
    return graph.op('Squeeze', hidden, graph.constant([0], np.int64))


WALK = io.ROBOT_XML.parent / 'walk.kinfer'
STAND = io.ROBOT_XML.parent / 'stand.kinfer'


def read_layers(path: Path) -> Layers:
    """Read the network back from an archive that was packed here."""
    graph = onnx.load_from_string(read_archive(path).step_fn).graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    return [
        (constants[node.input[1]].T, constants[node.input[2]])
        for node in graph.node
        if node.op_type == 'Gemm'
    ]


def provenance(seed: int, steps: int, commit: str = 'uncommitted') -> dict[str, Any]:
    """Say where a policy comes from."""
    return {
        'project': 'kinfer_ros',
        'training_commit': commit,
        'seed': seed,
        'steps': steps,
        'mujoco': mujoco.__version__,
        'torch': torch.__version__.split('+')[0],
    }


def metadata(model: mujoco.MjModel, origin: dict[str, Any], task: str = 'walk') -> dict[str, Any]:
    """Return what a runtime has to know besides the graphs."""
    walks = task == 'walk'

    def numbers(values: np.ndarray) -> list[float]:
        return [round(float(value), 6) for value in values]

    return {
        'joint_names': list(io.JOINT_NAMES),
        'command_names': list(io.COMMAND_NAMES) if walks else [],
        'carry_size': [io.CARRY_SIZE if walks else posture.CARRY_SIZE],
        'joint_biases': numbers(model.key('home').qpos[7:]),
        'joint_kp': numbers(model.actuator_gainprm[:, 0]),
        'joint_kd': numbers(-model.actuator_biasprm[:, 2]),
        'joint_torque_limits': numbers(model.actuator_forcerange[:, 1]),
        'control_rate_hz': round(1.0 / io.CONTROL_DT, 6),
        'command_ranges': _command_ranges() if walks else {},
        'provenance': origin,
    }


def _command_ranges() -> dict[str, list[float]]:
    return {name: list(bounds) for name, bounds in io.COMMAND_RANGES.items()}


def pack(path: Path, actor: nn.Sequential, origin: dict[str, Any], task: str = 'walk') -> None:
    """Write the policy with this network."""
    model, layers = mujoco.MjModel.from_xml_path(str(io.ROBOT_XML)), dense_layers(actor)
    if task == 'walk':
        init, step = init_graph(), step_graph(layers, model)
    else:
        origin = {**origin, 'started_from': WALK.name}
        init = init_graph(posture.CARRY_SIZE)
        step = posture_graph(layers, model, posture.POSTURES[task])
    write_archive(path, init, step, metadata(model, origin, task))


def main(argv: list[str] | None = None) -> int:
    """Pack a checkpoint, or pack an archive again."""
    parser = argparse.ArgumentParser(prog='python -m training.export', description=__doc__)
    parser.add_argument('source', type=Path, help='a checkpoint.pt, or a .kinfer to pack again')
    parser.add_argument('archive', type=Path, help='the .kinfer file to write')
    parser.add_argument('--commit', default='uncommitted', help='of the training code')
    arguments = parser.parse_args(argv)
    if arguments.source.suffix == '.kinfer':
        old = read_archive(arguments.source)
        assert old.init_fn is not None, f'{arguments.source} is not an archive'
        old.metadata['provenance']['training_commit'] = arguments.commit
        if old.metadata['command_names']:
            old.metadata['command_ranges'] = _command_ranges()
        write_archive(arguments.archive, old.init_fn, old.step_fn, old.metadata)
    else:
        state = torch.load(arguments.source, weights_only=False)
        settings, iteration = state['settings'], state['iteration']
        steps = iteration * settings['robots'] * HORIZON
        origin = provenance(settings['seed'], steps, arguments.commit)
        task = settings.get('task', 'walk')
        actor = actor_network(io.OBSERVATION if task == 'walk' else posture.OBSERVATION)
        actor.load_state_dict(state['learner']['actor'])
        pack(arguments.archive, actor, origin, task)
    return 0


if __name__ == '__main__':
    sys.exit(main())
