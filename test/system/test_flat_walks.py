"""Robots and policies of others walk in the loop without ROS: as far as they do at home."""

from __future__ import annotations

import pytest

from helpers.policies.flat_policies import FLAT

HERE = [flat for flat in FLAT if flat.path is not None]


@pytest.mark.skipif(not HERE, reason='the shared flat policies are not here')
@pytest.mark.parametrize('flat', HERE, ids=lambda flat: flat.name)
def test_it_walks(tmp_path, flat):
    """At least 0.9 of the distance of a plain MuJoCo loop in 10 s, and no fall."""
    simulation = flat.walk(tmp_path, 10.0).simulation
    counts = simulation.controller.counts
    assert counts['falls'] == counts['faults'] == 0, simulation.controller.reason
    assert counts['run_ticks'] == 500
    assert simulation.odometer.distance >= 0.9 * flat.distance
