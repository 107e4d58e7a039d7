"""A ring of preallocated records between the control tick and the thread that writes the log.

The tick never waits for the disk: if the ring is full, a record is dropped and counted. One thread
produces (claim, publish), one consumes (first, release). There is no lock: each side writes one
counter that the other only reads.
"""

import struct
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float32


class StepRing:
    """
    A bounded single-producer, single-consumer ring of records, preallocated.

    `f32[name]` is a float32 array (capacity, size), `i64[name]` an int64 array (capacity,) and
    `obj[name]` a list of `capacity` objects. A claimed slot has all `i64` 0 and all `obj` None;
    its `f32` rows have old values.
    """

    def __init__(
        self,
        capacity: int,
        fields: Mapping[str, int],
        scalars: Sequence[str] = (),
        objects: Sequence[str] = (),
        partial: Sequence[str] = (),
    ) -> None:
        """
        Allocate the ring.

        :param fields: number of values of each float32 field.
        :param scalars: names of the int64 fields.
        :param objects: names of the object fields.
        :param partial: those of `fields` in which a number that is not finite is no value.
        :raises ValueError: a capacity below 1 or a negative size.
        """
        if capacity < 1:
            raise ValueError(f'a ring holds at least one record, not {capacity}')
        if any(size < 0 for size in fields.values()):
            raise ValueError(f'a field cannot have a negative size: {dict(fields)}')
        self.capacity = capacity
        # One block for the float fields: one check of its row finds a number that is not finite.
        whole = {name: size for name, size in fields.items() if name not in partial}
        self.block, self.f32 = _float_block(capacity, whole)
        rest = {name: size for name, size in fields.items() if name in partial}
        self.f32 |= _float_block(capacity, rest)[1]
        # One block: a record's scalars are in one or two cache lines.
        self._scalars: npt.NDArray[np.int64] = np.zeros((capacity, len(scalars)), dtype=np.int64)
        self._pack_scalars = struct.Struct(f'={len(scalars)}q').pack_into
        self.i64 = {name: self._scalars[:, place] for place, name in enumerate(scalars)}
        self.obj: dict[str, list[object]] = {name: [None] * capacity for name in objects}
        self.dropped = 0
        self.closed = False
        self._head = 0
        self._tail = 0

    def __len__(self) -> int:
        """Return the number of published records."""
        return self._head - self._tail

    def claim(self) -> int:
        """
        Producer: return the slot to fill, or -1 (and count in `dropped`) if full or closed.

        A claimed slot that is not published is claimed again by the next call.
        """
        head = self._head
        if self.closed or head - self._tail >= self.capacity:
            self.dropped += 1
            return -1
        return head % self.capacity

    def set_scalars(self, slot: int, *values: int) -> None:
        """Producer: set all int64 fields of a slot, in their order, with one copy."""
        self._pack_scalars(self._scalars.data, slot * self._scalars.strides[0], *values)

    def publish(self) -> None:
        """Producer: publish the slot of the last successful claim()."""
        self._head += 1

    def first(self) -> int:
        """Consumer: return the slot of the oldest published record, or -1."""
        return -1 if self._tail == self._head else self._tail % self.capacity

    def release(self) -> None:
        """Consumer: clear and release the slot of first()."""
        slot = self._tail % self.capacity
        self._scalars[slot] = 0
        for objects in self.obj.values():
            objects[slot] = None
        self._tail += 1

    def close(self) -> None:
        """Consumer: drop, and count, every further record."""
        self.closed = True


def _float_block(capacity: int, fields: Mapping[str, int]) -> tuple[Float32, dict[str, Float32]]:
    """Return one array [capacity, sum of sizes], and its columns by field."""
    block: Float32 = np.zeros((capacity, sum(fields.values())), dtype=np.float32)
    columns: dict[str, Float32] = {}
    at = 0
    for name, size in fields.items():
        columns[name] = block[:, at : at + size]
        at += size
    return block, columns
