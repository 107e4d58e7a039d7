"""A KOS server in this process or one of its own, on the servicers that come with pykos.

It can behave like each of the real servers, and misbehave in every way they do.

    python test/helpers/kos_server.py PORT [BACKEND]    a K-Bot's 20 actuators, until it is killed
"""

from __future__ import annotations

import math
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field
from types import TracebackType

import grpc
from kos_protos import actuator_pb2
from kos_protos import actuator_pb2_grpc
from kos_protos import common_pb2
from kos_protos import imu_pb2
from kos_protos import imu_pb2_grpc

KBOT_IDS = tuple(10 * side + joint for side in (1, 2, 3, 4) for joint in (1, 2, 3, 4, 5))
SPEED = 20.0
"""1/s; how fast a joint goes to its target."""


@dataclass
class Actuator:
    """One actuator; angles in degrees, as KOS has them."""

    position: float = 0.0
    target: float = 0.0
    kp: float = 5.0
    kd: float = 0.5
    max_torque: float = 1.0
    torque: bool = False
    changed: float = field(default_factory=time.monotonic)

    def move(self) -> None:
        """Go on towards the target, where torque and stiffness take it there."""
        now = time.monotonic()
        share, self.changed = 1.0 - math.exp(-SPEED * (now - self.changed)), now
        if self.torque and self.kp > 0.0:
            self.position += share * (self.target - self.position)


