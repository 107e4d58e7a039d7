"""What a policy set costs: a switch, a start with eight policies, their memory, a motion's tick.

    python benchmarks/policy_set.py [--quick]

All policies have the size of a G1's walk: 29 joints, five frames of 96 numbers, layers of 512,
256 and 128. Each figure stands beside its alternative in the same run: the switch beside the
ordinary ticks of the same two policies, the start beside as many bare sessions, the motion beside
a velocity policy of the same width.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _processes  # noqa: F401  adds test/ to the path
import numpy as np
import onnxruntime as ort
from _figures import Figure
from _figures import print_figures
from _figures import quantiles

from helpers.policies import flat_models
from helpers.policies.motions import MOTION
from helpers.policies.motions import frames
from helpers.policies.motions import write_csv
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros import Policy
from kinfer_ros import load_model
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import MemberSpec

COUNT = 8
JOINTS = [f'joint_{number}' for number in range(29)]
LAYERS = (512, 256, 128, len(JOINTS))
HISTORY = {'length': 5, 'layout': 'per_term', 'order': 'oldest_first', 'first': 'repeat'}
PERIOD_NS = 20_000_000
OTHERS_BYTES = 16 * 1024 * 1024
"""Memory that other programs use between two ticks."""
MOST = {'switch': 2.0, 'start': 1.2, 'memory': 1.3, 'motion': 1.3}
"""Ratios aimed at."""

VELOCITY_TERMS: list[dict[str, Any]] = [
    {'source': 'gyroscope'},
    {'source': 'gravity', 'unit': 'unit'},
    {'source': 'command', 'entries': ['xvel', 'yvel', 'yawrate']},
    {'source': 'joint_positions', 'relative': True},
    {'source': 'joint_velocities'},
    {'source': 'last_action', 'which': 'raw'},
]
MOTION_TERMS: list[dict[str, Any]] = [
    {'source': 'reference_joint_positions'},
    {'source': 'reference_joint_velocities'},
    {'source': 'reference_anchor_orientation'},
    {'source': 'gyroscope'},
    {'source': 'joint_positions', 'relative': True},
    {'source': 'joint_velocities'},
    {'source': 'last_action', 'which': 'raw'},
]
WIDTH = 2 * len(JOINTS) + 9 + 3 * len(JOINTS)
"""Numbers that MOTION_TERMS have."""


def network(path: Path, size: int, seed: int) -> None:
    """Write a network of a G1's size."""
    rng = np.random.default_rng(seed)
    graph, layer, width = flat_models.models.Builder(), 'obs', size
    for wide in LAYERS:
        weights = graph.const((rng.normal(size=(width, wide)) * 0.02).astype(np.float32))
        bias = graph.const(np.zeros(wide, np.float32))
        layer = graph.op('Gemm', layer, weights, bias)
        layer, width = graph.op('Elu', layer) if wide != LAYERS[-1] else layer, wide
    graph.add(flat_models.helper.make_node('Identity', [layer], ['actions']))
    path.write_bytes(graph.build({'obs': (1, size)}, {'actions': (1, len(JOINTS))}))


def member(folder: Path, name: str, terms: list[dict[str, Any]], size: int, **more: Any) -> str:
    """Write a policy; :return: its line in the set."""
    number = int(name[1:])
    content = flat_models.spec(
        terms, joints=JOINTS, default_pose=0.0, gains={'kp': 20.0 - number, 'kd': 1.0}, **more,
    )  # fmt: skip
    network(folder / f'{name}.onnx', size, number)
    flat_models.write_spec(folder / f'{name}.yaml', content)
    return f'  {name}: {{model: {name}.onnx, spec: {name}.yaml}}'


def write_set(folder: Path, members: list[str]) -> Path:
    """Write a set in which each policy may follow every other one."""
    names = [line.split(':')[0].strip() for line in members]
    lines = [f'enter: {names[0]}', 'policies:', *members, 'transitions:']
    lines += [f'  - {{from: any, to: {name}}}' for name in names]
    path = folder / 'set.yaml'
    path.write_text('\n'.join(lines) + '\n')
    return path


def walks(folder: Path, count: int) -> Path:
    """Write a set of walking policies with gains of their own."""
    size = HISTORY['length'] * (9 + 3 * len(JOINTS))
    more = {'observation': {'history': HISTORY}}
    return write_set(
        folder,
        [member(folder, f'p{n}', VELOCITY_TERMS, size, **more) for n in range(count)],
    )


def walk_and_dance(folder: Path) -> Path:
    """Write a set of a velocity policy and one with a motion, equally wide."""
    joints, root = frames(600)
    joints = np.tile(joints[:, :1] * 0.1, (1, len(JOINTS)))
    rows = np.concatenate([np.zeros((len(joints), 3)), root, joints], axis=1)
    write_csv(folder / MOTION['file'], rows)
    chain = [{'joint': name, 'axis': axis} for name, axis in zip(JOINTS, 'zxy', strict=False)]
    rest = WIDTH - (9 + 3 * len(JOINTS))
    plain = [*VELOCITY_TERMS, {'source': 'constant', 'values': 0.0, 'count': rest}]
    motion = MOTION | {'anchor': chain, 'end': 'loop'}
    return write_set(folder, [
        member(folder, 'p0', plain, WIDTH),
        member(folder, 'p1', MOTION_TERMS, WIDTH, motion=motion, commands={}),
    ])  # fmt: skip


def load_untried(each: MemberSpec) -> Policy:
    """Load a policy without the trial in a process of its own, as the bare sessions are."""
    return load_model(each.model, each.spec, trial=False)


def load_all(path: Path) -> LoadedSet:
    """Load a set without trials."""
    return load_set(path, load_untried, trial=False)


