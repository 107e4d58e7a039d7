"""Unitree's messages as tables: held to bytes and checksums that the vendor's SDK has made."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.bridges.unitree.messages import CDR_LITTLE_ENDIAN
from kinfer_ros.bridges.unitree.messages import FAMILIES
from kinfer_ros.bridges.unitree.messages import GO
from kinfer_ros.bridges.unitree.messages import HG
from kinfer_ros.bridges.unitree.messages import WORD
from kinfer_ros.bridges.unitree.messages import CommandWriter
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.messages import StateReader
from kinfer_ros.bridges.unitree.messages import crc32
from kinfer_ros.errors import MessageError

families = pytest.mark.parametrize('family', FAMILIES.values(), ids=lambda family: family.name)


def state(family, **fields) -> np.ndarray:
    """Make a state with some fields, and its checksum."""
    record = np.zeros(1, family.state)
    for name, value in fields.items():
        record[name] = value
    record['crc'] = crc32(record.view(WORD)[:-1])
    return record


def wire(family, record: np.ndarray) -> bytes:
    """Return its bytes on the wire, without the CDR header."""
    return Layout(family.state).to_wire(record.view(np.uint8))


def crc_by_definition(words: list[int]) -> int:
    """Bit by bit, as the vendor's SDK does it in Python."""
    crc = 0xFFFFFFFF
    for word in words:
        for bit in range(31, -1, -1):
            top = crc >> 31 ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if top else 0)
    return crc


def test_sizes_are_those_of_the_sdk():
    """Of the C structs, over which the checksum goes, and on the wire with the CDR header."""
    structs = [(f.state.itemsize, f.command.itemsize) for f in (HG, GO)]
    assert structs == [(2092, 1004), (1180, 812)]
    sizes = [(4 + Layout(f.state).size, 4 + Layout(f.command).size) for f in (HG, GO)]
    assert sizes == [(2092, 1004), (1180, 812)]
    assert (HG.places, GO.places) == (35, 20)


@settings(deadline=None)
@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=8))
def test_the_checksum_is_that_of_the_definition(words):
    """Zlib's CRC, mirrored: the same for every input."""
    assert crc32(np.array(words, WORD)) == crc_by_definition(words)


@pytest.mark.parametrize(
    ('family', 'crc', 'digest'), [(HG, 0x5A981D8E, 0x8BD7C83), (GO, 0x472BCC3F, 0x2BA3C687)]
)
def test_commands_are_the_bytes_of_the_sdk(family, crc, digest):
    """A command of every motor, compared with what the SDK serialises, by checksum."""
    writer = CommandWriter(family)
    motors = writer.fields['motor_cmd']
    place = np.arange(family.places)
    motors['mode'], motors['q'], motors['kp'], motors['kd'] = 1, place / 8, place, 0.5
    if family is HG:
        writer.fields['mode_machine'] = 5
    message = writer.message()
    assert int(writer.fields['crc']) == crc
    assert message.startswith(CDR_LITTLE_ENDIAN)
    assert zlib.crc32(message) == digest


@pytest.mark.parametrize(
    ('family', 'crc', 'digest'), [(HG, 0xAD8C4AB2, 0x7D01FE2E), (GO, 0x148DBD3F, 0x302B7A4F)]
)
def test_states_are_the_bytes_of_the_sdk(family, crc, digest):
    """A state of every motor, remote and battery, compared with what the SDK serialises."""
    record = np.zeros(1, family.state)
    motors, place = record['motor_state'], np.arange(family.places)
    motors['q'], motors['dq'], motors['tau_est'] = place / 8, -place / 4, place
    record['tick'], record['wireless_remote'] = 77, np.arange(40)
    record['imu_state']['temperature'] = 41
    record['imu_state']['quaternion'] = (1, 0, 0, 0)
    if family is HG:
        record['mode_machine'] = 5
        motors['temperature'][..., 0], motors['temperature'][..., 1] = 30, place
        motors['vol'] = 48.0
    else:
        motors['temperature'] = place
        record['bms_state']['soc'], record['bms_state']['current'] = 87, -1500
        record['power_v'] = 29.5
    record['crc'] = crc32(record.view(WORD)[:-1])
    assert int(record['crc'][0]) == crc
    assert zlib.crc32(CDR_LITTLE_ENDIAN + wire(family, record)) == digest


@families
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_states_come_back_as_they_were(family, seed):
    """Every field of a state, whatever its value."""
    record = np.zeros(1, family.state)
    random = np.random.default_rng(seed)
    layout = Layout(family.state)
    layout.to_struct(random.bytes(layout.size), record.view(np.uint8))
    record['crc'] = crc32(record.view(WORD)[:-1])
    found = StateReader(family).read(wire(family, record))
    assert found.tobytes() == record.tobytes()


@families
@settings(deadline=None)
@given(data=st.data())
def test_a_changed_bit_is_refused(family, data):
    """Whichever of a message it is."""
    message = bytearray(wire(family, state(family, tick=5)))
    used = np.zeros(len(message), bool)
    used[Layout(family.state)._wire_index] = True
    at = data.draw(st.sampled_from(np.flatnonzero(used).tolist()))
    message[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MessageError, match='wrong checksum'):
        StateReader(family).read(bytes(message))


@families
def test_what_stands_in_the_padding_does_not_count(family):
    """A robot's program need not clear it, and the checksum takes it as zero."""
    message = np.frombuffer(wire(family, state(family, tick=5)), np.uint8).copy()
    padding = np.ones(len(message), bool)
    padding[Layout(family.state)._wire_index] = False
    message[padding] = 0xAB
    assert StateReader(family).read(message.tobytes())['tick'] == 5


@families
def test_another_size_is_refused(family):
    """One line, with what was found and expected."""
    with pytest.raises(MessageError, match=r'found 8 bytes, expected \d+ \(unitree_'):
        StateReader(family).read(bytes(8))
