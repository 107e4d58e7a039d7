"""A small KOS server on pykos' own servicers, which can be told to misbehave.

Its actuators move: each goes a share of the way to its target at every read, as fast as its gains
let it, so that a test sees what a robot would do.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field

import grpc
import grpc.aio
from google.longrunning import operations_pb2
from kos_protos import actuator_pb2
from kos_protos import actuator_pb2_grpc
from kos_protos import common_pb2
from kos_protos import imu_pb2
from kos_protos import imu_pb2_grpc
from kos_protos import sim_pb2_grpc

HOST = '127.0.0.1'
REACH = 40.0
"""1/s; share of the way to the target, at the gains of the robot."""


@dataclass
class Actuator:
    """One motor; degrees, as KOS has them."""

    position: float = 0.0
    velocity: float = 0.0
    target: float | None = None
    kp: float = 0.0
    kd: float = 0.0
    max_torque: float = 0.0
    torque_on: bool = False
    faults: list[str] = field(default_factory=list)
    configured: list[dict[str, float]] = field(default_factory=list)
    """Every configuration, in order."""


@dataclass
class Moods:
    """How the server misbehaves; all can be changed while it runs."""

    hang: bool = False
    """Answer nothing until this is False again."""
    fail: str = ''
    """Fail every call INTERNAL with this text."""
    delay: float = 0.0
    """s, before each answer to a read."""
    dropped: set[int] = field(default_factory=set)
    """Actuators that are left out, as in kos-kbot."""
    offline: set[int] = field(default_factory=set)
    """Actuators that are online=false with position 0, as in kos-zbot."""
    online_is_torque: bool = False
    """`online` says whether the torque is on, as in kos-zbot."""
    empty: bool = False
    """Answer with no states at all."""
    refused: set[int] = field(default_factory=set)
    """Actuators that refuse commands and configurations."""
    stuck_off: set[int] = field(default_factory=set)
    """Actuators whose torque does not go on."""
    degrees: bool = False
    """The gyro gives degrees a second."""
    zero_quaternion: bool = False
    imu_error: str = ''
    nan: bool = False
    """The first actuator's position is NaN."""
    tells: bool = True
    """States have torque, temperature, voltage and gains."""
    zeroes: bool = True
    """It does the zeroing that it takes; kos-sim does not."""
    calibrates: bool = True
    """A calibration starts something; kos-kbot answers with an empty operation."""
    zero_gains: bool = True
    """A configuration without kp and kd sets both to 0, as in kos-kbot."""


