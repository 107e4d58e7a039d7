"""What the walking nodes cost: CPU and memory of each process while the biped walks.

Bridge (physics and sensors at 250 Hz), policy node (50 Hz) and recorder run as three processes for
15 s in real time. CPU is each process's own time over the wall time, as a share of one core, read
from /proc; memory is what is resident at the end. The bridge stands beside the node that one would
write around MuJoCo (baselines/plain_simulator.py) at the same rate; the recorder beside the policy
node, whose messages it writes; that one stands beside a plain rclpy node in node.py. Without this,
"a tick is a budget" is a phrase.

    python benchmarks/walk.py
"""

from __future__ import annotations

import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from _figures import Figure
from _figures import of_summary
from _figures import print_figures
from _processes import HERE
from _processes import Process
from _processes import biped_walk
from _processes import cpu_share
from _processes import cpu_shares
from _processes import domain_environment
from _processes import end
from _processes import node
from _processes import resident_mb
from _processes import wait_until

from kinfer_ros.robot.robot import load_robot

SENSOR_HZ = 250.0
SETTLE = 3.0


def walk(seconds: float, folder: Path) -> dict[str, Any]:
    """Walk and measure; :return: cpu share and MB by process, and the timing of run.json."""
    environment = domain_environment()
    bridge = {'physics_rate': SENSOR_HZ, 'sensor_rate': SENSOR_HZ}
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, biped_walk(folder)) as policy_side,
    ):
        processes = {'policy node': policy_side, 'recorder': recorder, 'bridge': robot_side}
        if not wait_until(lambda: 'mode run' in policy_side.output, 60):
            raise SystemExit(policy_side.output)
        time.sleep(SETTLE)
        shares = cpu_shares(list(processes.values()), seconds)
        found: dict[str, Any] = {
            name: {'cpu': cpu, 'mb': resident_mb(process)}
            for (name, process), cpu in zip(processes.items(), shares, strict=True)
        }
        for process in (policy_side, robot_side, recorder):
            process.send(signal.SIGINT)
            process.wait(10)
    facts = json.loads((folder / 'runs' / 'latest' / 'run.json').read_text())
    return {'processes': found, 'run': facts}


def plain_simulator(seconds: float, folder: Path) -> float:
    """CPU of the plain node, as a share of a core."""
    mjcf = str(load_robot('biped').mjcf)
    words = [str(HERE / 'baselines' / 'plain_simulator.py'), mjcf, f'{SENSOR_HZ:g}']
    with Process(words, folder / 'plain.log', domain_environment()) as process:
        process.wait_for('simulating', 20)
        time.sleep(SETTLE)
        share = cpu_share(process, seconds)
        end(process)
    return share


MOST_RECORDER = 1.0
"""CPU of the recorder over that of the policy node."""
MOST_BRIDGE = 1.5
"""CPU of the bridge over that of the plain node."""


def measure(*, quick: bool = False) -> list[Figure]:
    """Walk, and say what each process took and how the ticks were."""
    seconds = 3.0 if quick else 15.0
    with tempfile.TemporaryDirectory() as folder:
        result = walk(seconds, Path(folder))
        plain = plain_simulator(seconds, Path(folder))
    figures = []
    for name, found in result['processes'].items():
        cpu = Figure(f'walking biped, {name}: CPU', 'core', (found['cpu'],))
        if name == 'recorder':
            node_cpu = result['processes']['policy node']['cpu']
            cpu.beside, cpu.beside_values = 'policy node', (node_cpu,)
            cpu.bounded(cpu.ratios[0], MOST_RECORDER, 'ratio')
        if name == 'bridge':
            cpu.beside, cpu.beside_values = 'plain MuJoCo node', (plain,)
            cpu.bounded(cpu.ratios[0], MOST_BRIDGE, 'ratio')
        figures.append(cpu)
        figures.append(Figure(f'walking biped, {name}: memory', 'MB', (found['mb'],)))
    for name, summary in result['run']['timing'].items():
        figures.append(
            Figure(f'walking biped: {name.removesuffix("_us")}', 'us', of_summary(summary))
        )
    falls, missed = result['run']['falls'], result['run']['counters']['missed_ticks']
    figures.append(Figure('walking biped: falls', '', (falls,)).bounded(falls, 0, 'falls'))
    return [*figures, Figure('walking biped: missed ticks', '', (missed,))]


def main() -> None:
    """Print the table."""
    print_figures('walk', measure())


if __name__ == '__main__':
    main()