class KosServer:
    """
    Actuators and an IMU behind a port of loopback; used as a context.

    What a test may set: `drop` ids that do not answer, `offline` ids, `refuse_config` and
    `dead_torque` ids, `faults` by id, `fail` a gRPC code for every call, `quaternion`, `gyro`,
    `imu_error`, `no_state` (an empty answer), `refuse_command` ids. `hang()` stops every answer.
    """

    def __init__(
        self, ids: tuple[int, ...] = KBOT_IDS, backend: str = 'kos-kbot', port: int = 0
    ) -> None:
        self.backend = backend
        self.actuators = {each: Actuator(torque=backend == 'kos-sim') for each in ids}
        self.drop: set[int] = set()
        self.offline: set[int] = set()
        self.refuse_config: set[int] = set()
        self.refuse_command: set[int] = set()
        self.dead_torque: set[int] = set()
        self.faults: dict[int, list[str]] = {}
        self.fail: grpc.StatusCode | None = None
        self.no_state = False
        self.quaternion = (0.0, 0.0, 0.0, 1.0)
        self.gyro = (0.1, 0.2, 0.3)
        self.imu_error = False
        self.log: list[tuple[str, int, dict[str, float]]] = []
        """Every configuration and target, in order: kind, actuator id, fields."""
        self._open = threading.Event()
        self._open.set()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=64))
        actuator_pb2_grpc.add_ActuatorServiceServicer_to_server(_Actuators(self), self._server)
        imu_pb2_grpc.add_IMUServiceServicer_to_server(_Imu(self), self._server)
        self.port = self._server.add_insecure_port(f'127.0.0.1:{port}')
        assert self.port, f'port {port} is taken'

    def __enter__(self) -> KosServer:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port; once is enough, twice does no harm."""
        self._open.set()
        self._server.stop(None).wait(5.0)

    def hang(self, on: bool = True) -> None:
        """Answer nothing any more, as a stopped process would."""
        if on:
            self._open.clear()
        else:
            self._open.set()

    @property
    def torques(self) -> set[bool]:
        """What the torque switches are; one element where they are all the same."""
        return {each.torque for each in self.actuators.values()}

    @property
    def stiffness(self) -> set[float]:
        """All kp there are."""
        return {each.kp for each in self.actuators.values()}

    def said(self, kind: str, actuator_id: int) -> list[dict[str, float]]:
        """Everything of one kind, 'target' or 'config', that an actuator was told."""
        wanted = (kind, actuator_id)
        return [what for found, each, what in list(self.log) if (found, each) == wanted]

    def enter(self, context: grpc.ServicerContext) -> None:
        """Hang or fail, where that is asked for."""
        self._open.wait(30.0)
        if self.fail is not None:
            context.abort(self.fail, 'made to fail')


class _Actuators(actuator_pb2_grpc.ActuatorServiceServicer):
    def __init__(self, server: KosServer) -> None:
        self._server = server

    def CommandActuators(self, request, context):
        server = self._server
        server.enter(context)
        results = []
        for command in request.commands:
            actuator = server.actuators.get(command.actuator_id)
            fields = {name.name: value for name, value in command.ListFields()}
            server.log.append(('target', command.actuator_id, fields))
            if actuator is None:
                continue  # unknown ids are skipped in silence
            actuator.move()
            actuator.target = command.position  # left out, it is 0: as the real ones do
            if server.backend == 'kos-kbot':
                results.append(_result(command.actuator_id, server.refuse_command))
        return actuator_pb2.CommandActuatorsResponse(results=results)

    def ConfigureActuator(self, request, context):
        server = self._server
        server.enter(context)
        fields = {name.name: value for name, value in request.ListFields()}
        server.log.append(('config', request.actuator_id, fields))
        actuator = server.actuators.get(request.actuator_id)
        if actuator is None or request.actuator_id in server.refuse_config:
            return _refusal()
        actuator.move()
        for name in ('kp', 'kd'):
            if request.HasField(name):
                setattr(actuator, name, getattr(request, name))
            elif server.backend == 'kos-kbot':
                setattr(actuator, name, 0.0)
        if request.HasField('max_torque') and server.backend != 'kos-zbot':
            actuator.max_torque = request.max_torque
        if request.HasField('torque_enabled') and server.backend != 'kos-sim':
            if request.torque_enabled and not actuator.torque and server.backend == 'kos-zbot':
                actuator.target = actuator.position
            on = request.torque_enabled and request.actuator_id not in server.dead_torque
            actuator.torque = on
        return common_pb2.ActionResponse(success=True)

    def GetActuatorsState(self, request, context):
        server = self._server
        server.enter(context)
        ids = list(request.actuator_ids)
        if not ids and server.backend != 'kos-kbot':
            ids = list(server.actuators)
        states = []
        for each in [] if server.no_state else ids:
            known = each in server.actuators and each not in server.drop
            if not known and server.backend == 'kos-sim':
                context.abort(grpc.StatusCode.INTERNAL, f"'Joint ID {each} not found'")
            if known:
                states.append(self._state(each))
            elif server.backend == 'kos-zbot':
                states.append(actuator_pb2.ActuatorStateResponse(actuator_id=each, position=0.0))
        return actuator_pb2.GetActuatorsStateResponse(states=states)

    def _state(self, each: int):
        server, actuator = self._server, self._server.actuators[each]
        actuator.move()
        state = actuator_pb2.ActuatorStateResponse(
            actuator_id=each, online=True, position=actuator.position, velocity=0.0
        )
        if server.backend == 'kos-zbot':
            state.online = actuator.torque
        if server.backend == 'kos-kbot':
            state.online = each not in server.offline
            state.torque, state.temperature = 1.0, 30.0
            state.voltage, state.current = 48.0, 0.5
            state.torque_enabled = actuator.torque
            state.kp, state.kd, state.max_torque = actuator.kp, actuator.kd, actuator.max_torque
        state.faults.extend(server.faults.get(each, []))
        return state


class _Imu(imu_pb2_grpc.IMUServiceServicer):
    def __init__(self, server: KosServer) -> None:
        self._server = server

    def GetValues(self, request, context):
        self._server.enter(context)
        x, y, z = self._server.gyro
        answer = imu_pb2.IMUValuesResponse(gyro_x=x, gyro_y=y, gyro_z=z, accel_z=9.81)
        if self._server.imu_error:
            answer.error.code, answer.error.message = 3, 'the bus is gone'
        return answer

    def GetQuaternion(self, request, context):
        self._server.enter(context)
        x, y, z, w = self._server.quaternion
        return imu_pb2.QuaternionResponse(x=x, y=y, z=z, w=w)


def _refusal():
    error = common_pb2.Error(code=3, message='no answer on the bus')
    return common_pb2.ActionResponse(success=False, error=error)


def _result(actuator_id: int, refused: set[int]):
    if actuator_id not in refused:
        return common_pb2.ActionResult(actuator_id=actuator_id, success=True)
    error = common_pb2.Error(code=4, message='bus')
    return common_pb2.ActionResult(actuator_id=actuator_id, success=False, error=error)


def main() -> None:
    """Serve until the process is killed."""
    backend = sys.argv[2] if len(sys.argv) > 2 else 'kos-kbot'
    with KosServer(backend=backend, port=int(sys.argv[1])) as server:
        print(f'serving {backend} on {server.port}', flush=True)
        threading.Event().wait()


if __name__ == '__main__':
    main()
