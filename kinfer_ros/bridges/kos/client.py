"""Calls to a KOS server: each has a deadline, and each failure becomes a message.

pykos' own client has no deadlines (it waits for ever for a stopped server), no TLS, and patches
the asyncio of the whole process. So only its stubs are used. grpc and pykos are imported when a
client is made: the package works without them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinfer_ros.bridges.kos.errors import format_error
from kinfer_ros.bridges.kos.errors import format_rpc_error
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import check_connection
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError

CHANNEL_OPTIONS = (
    # Connect to the named host only: ignore proxies of the environment and DNS service records.
    ('grpc.enable_http_proxy', 0),
    ('grpc.service_config_disable_resolution', 1),
    ('grpc.initial_reconnect_backoff_ms', 200),
    ('grpc.min_reconnect_backoff_ms', 200),
    ('grpc.max_reconnect_backoff_ms', 2000),
    ('grpc.max_receive_message_length', 1 << 20),
)


@dataclass
class Reading:
    """Result of one read of actuators and IMU; a part that failed is None, with the reason."""

    sent_ns: int
    """Steady clock at the requests: no part of the reading is older."""
    states: Any = None
    """kos.actuator.ActuatorStateResponse of each actuator in the answer."""
    values: Any = None
    """kos.imu.IMUValuesResponse."""
    quaternion: Any = None
    """kos.imu.QuaternionResponse."""
    states_problem: str = ''
    imu_problem: str = ''


def load_protocol() -> tuple[Any, Any, Any, Any]:
    """
    Import gRPC and the protocol: grpc, actuator messages, actuator stub, IMU stub.

    :raises ConfigError: they are not installed.
    """
    try:
        import grpc
        import grpc.aio
        from kos_protos import actuator_pb2
        from kos_protos.actuator_pb2_grpc import ActuatorServiceStub
        from kos_protos.imu_pb2_grpc import IMUServiceStub
    except (ImportError, RuntimeError) as error:  # the stubs refuse an old grpcio so
        raise ConfigError(
            f'the KOS bridge needs pykos and grpcio ({error}): install them with `python -m pip '
            'install -r requirements/kos.txt`, or `python -m pip install pykos==0.7.10`'
        ) from None
    return grpc, actuator_pb2, ActuatorServiceStub, IMUServiceStub


def make_channel(grpc: Any, connection: Connection) -> Any:
    """
    Open a channel to the named host.

    :raises ConfigError: a TLS file cannot be read.
    """
    options: list[tuple[str, Any]] = list(CHANNEL_OPTIONS)
    if not connection.tls:
        return grpc.aio.insecure_channel(connection.address, options=options)
    if connection.tls_name:
        options.append(('grpc.ssl_target_name_override', connection.tls_name))
    try:
        files = [
            path.expanduser().read_bytes() if path else None
            for path in (connection.ca_file, connection.key_file, connection.cert_file)
        ]
    except OSError as error:
        raise ConfigError(f'TLS file {error.filename}: cannot be read: {error.strerror}') from None
    credentials = grpc.ssl_channel_credentials(*files)
    return grpc.aio.secure_channel(connection.address, credentials, options=options)


class KosClient:
    """
    One connection to a KOS server; made and used on one asyncio loop.

    :param ids: the actuators that are read and commanded, in the order of all arrays here.
    :raises ConfigError: the connection is invalid, or pykos is not installed.
    """

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        check_connection(connection)
        self._grpc, self._messages, actuators, imu = load_protocol()
        from google.protobuf.empty_pb2 import Empty

        self.connection = connection
        self._ids = list(ids)
        self._channel = make_channel(self._grpc, connection)
        self._actuators = actuators(self._channel)
        imu_stub = imu(self._channel)
        self._get_states = self._actuators.GetActuatorsState
        self._get_values = imu_stub.GetValues
        self._get_quaternion = imu_stub.GetQuaternion
        self._empty = Empty()
        self._all = self._messages.GetActuatorsStateRequest(actuator_ids=self._ids)
        self._request = self._messages.CommandActuatorsRequest(
            commands=[self._messages.ActuatorCommand(actuator_id=each) for each in self._ids]
        )
        self._targets = list(self._request.commands)

    async def close(self) -> None:
        """Close the connection and cancel its calls."""
        await self._channel.close(0)

    async def read(self) -> Reading:
        """Read all actuators and the IMU with three concurrent calls."""
        timeout = self.connection.timeout
        reading = Reading(time.monotonic_ns())
        states = self._get_states(self._all, timeout=timeout)
        values = self._get_values(self._empty, timeout=timeout)
        quaternion = self._get_quaternion(self._empty, timeout=timeout)
        try:
            reading.states = (await self._wait(states, 'reading the actuators')).states
        except BridgeError as error:
            reading.states_problem = str(error)
        try:
            reading.values = await self._wait(values, 'reading the IMU')
            reading.quaternion = await self._wait(quaternion, 'reading the IMU')
        except BridgeError as error:
            quaternion.cancel()
            reading.imu_problem = str(error)
        else:
            reading.imu_problem = _format_imu_error(reading)
        return reading

    async def states_of(self, ids: Sequence[int]) -> Any:
        """
        Read some actuators; without ids, those that the server chooses.

        :raises BridgeError: the call failed.
        """
        request = self._messages.GetActuatorsStateRequest(actuator_ids=ids)
        call = self._get_states(request, timeout=self.connection.timeout)
        return (await self._wait(call, 'reading the actuators')).states

    async def command(self, degrees: Sequence[float]) -> list[tuple[int, str]]:
        """
        Send a target to every actuator; one such call at a time.

        :param degrees: [N], finite. A position is never left out: KOS would take it as 0.
        :return: ids of actuators that refused, each with the reason.
        :raises BridgeError: the call failed.
        """
        for target, value in zip(self._targets, degrees, strict=True):
            target.position = value
        call = self._actuators.CommandActuators(self._request, timeout=self.connection.timeout)
        answer = await self._wait(call, 'commanding the actuators')
        return [
            (result.actuator_id, format_error(result.error))
            for result in answer.results
            if not result.success
        ]

    async def configure(
        self,
        actuator_id: int,
        kp: float,
        kd: float,
        max_torque: float,
        torque_enabled: bool | None = None,
    ) -> None:
        """
        Set gains and torque limit of one actuator, and switch its torque if that is not None.

        kp and kd are always sent together: kos-kbot sets those that are left out to 0.

        :raises BridgeError: the call failed, or the server refused.
        """
        request = self._messages.ConfigureActuatorRequest(
            actuator_id=actuator_id,
            kp=kp,
            kd=kd,
            max_torque=max_torque,
            torque_enabled=torque_enabled,
        )
        seconds = self.connection.configure_timeout
        call = self._actuators.ConfigureActuator(request, timeout=seconds)
        answer = await self._wait(call, 'configuring', seconds)
        if not answer.success:
            raise BridgeError(f'refused: {format_error(answer.error)}')

    async def _wait(self, call: Any, what: str, seconds: float | None = None) -> Any:
        """Return the answer of a call with this deadline; :raises BridgeError: it failed."""
        try:
            return await call
        except self._grpc.RpcError as error:
            address, deadline = self.connection.address, seconds or self.connection.timeout
            raise BridgeError(format_rpc_error(error, what, address, deadline)) from None


def _format_imu_error(reading: Reading) -> str:
    """Return the error that the IMU's answers report, or ''."""
    for answer in (reading.values, reading.quaternion):
        if answer.HasField('error'):
            return f'the IMU reports: {format_error(answer.error)}'
    return ''
