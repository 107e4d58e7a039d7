"""Rare calls to a KOS server: zero and calibrate, parameters, its simulation.

They are asked for by a person, one at a time, with nothing else connected. Several servers answer
some of them with success and do nothing: the caller looks at what has changed.
"""

from collections.abc import Sequence
from typing import Any

from kinfer_ros.bridges.kos.client import load_protocol
from kinfer_ros.bridges.kos.client import make_channel
from kinfer_ros.bridges.kos.errors import format_error
from kinfer_ros.bridges.kos.errors import format_rpc_error
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.errors import BridgeError

SLOW_S = 10.0
"""Deadline of what is written into an actuator or measured by the IMU."""


class KosUpkeep:
    """
    One connection to a KOS server; made and used on one asyncio loop.

    Every call raises BridgeError where the server does not offer it, refuses it, or is silent.

    :raises ConfigError: the connection is invalid, or pykos is not installed.
    """

    def __init__(self, connection: Connection) -> None:
        check_connection(connection)
        self._grpc, self._actuator, actuators, imu = load_protocol()
        from google.protobuf.duration_pb2 import Duration
        from google.protobuf.empty_pb2 import Empty
        from kos_protos import imu_pb2
        from kos_protos import sim_pb2
        from kos_protos.sim_pb2_grpc import SimulationServiceStub

        self.connection = connection
        self._channel = make_channel(self._grpc, connection)
        self._actuators, self._imu = actuators(self._channel), imu(self._channel)
        self._simulation = SimulationServiceStub(self._channel)
        self._imu_messages, self._sim_messages = imu_pb2, sim_pb2
        self._empty, self._duration = Empty(), Duration

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close(0)

    async def states(self, ids: Sequence[int]) -> dict[int, Any]:
        """Return the kos.actuator.ActuatorStateResponse of each actuator that answers, by id."""
        request = self._actuator.GetActuatorsStateRequest(actuator_ids=ids)
        answer = await self._call(self._actuators.GetActuatorsState, request, 'reading')
        return {state.actuator_id: state for state in answer.states}

    async def zero_actuator(self, actuator_id: int) -> None:
        """Switch the torque of an actuator off, and make its present position its zero."""
        request = self._actuator.ConfigureActuatorRequest(
            actuator_id=actuator_id, torque_enabled=False, zero_position=True
        )
        await self._done(self._actuators.ConfigureActuator, request, 'zeroing', SLOW_S)

    async def calibrate_actuator(self, actuator_id: int) -> str:
        """Start the server's calibration of an actuator; :return: what it says of it."""
        request = self._actuator.CalibrateActuatorRequest(actuator_id=actuator_id)
        answer = await self._call(
            self._actuators.CalibrateActuator, request, 'calibrating', SLOW_S
        )
        return _describe(answer)

    async def parameters(self, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return what each actuator that answers has in its registers, by id."""
        from google.protobuf.json_format import MessageToDict

        request = self._actuator.ParameterDumpRequest(actuator_ids=ids)
        answer = await self._call(
            self._actuators.ParameterDump, request, 'reading parameters', SLOW_S
        )
        return {each.actuator_id: MessageToDict(each.parameters) for each in answer.entries}

    async def quaternion(self) -> tuple[float, float, float, float]:
        """Return the orientation of the IMU, w x y z."""
        answer = await self._call(self._imu.GetQuaternion, self._empty, 'reading the IMU')
        return answer.w, answer.x, answer.y, answer.z

    async def zero_imu(self, seconds: float) -> None:
        """Zero the IMU, which the server may do for this time."""
        duration = self._duration()
        duration.FromNanoseconds(round(seconds * 1e9))
        request = self._imu_messages.ZeroIMURequest(duration=duration)
        await self._done(self._imu.Zero, request, 'zeroing the IMU', seconds + SLOW_S)

    async def calibrate_imu(self) -> str:
        """Start the calibration of the IMU; :return: what the server says of it."""
        answer = await self._call(self._imu.Calibrate, self._empty, 'calibrating', SLOW_S)
        return _describe(answer)

    async def calibration_state(self) -> dict[str, int]:
        """Return how far each sensor of the IMU is calibrated, as the server counts it."""
        request = self._imu_messages.GetCalibrationStateRequest()
        answer = await self._call(self._imu.GetCalibrationState, request, 'reading the IMU')
        if answer.HasField('error'):
            raise BridgeError(f'reading the IMU: {format_error(answer.error)}')
        return dict(answer.state)

    async def reset_simulation(self, height: float) -> None:
        """Put the simulated base upright at this height (m); the joints go to zero."""
        messages = self._sim_messages
        # Not left out: kos-sim takes a missing position as (0, 0, 0), and a missing orientation
        # as four zeros.
        request = messages.ResetRequest(
            pos=messages.StartingPosition(z=height), quat=messages.StartingQuaternion(w=1.0)
        )
        await self._done(self._simulation.Reset, request, 'resetting the simulation')

    async def pause_simulation(self, on: bool) -> None:
        """Pause the simulation, or let it go on."""
        request = self._sim_messages.SetPausedRequest(paused=on)
        await self._done(self._simulation.SetPaused, request, 'pausing the simulation')

    async def step_simulation(self, steps: int) -> None:
        """Make this many physics steps of a paused simulation."""
        request = self._sim_messages.StepRequest(num_steps=steps)
        await self._done(self._simulation.Step, request, 'stepping the simulation')

    async def _done(
        self, method: Any, request: Any, what: str, seconds: float | None = None
    ) -> None:
        answer = await self._call(method, request, what, seconds)
        if not answer.success:
            raise BridgeError(f'{what}: refused: {format_error(answer.error)}')

    async def _call(
        self, method: Any, request: Any, what: str, seconds: float | None = None
    ) -> Any:
        deadline, address = seconds or self.connection.timeout, self.connection.address
        try:
            return await method(request, timeout=deadline)
        except self._grpc.RpcError as error:
            if error.code().name == 'UNIMPLEMENTED':
                raise BridgeError(f'{what}: the server at {address} does not offer it') from None
            raise BridgeError(format_rpc_error(error, what, address, deadline)) from None


def _describe(operation: Any) -> str:
    """Say what a google.longrunning.Operation says; kos-kbot answers with an empty one."""
    if operation.HasField('error'):
        return f'failed: {operation.error.message}'
    if operation.done:
        return 'the server says that it is done'
    if operation.name:
        return f'started: {operation.name}'
    return 'the server started nothing'
