"""The DDS types of Unitree's messages, made from the tables; needs cyclonedds.

A message of the low level is handed over as its bytes: cyclonedds' decoder, which is Python, takes
over a millisecond for one, at 500 a second.
"""

from typing import Any

import numpy as np
from cyclonedds import idl
from cyclonedds.idl import annotations
from cyclonedds.idl import types

from kinfer_ros.bridges.unitree.messages import CDR_LITTLE_ENDIAN
from kinfer_ros.bridges.unitree.messages import Family

_NUMBERS = {
    'u1': types.uint8, 'i2': types.int16, 'u2': types.uint16, 'i4': types.int32,
    'u4': types.uint32, 'f4': types.float32,
}  # fmt: skip
_NESTED = {
    'imu_state': 'IMUState_', 'motor_state': 'MotorState_', 'bms_state': 'BmsState_',
    'motor_cmd': 'MotorCmd_', 'bms_cmd': 'BmsCmd_',
}  # fmt: skip
"""Types of the fields that are structs."""


def low_state(family: Family) -> Any:
    """Return the type of rt/lowstate; its samples have `data`, without the CDR header."""
    return _as_bytes(_make(f'unitree_{family.name}', 'LowState_', family.state))


def low_command(family: Family) -> Any:
    """Return the type of rt/lowcmd; its samples have `data`, with the CDR header."""
    return _as_bytes(_make(f'unitree_{family.name}', 'LowCmd_', family.command))


def _struct(name: str, fields: dict[str, Any], package: str = 'unitree_api') -> Any:
    made = idl.make_idl_struct(name, f'{package}.msg.dds_.{name}', fields)
    return annotations.final(annotations.autoid('sequential')(made))


def _make(package: str, name: str, table: 'np.dtype[Any]') -> Any:
    fields = {}
    for field in table.names or ():
        kind = table[field]
        element, shape = kind.subdtype or (kind, ())
        if element.names:
            found = _make(package, _NESTED[field], element)
        else:
            found = _NUMBERS[element.str[1:]]
        fields[field] = types.array[found, shape[0]] if shape else found
    return _struct(name, fields, package)


def _as_bytes(kind: Any) -> Any:
    def serialize(sample: Any, *_: Any, **__: Any) -> bytes:
        return bytes(sample.data)

    def deserialize(cls: Any, data: bytes, *_: Any, **__: Any) -> Any:
        return with_data(cls, data[len(CDR_LITTLE_ENDIAN) :])

    kind.serialize = serialize
    kind.deserialize = classmethod(deserialize)
    return kind


def with_data(kind: Any, data: bytes) -> Any:
    """Make a sample of one of these types from bytes."""
    sample = object.__new__(kind)
    sample.data = data
    return sample


_IDENTITY = _struct('RequestIdentity_', {'id': types.int64, 'api_id': types.int64})
_LEASE = _struct('RequestLease_', {'id': types.int64})
_POLICY = _struct('RequestPolicy_', {'priority': types.int32, 'noreply': bool})
_REQUEST_HEADER = _struct(
    'RequestHeader_', {'identity': _IDENTITY, 'lease': _LEASE, 'policy': _POLICY}
)
_STATUS = _struct('ResponseStatus_', {'code': types.int32})
_RESPONSE_HEADER = _struct('ResponseHeader_', {'identity': _IDENTITY, 'status': _STATUS})
_BINARY = types.sequence[types.uint8]

Request = _struct('Request_', {'header': _REQUEST_HEADER, 'parameter': str, 'binary': _BINARY})
"""A request to a service of the robot; services are pairs of topics."""
Response = _struct('Response_', {'header': _RESPONSE_HEADER, 'data': str, 'binary': _BINARY})
"""Its answer."""


def request(number: int, api_id: int) -> Any:
    """Make a request without arguments."""
    header = _REQUEST_HEADER(_IDENTITY(number, api_id), _LEASE(0), _POLICY(0, False))
    return Request(header, '{}', [])


def response(number: int, api_id: int, code: int, data: str) -> Any:
    """Make an answer."""
    return Response(_RESPONSE_HEADER(_IDENTITY(number, api_id), _STATUS(code)), data, [])