class KosServer:
    """
    A server on a thread of its own, on loopback; used as a context.

    :param ids: its actuators.
    :param credentials: for TLS.
    """

    def __init__(
        self,
        ids: tuple[int, ...],
        port: int = 0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._credentials = credentials
        self.actuators = {each: Actuator() for each in ids}
        self.moods = Moods()
        self.port = port
        self.commands: list[dict[int, float | None]] = []
        """Every CommandActuators, in order: position by id."""
        self.resets: list[tuple[float, float]] = []
        """Of each reset of the simulation, the height and the real part of the orientation."""
        self.yaw = 0.0
        """deg, of the IMU."""
        self.calls: list[str] = []
        """What was called, in the order of arrival."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: grpc.aio.Server | None = None

    def __enter__(self) -> KosServer:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    def start(self) -> None:
        """Listen; on the same port again after a `stop`."""
        self._run(self._start())

    def stop(self) -> None:
        """Stop listening, at once; the actuators stay as they are."""
        self.moods.hang = False
        if self._server is not None:
            self._run(self._server.stop(None))
            self._server = None

    def _run(self, work) -> object:
        done: Future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(10.0)

    async def _start(self) -> None:
        self._server = grpc.aio.server()
        actuator_pb2_grpc.add_ActuatorServiceServicer_to_server(_Actuators(self), self._server)
        imu_pb2_grpc.add_IMUServiceServicer_to_server(_Imu(self), self._server)
        sim_pb2_grpc.add_SimulationServiceServicer_to_server(_Simulation(self), self._server)
        address = f'{HOST}:{self.port}'
        if self._credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self._credentials)
        await self._server.start()

    async def admit(self, name: str, context: grpc.aio.ServicerContext) -> None:
        """Note a call, and hang or fail where that is the mood."""
        self.calls.append(name)
        while self.moods.hang:
            await asyncio.sleep(0.005)
        if self.moods.fail:
            await context.abort(grpc.StatusCode.INTERNAL, self.moods.fail)


class _Actuators(actuator_pb2_grpc.ActuatorServiceServicer):
    def __init__(self, server: KosServer) -> None:
        self.server = server
        self.moved = time.monotonic()

    async def CommandActuators(self, request, context):
        """Take targets; one without a position is a target of 0, as in every backend."""
        server = self.server
        await server.admit('command', context)
        taken = {
            each.actuator_id: each.position if each.HasField('position') else None
            for each in request.commands
        }
        server.commands.append(taken)
        results = []
        for each, position in taken.items():
            refused = each in server.moods.refused or each not in server.actuators
            if not refused:
                server.actuators[each].target = position or 0.0
            result = common_pb2.ActionResult(actuator_id=each, success=not refused)
            if refused:
                result.error.CopyFrom(_error(3, 'overload'))
            results.append(result)
        return actuator_pb2.CommandActuatorsResponse(results=results)

    async def ConfigureActuator(self, request, context):
        """Take gains and torque."""
        server = self.server
        await server.admit('configure', context)
        actuator = server.actuators.get(request.actuator_id)
        if actuator is None or request.actuator_id in server.moods.refused:
            return common_pb2.ActionResponse(success=False, error=_error(2, 'no such actuator'))
        given = {f.name: v for f, v in request.ListFields() if f.name != 'actuator_id'}
        zeros = [name for name in ('kp', 'kd', 'torque_enabled') if request.HasField(name)]
        given |= {name: getattr(request, name) for name in zeros}  # which ListFields leaves out
        actuator.configured.append(given)
        if server.moods.zero_gains:
            given = {'kp': 0.0, 'kd': 0.0} | given
        actuator.kp, actuator.kd = given.get('kp', actuator.kp), given.get('kd', actuator.kd)
        actuator.max_torque = given.get('max_torque', actuator.max_torque)
        if 'torque_enabled' in given and request.actuator_id not in server.moods.stuck_off:
            actuator.torque_on = bool(given['torque_enabled'])
        if request.zero_position and server.moods.zeroes:
            actuator.position = 0.0
        return common_pb2.ActionResponse(success=True)

    async def CalibrateActuator(self, request, context):
        """Start something, or nothing."""
        await self.server.admit('calibrate', context)
        started = self.server.moods.calibrates
        return operations_pb2.Operation(name='operations/calibrate/34' if started else '')

    async def ParameterDump(self, request, context):
        """Tell two registers of each actuator that answers."""
        await self.server.admit('parameters', context)
        entries = []
        for each in request.actuator_ids:
            if each in self.server.actuators and each not in self.server.moods.dropped:
                entry = actuator_pb2.ParameterDumpEntry(actuator_id=each)
                entry.parameters.update({'Firmware': 3.0, 'Mode\x1b[2J': 'position'})
                entries.append(entry)
        return actuator_pb2.ParameterDumpResponse(entries=entries)

    async def GetActuatorsState(self, request, context):
        """Tell the states, after moving on."""
        server, moods = self.server, self.server.moods
        await server.admit('state', context)
        if moods.delay:
            await asyncio.sleep(moods.delay)
        self._move()
        if moods.empty:
            return actuator_pb2.GetActuatorsStateResponse()
        ids = [each for each in request.actuator_ids if each in server.actuators]
        states = [self._state(each) for each in ids if each not in moods.dropped]
        if moods.nan and states:
            states[0].position = math.nan
        return actuator_pb2.GetActuatorsStateResponse(states=states)

    def _move(self) -> None:
        now = time.monotonic()
        share = min(1.0, REACH * (now - self.moved))
        self.moved = now
        for actuator in self.server.actuators.values():
            if actuator.torque_on and actuator.target is not None and actuator.kp > 0.0:
                actuator.position += share * (actuator.target - actuator.position)

    def _state(self, each: int) -> actuator_pb2.ActuatorStateResponse:
        actuator, moods = self.server.actuators[each], self.server.moods
        if each in moods.offline:
            return actuator_pb2.ActuatorStateResponse(actuator_id=each, online=False, position=0.0)
        state = actuator_pb2.ActuatorStateResponse(
            actuator_id=each,
            online=actuator.torque_on if moods.online_is_torque else True,
            position=actuator.position,
            velocity=actuator.velocity,
            faults=actuator.faults,
        )
        if moods.tells:
            state.torque, state.temperature, state.voltage, state.current = 1.5, 41.0, 48.0, 0.5
            state.kp, state.kd, state.max_torque = actuator.kp, actuator.kd, actuator.max_torque
            state.torque_enabled = actuator.torque_on
        return state


class _Imu(imu_pb2_grpc.IMUServiceServicer):
    def __init__(self, server: KosServer) -> None:
        self.server = server

    async def GetValues(self, request, context):
        """A turn of 0.1 rad/s about z, gravity on z."""
        moods = self.server.moods
        await self.server.admit('imu', context)
        if moods.delay:
            await asyncio.sleep(moods.delay)
        # The numbers of a real sensor never stand still.
        noise = 1e-4 * math.sin(1000.0 * time.monotonic())
        rate = math.degrees(0.1) if moods.degrees else 0.1
        answer = imu_pb2.IMUValuesResponse(accel_z=9.81 + noise, gyro_x=noise, gyro_z=rate)
        if moods.imu_error:
            answer.error.CopyFrom(_error(4, moods.imu_error))
        return answer

    async def GetQuaternion(self, request, context):
        """Upright, or nothing yet."""
        await self.server.admit('quaternion', context)
        if self.server.moods.zero_quaternion:
            return imu_pb2.QuaternionResponse()
        half = math.radians(self.server.yaw) / 2
        return imu_pb2.QuaternionResponse(w=math.cos(half), z=math.sin(half))

    async def Zero(self, request, context):
        """Take the present yaw for none."""
        await self.server.admit(f'zero imu {request.duration.ToNanoseconds()}', context)
        self.server.yaw = 0.0
        return common_pb2.ActionResponse(success=True)

    async def Calibrate(self, request, context):
        """Be done at once, as kos-kbot."""
        await self.server.admit('calibrate imu', context)
        return operations_pb2.Operation(name='operations/calibrate_imu/0', done=True)


class _Simulation(sim_pb2_grpc.SimulationServiceServicer):
    def __init__(self, server: KosServer) -> None:
        self.server = server

    async def Reset(self, request, context):
        """Note where to; kos-sim takes what is left out as zeros."""
        await self.server.admit('reset', context)
        self.server.resets.append((request.pos.z, request.quat.w))
        return common_pb2.ActionResponse(success=True)

    async def SetPaused(self, request, context):
        """Note it."""
        await self.server.admit(f'paused {request.paused}', context)
        return common_pb2.ActionResponse(success=True)

    async def Step(self, request, context):
        """Refuse it."""
        await self.server.admit(f'step {request.num_steps}', context)
        return common_pb2.ActionResponse(success=False, error=_error(1, 'not here'))


def _error(code: int, text: str) -> common_pb2.Error:
    return common_pb2.Error(code=code, message=text)


def main() -> None:
    """Serve the actuators with the given ids on a free port, which is printed, until EOF."""
    with KosServer(tuple(int(word) for word in sys.argv[1:])) as server:
        server.moods.zero_gains = False
        print(server.port, flush=True)
        sys.stdin.read()


if __name__ == '__main__':
    main()