def ticks(
    path: Path, rounds: int, between: int, *, cold: bool = False
) -> tuple[list[float], dict[str, list[float]]]:
    """
    Time ticks, with a switch now and then.

    :param cold: between two ticks the caches are used by others, as in the 20 ms of a robot.
    :return: times of ticks with a switch, and of ordinary ones by policy, us.
    """
    others = np.zeros(OTHERS_BYTES // 8)
    loaded, robot = load_all(path), small_robot(path.parent, tuple(JOINTS))
    live = LiveSettings(frozen_timeout=0.0, tracking_error=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    controller = assemble_set(loaded, robot, SessionSettings(PERIOD_NS), live)
    rig.controller, rig.frame = controller, controller.inputs.frame
    rig.run()
    rig.tick(50)
    at_switch: list[float] = []
    ordinary: dict[str, list[float]] = {name: [] for name in loaded.policies}
    for number in range(rounds):
        name = list(loaded.policies)[(number + 1) % len(loaded.policies)]
        assert controller.policies.request(name, controller.mode) == ''
        for tick in range(between):
            rig.now += PERIOD_NS
            rig.sense()
            if cold:
                others += 1.0
            begin = time.perf_counter_ns()
            controller.tick(rig.now, rig.now)
            spent = (time.perf_counter_ns() - begin) / 1e3
            assert controller.policies.running == name
            if tick == 0:
                at_switch.append(spent)
            elif tick > 5:
                ordinary[name].append(spent)
    return at_switch, ordinary


def switches(folder: Path, rounds: int) -> list[Figure]:
    """Time the tick of a switch, beside the ordinary ticks around it."""
    figures, path = [], walks(folder, 2)
    for cold, what in ((True, 'tick of a switch'), (False, 'the same in a loop without pauses')):
        at_switch, ordinary = ticks(path, rounds, 20, cold=cold)
        usual = [value for values in ordinary.values() for value in values]
        sides = quantiles(at_switch), quantiles(usual)
        figures.append(Figure(what, 'us', sides[0], 'an ordinary tick', sides[1]))
    figures[0].bounded(figures[0].ratios[0], MOST['switch'], 'p50 ratio')
    return figures


def motions(folder: Path, rounds: int) -> Figure:
    """Time the tick of a motion policy, beside that of a velocity policy of the same width."""
    _, ordinary = ticks(walk_and_dance(folder), rounds, 30)
    figure = Figure(
        'tick of a motion policy', 'us', quantiles(ordinary['p1']),
        'a velocity policy as wide', quantiles(ordinary['p0']),
    )  # fmt: skip
    return figure.bounded(figure.ratios[0], MOST['motion'], 'p50 ratio')


def bare_sessions(folder: Path) -> list[Any]:
    """Open the networks of a set with ONNX Runtime alone."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return [ort.InferenceSession(folder / f'p{number}.onnx', options) for number in range(COUNT)]


def starts(folder: Path, rounds: int) -> list[Figure]:
    """Time the load of a set, beside as many bare sessions of the same files."""
    path = walks(folder, COUNT)
    begin = time.perf_counter()
    load_set(path)
    tried = (time.perf_counter() - begin) * 1e3
    ours, bare = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        bare_sessions(folder)
        bare.append((time.perf_counter() - begin) * 1e3)
        begin = time.perf_counter()
        load_all(path)
        ours.append((time.perf_counter() - begin) * 1e3)
    figure = Figure(
        f'load a set of {COUNT}', 'ms', quantiles(ours), 'bare sessions', quantiles(bare)
    )
    return [
        figure.bounded(figure.ratios[0], MOST['start'], 'p50 ratio'),
        Figure('the same with its trials in a process', 'ms', (tried,)),
    ]


def taken(folder: Path, what: str) -> float:
    """Return what a set, or its bare sessions, takes in a process of its own, MB."""
    command = [sys.executable, __file__, '--memory-of', what, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return float(done.stdout)


def memory(folder: Path, rounds: int) -> Figure:
    """Compare what a set holds with what its bare sessions hold."""
    walks(folder, COUNT)
    ours, bare = ([taken(folder, what) for _ in range(rounds)] for what in ('set', 'bare'))
    figure = Figure(
        f'memory of a set of {COUNT}', 'MB', quantiles(ours), 'bare sessions', quantiles(bare)
    )
    return figure.bounded(figure.ratios[0], MOST['memory'], 'p50 ratio')


def print_memory(what: str, folder: Path) -> None:
    """Print by how much this process grows, MB, once one policy has been loaded before."""
    first = load_untried(
        MemberSpec('p0', folder / 'p0.onnx', folder / 'p0.yaml', 1, 1, 1, (0,) * 3)
    )
    before = _resident_kb()
    held = bare_sessions(folder) if what == 'bare' else load_all(folder / 'set.yaml')
    gc.collect()  # as the node does when it is activated
    print((_resident_kb() - before) / 1024)
    del first, held


def _resident_kb() -> int:
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmRSS'))


def measure(*, quick: bool) -> list[Figure]:
    """:return: the figures."""
    folder = Path(tempfile.mkdtemp(prefix='policy_set_'))
    try:
        return [
            *switches(folder, 50 if quick else 300),
            *starts(folder, 3 if quick else 15),
            memory(folder, 1 if quick else 3),
            motions(folder, 30 if quick else 200),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='fewer rounds')
    parser.add_argument('--memory-of', nargs=2, metavar=('WHAT', 'FOLDER'), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print_memory(arguments.memory_of[0], Path(arguments.memory_of[1]))
    else:
        print_figures('policy_set', measure(quick=arguments.quick))
