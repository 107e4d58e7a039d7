"""Words for a transition, as `check` and `inspect` show them."""

from __future__ import annotations

import pytest

from kinfer_ros.policy.sets.transition import FALLEN
from kinfer_ros.policy.sets.transition import Conditions
from kinfer_ros.policy.sets.transition import Transition
from kinfer_ros.policy.sets.via import Via


@pytest.mark.parametrize(
    ('blend_s', 'automatic', 'via', 'timeout_s', 'words'),
    [
        (0.0, 'no', None, 0.0, 'at once'),
        (0.2, 'no', None, 0.0, 'blend 0.2 s'),
        (0.0, 'no', Via(2.0, 0.0, {}), 0.0, 'to the start pose in 2 s'),
        (0.0, 'no', Via(2.0, 0.5, {'knee': 1.0}), 0.0, 'damping 0.5 s, to a pose in 2 s'),
        (0.0, FALLEN, None, 8.0, 'damped, lying still, in at most 8 s'),
    ],
)
def test_the_way_of_a_transition_in_words(blend_s, automatic, via, timeout_s, words):
    """A way of two seconds with damping is not "at once"."""
    each = Transition('a', 'b', blend_s, automatic, Conditions(), via, timeout_s)
    assert each.describe_way() == words
