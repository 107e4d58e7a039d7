"""What the KOS bridge costs: a round trip against bare gRPC calls, and the node's CPU and memory.

A small KOS server with K-Bot's 20 actuators runs in a process of its own. A round trip reads all
joints and the IMU, judges the sample, and sends 20 targets. The bare side is the same four stub
calls from the same asyncio loop, in turns with ours, so that whatever the machine does happens to
both. Without this, "a thin bridge" is a phrase.

    python benchmarks/kos.py [ROUNDS [SECONDS]]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / 'test'), str(_ROOT / 'benchmarks')]

import numpy as np  # noqa: E402
from google.protobuf.empty_pb2 import Empty  # noqa: E402
from kos_protos import actuator_pb2  # noqa: E402
from kos_protos.actuator_pb2_grpc import ActuatorServiceStub  # noqa: E402
from kos_protos.imu_pb2_grpc import IMUServiceStub  # noqa: E402
from node import cpu_seconds  # noqa: E402
from node import resident_mb  # noqa: E402

from helpers.processes import domain_environment  # noqa: E402
from helpers.processes import node  # noqa: E402
from kinfer_ros.bridges.kos_client import KosClient  # noqa: E402
from kinfer_ros.bridges.kos_options import BACKENDS  # noqa: E402
from kinfer_ros.bridges.kos_options import Connection  # noqa: E402
from kinfer_ros.bridges.kos_options import Patience  # noqa: E402
from kinfer_ros.bridges.kos_robot import KosRobot  # noqa: E402
from kinfer_ros.bridges.kos_units import JointUnits  # noqa: E402
from kinfer_ros.control.robot import load_robot  # noqa: E402

KBOT = load_robot('kbot')
UNITS = JointUnits(KBOT)
TIMEOUT = 5.0
WARM_UP = 100
BOUND = 1.5
HZ = 200.0


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Run the server; :return: its port."""
    words = [sys.executable, str(_ROOT / 'test' / 'helpers' / 'kos_server.py')]
    words += [str(each) for each in UNITS.ids]
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


async def measure_round_trips(port: int, rounds: int) -> np.ndarray:
    """Times in us, shape (2, rounds): bare, ours."""
    client = KosClient(Connection('127.0.0.1', port, TIMEOUT, TIMEOUT), UNITS.ids)
    patience = Patience(10**9, 10**9, 0.1)
    robot = KosRobot(
        KBOT, client, BACKENDS['kos-kbot'], 1.0, patience, lambda text: None, lambda: None
    )
    bare = Bare(client)
    target = KBOT.home.copy()

    async def ours() -> None:
        sample, _ = robot.took(await client.read(), time.monotonic_ns())
        assert sample is not None
        await robot.drive.send_now(target)

    times = np.empty((2, rounds))
    clock = time.perf_counter_ns
    for turn in range(-WARM_UP, rounds):
        start = clock()
        await bare.round_trip()
        middle = clock()
        await ours()
        if turn >= 0:
            times[:, turn] = middle - start, clock() - middle
    await client.close()
    return times / 1000.0


def measure_node(port: int, seconds: float) -> tuple[float, float]:
    """CPU of a core and MB of the bridge at 200 Hz, enabled."""
    parameters = {'kos_port': port, 'sensor_rate': HZ, 'auto_enable': True, 'kos_timeout': 1.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        node('kos_bridge', Path(folder), domain_environment(), parameters) as bridge,
    ):
        bridge.wait_for('state enabled', 30)
        time.sleep(2.0)
        begin, before = time.monotonic(), cpu_seconds(bridge)
        time.sleep(seconds)
        cpu = (cpu_seconds(bridge) - before) / (time.monotonic() - begin)
        memory = resident_mb(bridge)
        bridge.send(signal.SIGINT)
        bridge.wait(10)
    return cpu, memory


def main() -> None:
    """Print both tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    with server() as port:
        times = asyncio.run(measure_round_trips(port, rounds))
        cpu, memory = measure_node(port, seconds)
    load = os.getloadavg()[0]
    print(f'{rounds} round trips in turns, load {load:.1f} on {os.cpu_count()} cores')
    print(f'{"":12} {"p50 us":>9} {"p99 us":>9}')
    p50, p99 = np.percentile(times, [50, 99], axis=1)
    for name, middle, high in zip(('bare stubs', 'bridge'), p50, p99, strict=True):
        print(f'{name:12} {middle:9.0f} {high:9.0f}')
    print(f'{"ratio":12} {p50[1] / p50[0]:9.2f} {p99[1] / p99[0]:9.2f}   bound {BOUND}')
    print(f'\nbridge at {HZ:g} Hz: {cpu:.3f} of a core (bound 0.35), {memory:.0f} MB (bound 150)')


if __name__ == '__main__':
    main()
