"""A ring of preallocated records between the control tick and the thread that writes the log.

The tick never waits for the disk: if the ring is full, a record is dropped and counted. One thread
produces (claim, publish), one consumes (first, release). There is no lock: each side writes one
counter that the other only reads.
"""

import struct
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float32


class StepRing:
    """
    A bounded single-producer, single-consumer ring of records, preallocated.

    `f32[name]` is a float32 array (capacity, size), `i64[name]` an int64 array (capacity,) and
    `obj[name]` a list of `capacity` objects. A claimed slot has all `i64` 0 and all `obj` None;
    its `f32` rows have old values.

    :ivar rows: (capacity, sum of the sizes) all float32 fields, one behind the other as in `f32`.
    :ivar block: (capacity, ...) those that are not partial, the first ones of `rows`.
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
        # The partial ones last: one check of a row's block finds a number that is not finite.
        sizes = dict(sorted(fields.items(), key=lambda field: field[0] in partial))
        self.rows: Float32 = np.zeros((capacity, sum(sizes.values())), dtype=np.float32)
        ends = list(accumulate(sizes.values(), initial=0))
        self.f32 = {
            name: self.rows[:, start:end]
            for name, start, end in zip(sizes, ends, ends[1:], strict=False)
        }
        self.block = self.rows[:, : sum(sizes[name] for name in sizes if name not in partial)]
        # One block: a record's scalars are in one or two cache lines.
        self._scalars: npt.NDArray[np.int64] = np.zeros((capacity, len(scalars)), dtype=np.int64)
        self._packed = struct.Struct(f'={len(scalars)}q')
        self._scalar_bytes = self._scalars.data
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
        self._packed.pack_into(self._scalar_bytes, slot * self._packed.size, *values)

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
