"""What the KOS bridge costs: a round trip against bare gRPC calls, and the node's CPU and memory.

A small KOS server with K-Bot's 20 actuators runs in a process of its own. A round trip reads all
joints and the IMU, judges the sample, and sends 20 targets. The bare side is the same four stub
calls from the same asyncio loop, in turns with ours, so that whatever the machine does happens to
both. The node's CPU stands beside that of as many bare calls, its memory beside a bare rclpy
node's. Without this, "a thin bridge" is a phrase.

    python benchmarks/kos.py
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import HERE
from _processes import Process
from _processes import cpu_share
from _processes import domain_environment
from _processes import node
from _processes import resident_mb
from google.protobuf.empty_pb2 import Empty
from kos_protos import actuator_pb2
from kos_protos.actuator_pb2_grpc import ActuatorServiceStub
from kos_protos.imu_pb2_grpc import IMUServiceStub

from helpers.peers import kos_server
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.options import BACKENDS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.robot.robot import load_robot

KBOT = load_robot('kbot')
UNITS = JointUnits(KBOT)
TIMEOUT = 5.0
WARM_UP = 100
BOUND = 1.5
HZ = 200.0
MOST = {'cpu': 2.0, 'memory': 2.0}


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Run the server; :return: its port."""
    words = [sys.executable, kos_server.__file__, *(str(each) for each in UNITS.ids)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


class Bare:
    """The four calls with nothing around them."""

    def __init__(self, client: KosClient) -> None:
        self._actuators = ActuatorServiceStub(client._channel)
        self._imu = IMUServiceStub(client._channel)
        self._ids = actuator_pb2.GetActuatorsStateRequest(actuator_ids=UNITS.ids)
        self._targets = actuator_pb2.CommandActuatorsRequest(
            commands=[
                actuator_pb2.ActuatorCommand(actuator_id=each, position=0.0) for each in UNITS.ids
            ]
        )

    async def round_trip(self) -> None:
        """Read joints and IMU together, then send the targets."""
        await asyncio.gather(
            self._actuators.GetActuatorsState(self._ids, timeout=TIMEOUT),
            self._imu.GetValues(Empty(), timeout=TIMEOUT),
            self._imu.GetQuaternion(Empty(), timeout=TIMEOUT),
        )
        await self._actuators.CommandActuators(self._targets, timeout=TIMEOUT)


async def measure_round_trips(port: int, rounds: int) -> tuple[np.ndarray, float]:
    """
    Both sides in turns.

    :return: times in us, shape (2, rounds): bare, ours; and the CPU time of a bare one, s.
    """
    client = KosClient(Connection('127.0.0.1', port, TIMEOUT, TIMEOUT), UNITS.ids)
    patience = Timeouts(10**9, 10**9, 10**8)
    robot = KosRobot(
        KBOT, client, BACKENDS['kos-kbot'], 1.0, patience, lambda text: None, lambda: None
    )
    bare = Bare(client)
    target = KBOT.home.copy()

    async def ours() -> None:
        sample, _ = robot.on_reading(await client.read(), time.monotonic_ns())
        assert sample is not None
        await robot.drive.send_now(target)

    times = np.empty((2, rounds))
    clock = time.perf_counter_ns
    cpu = 0.0
    for turn in range(-WARM_UP, rounds):
        before = time.process_time()
        start = clock()
        await bare.round_trip()
        spent = time.process_time() - before
        middle = clock()
        await ours()
        if turn >= 0:
            times[:, turn] = middle - start, clock() - middle
            cpu += spent
    await client.close()
    return times / 1000.0, cpu / rounds


def measure_node(port: int, seconds: float) -> tuple[float, float]:
    """CPU of a core and MB of the bridge at 200 Hz, enabled."""
    parameters = {'kos_port': port, 'sensor_rate': HZ, 'auto_enable': True, 'kos_timeout': 1.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        node('kos_bridge', Path(folder), domain_environment(), parameters) as bridge,
    ):
        bridge.wait_for('state enabled', 30)
        time.sleep(2.0)
        cpu, memory = cpu_share(bridge, seconds), resident_mb(bridge)
        bridge.send(signal.SIGINT)
        bridge.wait(10)
    return cpu, memory


def bare_node_mb() -> float:
    """MB of baselines/bare_node.py, which has sensors' messages and nothing else."""
    words = [str(HERE / 'baselines' / 'bare_node.py'), '50', '20']
    with (
        tempfile.TemporaryDirectory() as folder,
        Process(words, Path(folder) / 'bare.log', domain_environment()) as process,
    ):
        process.wait_for('ticking', 20)
        time.sleep(1.0)
        return resident_mb(process)


def measure(*, quick: bool = False) -> list[Figure]:
    """Round trips in turns, then the node."""
    with server() as port:
        times, bare_cpu = asyncio.run(measure_round_trips(port, 300 if quick else 1500))
        cpu, memory = measure_node(port, 2.0 if quick else 6.0)
    figure = Figure('KOS round trip, 20 joints', 'us', quantiles(times[1]))
    figure.beside, figure.beside_values = 'bare stubs', quantiles(times[0])
    label, bare = f'KOS bridge, {HZ:g} Hz', bare_node_mb()
    share = Figure(f'{label}: CPU', 'core', (cpu,), 'as many bare stub calls', (HZ * bare_cpu,))
    resident = Figure(f'{label}: memory', 'MB', (memory,), 'bare rclpy node', (bare,))
    return [
        figure.bounded(max(figure.ratios[:2]), BOUND, 'p50 and p99 ratio'),
        share.bounded(share.ratios[0], MOST['cpu'], 'ratio'),
        resident.bounded(resident.ratios[0], MOST['memory'], 'ratio'),
    ]


def main() -> None:
    """Print the table."""
    print_figures('kos', measure())


if __name__ == '__main__':
    main()
