"""In the environment of Unitree's SDK: our bytes and checksums of random messages are its own.

Prints how many messages were compared; a difference is an AssertionError.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from unitree_sdk2py.idl import default
from unitree_sdk2py.utils.crc import CRC

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kinfer_ros.bridges.unitree import dds_types
from kinfer_ros.bridges.unitree.messages import CDR_LITTLE_ENDIAN
from kinfer_ros.bridges.unitree.messages import FAMILIES
from kinfer_ros.bridges.unitree.messages import WORD
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.messages import crc32

NAMES = {'state': 'LowState_', 'command': 'LowCmd_'}


def fill(target: Any, record: Any) -> None:
    """Copy a record of our table into a message of the SDK, field by field."""
    for name in record.dtype.names:
        value = record[name]
        if value.dtype.names and value.shape:
            for part, row in zip(getattr(target, name), value, strict=True):
                fill(part, row)
        elif value.dtype.names:
            fill(getattr(target, name), value)
        else:
            setattr(target, name, value.tolist())


def random_record(table: Any) -> np.ndarray:
    """A message with random numbers in every field; floats are finite."""
    layout, record = Layout(table), np.zeros(1, table)
    layout.to_struct(random.randbytes(layout.size), record.view(np.uint8))
    for array in _fields(record):
        if array.dtype.kind == 'f':
            array[...] = np.random.default_rng(random.getrandbits(32)).normal(size=array.shape)
        elif array.dtype.itemsize < 4:
            array >>= 1  # for its checksum the SDK packs some unsigned numbers as signed ones
    return record


def _fields(record: np.ndarray) -> Any:
    for name in record.dtype.names:
        part = record[name]
        if part.dtype.names:
            yield from _fields(part)
        else:
            yield part


def main(count: int) -> None:
    """Compare so many messages of each of the four types."""
    random.seed(1)
    crc = CRC()
    for family in FAMILIES.values():
        for attribute, name in NAMES.items():
            table = getattr(family, attribute)
            layout = Layout(table)
            message = getattr(default, f'unitree_{family.name}_msg_dds__{name}')()
            ours = getattr(dds_types, f'low_{attribute}')(family)
            ours.__idl__.populate()
            message.__idl__.populate()
            assert ours.__idl__._xt_bytedata == message.__idl__._xt_bytedata, 'another type'
            for _ in range(count):
                record = random_record(table)
                fill(message, record[0])
                record['crc'] = crc32(record.view(WORD)[:-1])
                assert int(record['crc'][0]) == crc.Crc(message), name
                message.crc = int(record['crc'][0])
                wire = CDR_LITTLE_ENDIAN + layout.to_wire(record.view(np.uint8))
                assert wire == message.serialize(), name
    print(f'{4 * count} messages are the same')


if __name__ == '__main__':
    main(int(sys.argv[1]))
