"""The node under test, its standing robot, and what a process costs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1]),
    str(Path(__file__).resolve().parents[1] / 'test'),
]

from helpers.policies import models  # noqa: E402
from helpers.processes import Process  # noqa: E402
from helpers.processes import domain_environment  # noqa: E402
from helpers.processes import node  # noqa: E402
from helpers.processes import wait_until  # noqa: E402
from helpers.robots import small_robot  # noqa: E402
from helpers.walking import MODEL  # noqa: E402

HERE = Path(__file__).resolve().parent
JOINTS = 20
LAYERS = (512, 256, 128)
SETTLE = 1.0
"""s after a node's start that are not measured."""
SWEEP_HZ = 1.0
"""How often a second the phase between samples and ticks goes through a whole period."""
TICKS_PER_S = os.sysconf('SC_CLK_TCK')


def cpu_seconds(process: Process) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f'/proc/{process.pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpu_shares(processes: Sequence[Process], seconds: float) -> list[float]:
    """Wait, and say what share of a core each process took meanwhile."""
    begin, before = time.monotonic(), [cpu_seconds(each) for each in processes]
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    return [
        (cpu_seconds(each) - then) / elapsed for each, then in zip(processes, before, strict=True)
    ]


def cpu_share(process: Process, seconds: float) -> float:
    """The same of one."""
    return cpu_shares([process], seconds)[0]


def resident_mb(process: Process) -> float:
    """Resident memory of a process now, MB."""
    for line in Path(f'/proc/{process.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1000
    return 0.0


def end(process: Process) -> None:
    """Interrupt a process and wait for its end."""
    process.send(signal.SIGINT)
    process.wait(15)


def last_json(process: Process) -> Any:
    """What a process of ours printed last, which is its figures."""
    lines = process.output.splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise SystemExit(f'{process.log.name} gave no figures:\n{process.output}') from None


def write_policy(folder: Path) -> tuple[Path, Path]:
    """Write a policy of 512-256-128 and its robot of 20 joints; :return: their files."""
    small_robot(folder, tuple(models.joint_names(JOINTS)))
    meta = models.metadata(JOINTS, models.COMMANDS_3, carry_size=[JOINTS])
    model = models.write_kinfer(folder / 'mlp.kinfer', *models.mlp_policy(JOINTS, LAYERS), meta)
    return folder / 'small.yaml', model


@contextlib.contextmanager
def standing_robots(
    folder: Path, rate: float, robots: int = 0, *, report: bool = False
) -> Iterator[Process]:
    """
    Robots that stand still in a process of their own: _robot.py.

    Their sensors are a little faster than asked for, so that the time between a sample and a tick
    goes through all that it can be, once a second at any rate.

    :param report: print when the first command comes.
    """
    words = [str(HERE / '_robot.py'), '--rate', str(rate + SWEEP_HZ), '--joints', str(JOINTS)]
    words += ['--robots', str(robots), *(['--report'] if report else [])]
    with Process(words, folder / 'robot.log', domain_environment()) as process:
        process.wait_for('standing', 20)
        yield process


def parameters(folder: Path, rate: float, **more: object) -> dict[str, object]:
    """Parameters of a policy node that walks a standing robot, with all its guards and its log."""
    robot, model = folder / 'small.yaml', folder / 'mlp.kinfer'
    if not model.exists():
        robot, model = write_policy(folder)
    return {
        'robot': robot,
        'model': model,
        'runs_dir': folder / 'runs',
        'autostart': True,
        'auto_run': True,
        'control_rate': rate,
        'other_control_rate': True,
        'sensor_timeout': 60.0,
        # A robot that never goes where it is told has lost its tracking, which is true.
        'tracking_error': 0.0,
        # How many ticks are missed is what is measured.
        'max_missed_ticks': 100000,
        **more,
    }


def biped_walk(folder: Path, **more: object) -> dict[str, object]:
    """Parameters of a policy node with which the robot that ships walks forward."""
    return {
        'robot': 'biped',
        'model': MODEL,
        'runs_dir': folder / 'runs',
        'autostart': True,
        'auto_run': True,
        'default_command': [0.3, 0.0, 0.0],
        'sensor_timeout': 60.0,
        **more,
    }


def policy_process(folder: Path, rate: float, *, namespace: str = '', **more: object) -> Process:
    """A policy node that has just been started."""
    values = parameters(folder, rate, **more)
    log = folder / namespace
    log.mkdir(exist_ok=True)
    return node('policy_node', log, domain_environment(), values, namespace=namespace)


@contextlib.contextmanager
def policy_node(folder: Path, rate: float, **more: object) -> Iterator[Process]:
    """A policy node in mode run."""
    with policy_process(folder, rate, **more) as process:
        if not wait_until(lambda: 'mode run' in process.output, 60):
            raise SystemExit(process.output)
        yield process


def plain_process(folder: Path, rate: float, namespace: str = '') -> Process:
    """The plain rclpy node beside ours, which has just been started: baselines/plain_node.py."""
    model = folder / 'step.onnx'
    if not model.exists():
        model.write_bytes(models.mlp_policy(JOINTS, LAYERS)[1])
    words = [str(HERE / 'baselines' / 'plain_node.py'), str(model), str(rate), str(JOINTS)]
    words += ['--ros-args', '-r', f'__ns:=/{namespace}']
    return Process(words, folder / f'plain{namespace}.log', domain_environment())


def steps(runs: Path) -> dict[str, np.ndarray]:
    """
    Figures of every record of the newest run in mode run, without its first second.

    The log has each tick's own figures, run.json only their histograms over the whole run.
    """
    records = [orjson.loads(line) for line in (runs / 'latest' / 'steps.ndjson').open('rb')]
    begin = next(each['t_us'] for each in records if each['mode'] == 'run') + SETTLE * 1e6
    kept = [each for each in records if each['mode'] == 'run' and each['t_us'] > begin]
    return {
        'now_ns': np.array([each['now_ns'] for each in kept]),
        'late_us': np.array([each['late_us'] for each in kept]),
        'age_us': np.array([each['age_us'] for each in kept]),
        'tick_us': np.array([sum(each['stage_us'].values()) for each in kept]),
        'policy_us': np.array([each['stage_us']['policy'] for each in kept]),
    }


def run_facts(runs: Path) -> dict[str, Any]:
    """run.json of the newest run in a folder; a node that stopped has no figures."""
    facts: dict[str, Any] = json.loads((runs / 'latest' / 'run.json').read_text())
    if facts['counters']['faults']:
        raise SystemExit(f'the node under test stopped: {facts["reason"]}, {facts["guards"]}')
    return facts
