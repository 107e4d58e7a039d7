"""A ring of preallocated records between the control tick and the thread that writes the log.

The tick must never wait for a disk. It fills one slot of this ring with plain array assignments;
the writer's thread empties the ring when it gets to it. When the writer is too slow a record is
refused and counted, and the tick goes on. Without this a slow disk would be a late motor command.

One thread produces (claim, publish) and one consumes (first, release). There is no lock: each side
writes one counter that the other only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float32


class StepRing:
    """
    A bounded single-producer, single-consumer ring of records, all memory allocated at the start.

    `f32[name]` is a float32 array (capacity, size), `i64[name]` an int64 array (capacity,) and
    `obj[name]` a list of capacity Python objects. A slot handed out by claim() starts with every
    `i64` 0 and every `obj` None; its `f32` rows hold whatever was there before.
    """

    def __init__(
        self,
        capacity: int,
        fields: Mapping[str, int],
        scalars: Sequence[str] = (),
        objects: Sequence[str] = (),
    ) -> None:
        """
        Allocate the ring.

        :param capacity: number of records it holds, at least 1.
        :param fields: float32 fields by name, with their number of values.
        :param scalars: names of the int64 fields.
        :param objects: names of the Python object fields.
        :raises ValueError: a capacity below 1 or a negative size.
        """
        if capacity < 1:
            raise ValueError(f'a ring holds at least one record, not {capacity}')
        if any(size < 0 for size in fields.values()):
            raise ValueError(f'a field cannot have a negative size: {dict(fields)}')
        self.capacity = capacity
        # One block for all float fields: a record is one row, so that one look at the row tells
        # whether every number in it is finite.
        self.block: Float32 = np.zeros((capacity, sum(fields.values())), dtype=np.float32)
        self.f32: dict[str, Float32] = {}
        column = 0
        for name, size in fields.items():
            self.f32[name] = self.block[:, column : column + size]
            column += size
        # One block for these as well: a record's lie in one or two lines of the cache.
        self._scalars: npt.NDArray[np.int64] = np.zeros((capacity, len(scalars)), dtype=np.int64)
        self.i64 = {name: self._scalars[:, place] for place, name in enumerate(scalars)}
        self.obj: dict[str, list[object]] = {name: [None] * capacity for name in objects}
        self.dropped = 0
        self.closed = False
        self._head = 0
        self._tail = 0

    def __len__(self) -> int:
        """Return how many published records wait for the consumer."""
        return self._head - self._tail

    def claim(self) -> int:
        """
        Producer: get the slot to fill, or -1 when the ring is full or closed (counted in dropped).

        A claimed slot that is not published is handed out again by the next claim.
        """
        head = self._head
        if self.closed or head - self._tail >= self.capacity:
            self.dropped += 1
            return -1
        return head % self.capacity

    def publish(self) -> None:
        """Producer: make the slot of the last successful claim() visible to the consumer."""
        self._head += 1

    def first(self) -> int:
        """Consumer: the slot of the oldest published record, or -1 when there is none."""
        tail = self._tail
        if tail == self._head:
            return -1
        return tail % self.capacity

    def release(self) -> None:
        """Consumer: give the slot of first() back, cleared, so that nothing stale is logged."""
        slot = self._tail % self.capacity
        self._scalars[slot] = 0
        for objects in self.obj.values():
            objects[slot] = None
        self._tail += 1

    def close(self) -> None:
        """Consumer: refuse, and count, every record from now on."""
        self.closed = True
