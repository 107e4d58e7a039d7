"""The messages of Unitree's low level as fixed tables, and their checksum.

All types are final and of fixed size, so that each field stands at a fixed place, and a message is
read without a decoder. It has two layouts: on the wire CDR, which pads before a field that needs
it, and the C struct, which pads behind a struct as well; the checksum is that of the struct.
Source: the types and utils/crc.py of github.com/unitreerobotics/unitree_sdk2_python.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.errors import MessageError

CDR_LITTLE_ENDIAN = b'\x00\x01\x00\x00'
"""Header of a CDR message, before its fields."""
WORD = np.dtype('<u4')

_IMU = [('quaternion', '<f4', 4), ('gyroscope', '<f4', 3), ('accelerometer', '<f4', 3),
        ('rpy', '<f4', 3)]  # fmt: skip
_TARGET = [('mode', 'u1'), ('q', '<f4'), ('dq', '<f4'), ('tau', '<f4'), ('kp', '<f4'),
           ('kd', '<f4')]  # fmt: skip


def _struct(fields: list[Any]) -> 'np.dtype[Any]':
    """Lay out fields as a C compiler does."""
    return np.dtype(fields, align=True)


_HG_MOTOR = _struct([
    ('mode', 'u1'), ('q', '<f4'), ('dq', '<f4'), ('ddq', '<f4'), ('tau_est', '<f4'),
    ('temperature', '<i2', 2), ('vol', '<f4'), ('sensor', '<u4', 2), ('motorstate', '<u4'),
    ('reserve', '<u4', 4),
])  # fmt: skip
_HG_STATE = _struct([
    ('version', '<u4', 2), ('mode_pr', 'u1'), ('mode_machine', 'u1'), ('tick', '<u4'),
    ('imu_state', _struct([*_IMU, ('temperature', '<i2')])), ('motor_state', _HG_MOTOR, 35),
    ('wireless_remote', 'u1', 40), ('reserve', '<u4', 4), ('crc', '<u4'),
])  # fmt: skip
_HG_COMMAND = _struct([
    ('mode_pr', 'u1'), ('mode_machine', 'u1'),
    ('motor_cmd', _struct([*_TARGET, ('reserve', '<u4')]), 35), ('reserve', '<u4', 4),
    ('crc', '<u4'),
])  # fmt: skip
_GO_MOTOR = _struct([
    ('mode', 'u1'), ('q', '<f4'), ('dq', '<f4'), ('ddq', '<f4'), ('tau_est', '<f4'),
    ('q_raw', '<f4'), ('dq_raw', '<f4'), ('ddq_raw', '<f4'), ('temperature', 'u1'),
    ('lost', '<u4'), ('reserve', '<u4', 2),
])  # fmt: skip
_GO_BATTERY = _struct([
    ('version_high', 'u1'), ('version_low', 'u1'), ('status', 'u1'), ('soc', 'u1'),
    ('current', '<i4'), ('cycle', '<u2'), ('bq_ntc', 'u1', 2), ('mcu_ntc', 'u1', 2),
    ('cell_vol', '<u2', 15),
])  # fmt: skip
_GO_HEAD = [('head', 'u1', 2), ('level_flag', 'u1'), ('frame_reserve', 'u1'), ('sn', '<u4', 2),
            ('version', '<u4', 2), ('bandwidth', '<u2')]  # fmt: skip
_GO_STATE = _struct([
    *_GO_HEAD, ('imu_state', _struct([*_IMU, ('temperature', 'u1')])),
    ('motor_state', _GO_MOTOR, 20), ('bms_state', _GO_BATTERY),
    ('foot_force', '<i2', 4), ('foot_force_est', '<i2', 4), ('tick', '<u4'),
    ('wireless_remote', 'u1', 40), ('bit_flag', 'u1'), ('adc_reel', '<f4'),
    ('temperature_ntc1', 'u1'), ('temperature_ntc2', 'u1'), ('power_v', '<f4'),
    ('power_a', '<f4'), ('fan_frequency', '<u2', 4), ('reserve', '<u4'), ('crc', '<u4'),
])  # fmt: skip
_GO_COMMAND = _struct([
    *_GO_HEAD, ('motor_cmd', _struct([*_TARGET, ('reserve', '<u4', 3)]), 20),
    ('bms_cmd', _struct([('off', 'u1'), ('reserve', 'u1', 3)])), ('wireless_remote', 'u1', 40),
    ('led', 'u1', 12), ('fan', 'u1', 2), ('gpio', 'u1'), ('reserve', '<u4'), ('crc', '<u4'),
])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Family:
    """Robots with the same messages."""

    name: str
    """hg or go; the types are those of the package unitree_<name>."""
    state: 'np.dtype[Any]'
    """rt/lowstate."""
    command: 'np.dtype[Any]'
    """rt/lowcmd."""

    @property
    def places(self) -> int:
        """Places for motors in both messages; a robot need not have a motor in each."""
        return int(self.state['motor_state'].shape[0])


HG = Family('hg', _HG_STATE, _HG_COMMAND)
GO = Family('go', _GO_STATE, _GO_COMMAND)
FAMILIES = {family.name: family for family in (HG, GO)}

_REVERSED = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""


def crc32(words: NDArray[Any]) -> int:
    """
    Compute Unitree's CRC-32 of little-endian words: 0x04C11DB7, each from its highest bit.

    zlib's is the same, but reads each byte from its lowest bit, and inverts the result. With bytes
    and bits reversed it does our work in C.
    """
    mirrored = words.byteswap().tobytes().translate(_REVERSED)
    found = zlib.crc32(mirrored) ^ 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, 'little').translate(_REVERSED), 'big')


class Layout:
    """
    Where each byte of a struct stands on the wire.

    :ivar size: bytes on the wire, without the CDR header.
    """

    def __init__(self, kind: 'np.dtype[Any]') -> None:
        self._in_struct: list[int] = []
        self._on_wire: list[int] = []
        self.size = self._place(kind, 0, 0)
        self._struct_index = np.array(self._in_struct, np.intp)
        self._wire_index = np.array(self._on_wire, np.intp)
        # Where each byte of the struct comes from; padding comes from a zero behind the message.
        self._source = np.full(kind.itemsize, self.size, np.intp)
        self._source[self._struct_index] = self._wire_index

    def to_struct(self, wire: bytes, struct: NDArray[Any]) -> None:
        """Copy a message into the bytes of a struct, its padding zero."""
        found = np.frombuffer(wire + b'\0', np.uint8)
        np.take(found, self._source, out=struct, mode='clip')

    def to_wire(self, struct: NDArray[Any]) -> bytes:
        """Return a message, its padding zero."""
        wire = np.zeros(self.size, np.uint8)
        wire[self._wire_index] = struct[self._struct_index]
        return wire.tobytes()

    def _place(self, kind: 'np.dtype[Any]', base: int, wire: int) -> int:
        """Place a struct that begins at `base` in memory and `wire`; return its end there."""
        fields: Any = kind.fields
        for name in fields:
            field, offset = fields[name][:2]
            element, shape = field.subdtype or (field, (1,))
            for index in range(shape[0]):
                start = base + offset + index * element.itemsize
                if element.names:
                    wire = self._place(element, start, wire)
                else:
                    wire += -wire % element.itemsize
                    self._in_struct += range(start, start + element.itemsize)
                    self._on_wire += range(wire, wire + element.itemsize)
                    wire += element.itemsize
        return wire


class StateReader:
    """Reads rt/lowstate of one family."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._layout = Layout(family.state)

    def read(self, data: bytes) -> Any:
        """
        Return a message, which comes without its CDR header, as a record of the family's fields.

        :raises MessageError: it has another size, or its checksum is wrong.
        """
        if len(data) != self._layout.size:
            raise MessageError(
                f'rt/lowstate: found {len(data)} bytes, expected {self._layout.size} '
                f'(unitree_{self._family.name})'
            )
        record = np.zeros(1, self._family.state)
        self._layout.to_struct(data, record.view(np.uint8))
        if crc32(record.view(WORD)[:-1]) != int(record['crc'][0]):
            raise MessageError('rt/lowstate: wrong checksum')
        return record[0]


class CommandWriter:
    """Makes messages on rt/lowcmd of one family."""

    def __init__(self, family: Family) -> None:
        self._layout = Layout(family.command)
        self._record = np.zeros(1, family.command)
        self.fields = self._record[0]
        """The record; `motor_cmd` is an array of all places."""
        if family is GO:
            self.fields['head'] = (0xFE, 0xEF)
            self.fields['level_flag'] = 0xFF  # low level

    def message(self) -> bytes:
        """Return the message with its checksum and CDR header."""
        self.fields['crc'] = crc32(self._record.view(WORD)[:-1])
        return CDR_LITTLE_ENDIAN + self._layout.to_wire(self._record.view(np.uint8))
