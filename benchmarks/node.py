"""What the walking nodes cost: CPU and memory of each process while the biped walks.

Bridge (physics and sensors at 500 Hz), policy node (50 Hz) and recorder run as three processes for
20 s in real time. CPU is each process's own time over the wall time, as a share of one core, read
from /proc; memory is what is resident at the end. Without this, "a tick is a budget" is a phrase.

    python benchmarks/node.py [SECONDS]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'test'))

from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL

SENSOR_HZ = 500.0
SETTLE = 3.0
TICKS_PER_S = os.sysconf('SC_CLK_TCK')


def cpu_seconds(process: Process) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f'/proc/{process.pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mb(process: Process) -> float:
    """Resident memory of a process now, MB."""
    for line in Path(f'/proc/{process.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1000
    return 0.0


def measure(seconds: float, folder: Path) -> dict[str, Any]:
    """Walk and measure; :return: cpu share and MB by process, and the timing of run.json."""
    environment = domain_environment()
    bridge = {'physics_rate': SENSOR_HZ, 'sensor_rate': SENSOR_HZ}
    policy = {
        'robot': 'biped',
        'model': MODEL,
        'runs_dir': folder / 'runs',
        'autostart': True,
        'auto_run': True,
        'default_command': [0.3, 0.0, 0.0],
        'sensor_timeout': 60.0,
    }
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, policy) as policy_side,
    ):
        processes = {'policy node': policy_side, 'recorder': recorder, 'bridge': robot_side}
        if not wait_until(lambda: 'mode run' in policy_side.output, 60):
            raise SystemExit(policy_side.output)
        time.sleep(SETTLE)
        begin, before = time.monotonic(), {n: cpu_seconds(p) for n, p in processes.items()}
        time.sleep(seconds)
        elapsed = time.monotonic() - begin
        found: dict[str, Any] = {
            name: {
                'cpu': (cpu_seconds(process) - before[name]) / elapsed,
                'mb': resident_mb(process),
            }
            for name, process in processes.items()
        }
        for process in (policy_side, robot_side, recorder):
            process.send(signal.SIGINT)
            process.wait(10)
    facts = json.loads((folder / 'runs' / 'latest' / 'run.json').read_text())
    return {'processes': found, 'run': facts}


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        result = measure(seconds, Path(folder))
    bounds = {'policy node': (0.20, 200.0), 'recorder': (0.10, None), 'bridge': (None, None)}
    print(f'walking at 50 Hz, sensors at {SENSOR_HZ:g} Hz, {seconds:g} s in real time')
    print(f'load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    print(f'{"process":12} {"CPU of a core":>14} {"bound":>7} {"resident MB":>12} {"bound":>6}')
    for name, figures in result['processes'].items():
        cpu_bound, mb_bound = bounds[name]
        print(
            f'{name:12} {figures["cpu"]:14.3f} {cpu_bound or "":>7} '
            f'{figures["mb"]:12.0f} {mb_bound or "":>6}'
        )
    run = result['run']
    print(f'\nfalls {run["falls"]}, missed ticks {run["counters"]["missed_ticks"]}')
    print(f'{"":14} {"p50 us":>9} {"p99 us":>9} {"p99.9 us":>9} {"max us":>9}')
    for name, figures in run['timing'].items():
        row = (figures['p50'], figures['p99'], figures['p99_9'], figures['max'])
        print(f'{name:14} ' + ' '.join(f'{value:9.1f}' for value in row))


if __name__ == '__main__':
    main()
