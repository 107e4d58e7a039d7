"""The ring hands records from the tick to the writer in order, bounded, and never stale."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinfer_ros.run.ring import StepRing


def test_full_ring_drops_and_counts():
    """A slow disk must cost records, never the tick."""
    ring = StepRing(2, {'x': 1})
    for _ in range(2):
        assert ring.claim() >= 0
        ring.publish()
    assert ring.claim() == -1
    assert ring.claim() == -1
    assert ring.dropped == 2
    ring.release()
    assert ring.claim() >= 0


def test_closed_ring_drops_and_counts():
    """After the log has ended every further record is accounted for."""
    ring = StepRing(4, {'x': 1})
    ring.close()
    assert ring.claim() == -1
    assert ring.dropped == 1


def test_claim_without_publish_gives_the_slot_again():
    """A tick that fails half-way through filling a record must not leak the slot."""
    ring = StepRing(2, {'x': 1})
    assert ring.claim() == ring.claim()
    assert ring.dropped == 0
    assert len(ring) == 0


def test_reused_slot_has_no_stale_scalars_or_objects():
    """An event of a second ago must not be logged again when its slot comes round."""
    ring = StepRing(1, {'x': 1}, scalars=('n',), objects=('events',))
    slot = ring.claim()
    ring.i64['n'][slot] = 7
    ring.obj['events'][slot] = ['fell']
    ring.publish()
    ring.release()
    slot = ring.claim()
    assert ring.i64['n'][slot] == 0
    assert ring.obj['events'][slot] is None


def test_scalars_are_set_in_their_order_and_in_their_slot_alone():
    """They are written as bytes: a wrong offset would put a stamp into another record."""
    ring = StepRing(3, {'x': 1}, scalars=('n', 'stamp', 'flags'))
    ring.set_scalars(1, -7, 2**62, 3)
    assert [ring.i64[name].tolist() for name in ('n', 'stamp', 'flags')] == [
        [0, -7, 0], [0, 2**62, 0], [0, 3, 0],
    ]  # fmt: skip


@pytest.mark.parametrize('arguments', [(0, {'x': 1}), (-1, {}), (3, {'x': -1})])
def test_impossible_shapes_are_refused(arguments: tuple[int, dict[str, int]]):
    """A ring of no size would silently drop everything."""
    with pytest.raises(ValueError):
        StepRing(*arguments)


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 5))
def test_any_interleaving_keeps_order_and_counts(produce_now: list[bool], capacity: int):
    """Whatever the order of produce and consume, nothing is lost, repeated or reordered."""
    ring = StepRing(capacity, {'x': 1}, scalars=('n',))
    sent: list[int] = []
    got: list[int] = []
    for number, produce in enumerate(produce_now):
        if produce:
            slot = ring.claim()
            if slot >= 0:
                ring.i64['n'][slot] = number
                ring.publish()
                sent.append(number)
        elif (slot := ring.first()) >= 0:
            got.append(int(ring.i64['n'][slot]))
            ring.release()
    assert len(ring) == len(sent) - len(got)
    assert got == sent[: len(got)]
    assert ring.dropped == sum(produce_now) - len(sent)


def test_two_threads_lose_nothing():
    """The lock-free hand-over holds with a real producer and a real consumer thread."""
    ring = StepRing(64, {'x': 4}, scalars=('n',))
    total = 3000
    got: list[int] = []

    def consume() -> None:
        while len(got) < total:
            slot = ring.first()
            if slot >= 0:
                number = int(ring.i64['n'][slot])
                assert (ring.f32['x'][slot] == number).all()
                got.append(number)
                ring.release()
            else:
                time.sleep(0)

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    number = 0
    while number < total and thread.is_alive():
        slot = ring.claim()
        if slot >= 0:
            ring.f32['x'][slot] = number
            ring.i64['n'][slot] = number
            ring.publish()
            number += 1
        else:
            time.sleep(0)
    thread.join(20)
    assert got == list(range(total))
