"""What a policy set costs: a switch, a start with eight policies, a motion in the tick.

    python benchmarks/policy_set.py [--quick]

Each figure stands beside its alternative in the same run: the switch beside the ordinary ticks of
the same two policies, the start beside as many bare sessions, the motion beside a velocity policy
of the same width.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import _processes  # noqa: F401  adds test/ to the path
import numpy as np
import onnxruntime as ort
from _figures import Figure
from _figures import print_figures
from _figures import quantiles

from helpers.policies import flat_models
from helpers.policies.motions import TERMS
from helpers.policies.motions import spec_of
from helpers.policies.motions import write_csv
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros import Policy
from kinfer_ros import load_model
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import MemberSpec

COUNT = 8
HIDDEN = 512


def network(folder: Path, name: str, size: int, seed: int, joints: int = 2) -> Path:
    """Write a network of a usual size: two hidden layers."""
    rng = np.random.default_rng(seed)
    graph, layer, width = flat_models.models.Builder(), 'obs', size
    for wide in (HIDDEN, HIDDEN // 2, joints):
        weights = graph.const(rng.normal(size=(width, wide)).astype(np.float32) * 0.02)
        layer = graph.op('Tanh', graph.op('MatMul', layer, weights))
        width = wide
    graph.add(flat_models.helper.make_node('Identity', [layer], ['actions']))
    path = folder / f'{name}.onnx'
    path.write_bytes(graph.build({'obs': (1, size)}, {'actions': (1, joints)}))
    return path


def write_set(folder: Path, count: int) -> Path:
    """Write a set whose policies each follow every other one, with gains of their own."""
    terms = [
        {'source': 'joint_positions', 'relative': True},
        {'source': 'joint_velocities'},
        {'source': 'gyroscope'},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'last_action', 'which': 'raw'},
    ]
    names, joints = [f'p{number}' for number in range(count)], ['joint_0', 'joint_1']
    lines = ['enter: p0', 'policies:']
    for number, name in enumerate(names):
        content = flat_models.spec(
            terms, joints=joints, default_pose=0.0, commands={},
            gains={'kp': 20.0 - number, 'kd': 1.0},
        )  # fmt: skip
        network(folder, name, 12, number)
        flat_models.write_spec(folder / f'{name}.yaml', content)
        lines.append(f'  {name}: {{model: {name}.onnx, spec: {name}.yaml}}')
    lines.append('transitions:')
    lines += [f'  - {{from: any, to: {name}}}' for name in names]
    path = folder / 'set.yaml'
    path.write_text('\n'.join(lines) + '\n')
    return path


def load_untried(member: MemberSpec) -> Policy:
    """Load a policy without the trial in a process of its own, as the bare sessions are."""
    return load_model(member.model, member.spec, trial=False)


def switches(folder: Path, count: int) -> Figure:
    """Time the tick of a switch, beside the ordinary ticks around it."""
    loaded, robot = load_set(write_set(folder, 2), load_untried), small_robot(folder)
    live = LiveSettings(frozen_timeout=0.0, tracking_error=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    controller = assemble_set(loaded, robot, SessionSettings(20_000_000), live)
    rig.controller, rig.frame = controller, controller.inputs.frame
    rig.run()
    rig.tick(50)
    at_switch, ordinary = [], []
    for number in range(count):
        name = f'p{(number + 1) % 2}'
        assert controller.policies.request(name, controller.mode) == ''
        for tick in range(20):
            rig.now += 20_000_000
            rig.sense()
            begin = time.perf_counter_ns()
            controller.tick(rig.now, rig.now)
            spent = (time.perf_counter_ns() - begin) / 1e3
            if tick == 0:
                at_switch.append(spent)
                assert controller.policies.running == name
            elif tick > 5:
                ordinary.append(spent)
    return Figure(
        'tick of a switch', 'us', quantiles(np.array(at_switch)), 'an ordinary tick',
        quantiles(np.array(ordinary)),
    )  # fmt: skip


def starts(folder: Path, rounds: int) -> list[Figure]:
    """Time the load of a set, beside as many bare sessions of the same files."""
    path = write_set(folder, COUNT)
    models = [folder / f'p{number}.onnx' for number in range(COUNT)]
    ours, bare, tried = [], [], []
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    for _ in range(rounds):
        begin = time.perf_counter()
        sessions = [ort.InferenceSession(each, options) for each in models]
        bare.append((time.perf_counter() - begin) * 1e3)
        begin = time.perf_counter()
        loaded = load_set(path, load_untried)
        ours.append((time.perf_counter() - begin) * 1e3)
        assert len(sessions) == len(loaded.policies)
    begin = time.perf_counter()
    load_set(path)
    tried.append((time.perf_counter() - begin) * 1e3)
    sides = quantiles(np.array(ours)), quantiles(np.array(bare))
    figure = Figure(f'load a set of {COUNT}', 'ms', sides[0], 'bare sessions', sides[1])
    first = Figure(f'the same at its first load, {COUNT} trials', 'ms', (tried[0],))
    return [figure, first]


def motions(folder: Path, count: int) -> Figure:
    """Time a step with a motion, beside one with sensors of the same width."""
    write_csv(folder / 'motion.csv')
    # A velocity policy of 13 numbers, as the terms of the motion have.
    plain = [
        {'source': 'joint_positions', 'relative': True},
        {'source': 'joint_velocities'},
        {'source': 'gyroscope'},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'constant', 'values': 0.0, 'count': 1},
    ]
    specs = {
        'moving': spec_of(),
        'plain': flat_models.spec(plain, commands={}),
    }
    policies = []
    for name, content in specs.items():
        model = network(folder, name, 13, 1, joints=3)
        spec = flat_models.write_spec(folder / f'{name}.yaml', content)
        policies.append(load_model(model, spec, trial=False))
    assert len(TERMS) == 4
    times = np.empty((2, count))
    for policy in policies:
        for name, array in policy.inputs.items():
            array[:] = 0.1
            if name == 'quaternion':
                array[:] = (1.0, 0.0, 0.0, 0.0)
    for number in range(count):
        for row, policy in enumerate(policies):
            begin = time.perf_counter_ns()
            policy.infer()
            policy.accept()
            times[row, number] = (time.perf_counter_ns() - begin) / 1e3
    return Figure(
        'step with a motion', 'us', quantiles(times[0]), 'a velocity policy as wide',
        quantiles(times[1]),
    )  # fmt: skip


def measure(*, quick: bool) -> list[Figure]:
    """:return: the figures."""
    folder = Path(tempfile.mkdtemp(prefix='policy_set_'))
    try:
        return [
            switches(folder, 50 if quick else 500),
            *starts(folder, 2 if quick else 10),
            motions(folder, 500 if quick else 5000),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='fewer rounds')
    print_figures('policy_set', measure(quick=parser.parse_args().quick))
