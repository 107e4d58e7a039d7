"""The declared parameters: what ROS is told is what the core is tested with."""

from __future__ import annotations

from helpers.drive import TRIPLES
from helpers.drive import TUNABLE_RANGES
from kinfer_ros.control.tunables import NAMES
from kinfer_ros.nodes.parameters import TUNABLES


def test_every_tunable_is_declared_with_the_range_the_properties_draw_from() -> None:
    """A range widened here alone would let in what nobody has tried."""
    assert sorted(entry.name for entry in TUNABLES) == sorted(NAMES)
    declared = {e.name: (e.low, e.high) for e in TUNABLES if e.low is not None}
    assert declared == TUNABLE_RANGES
    assert set(TRIPLES) == set(NAMES) - set(declared)
