"""The quick look of a tick: it may only pass over what the guards have nothing to say about."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.quick_look import QuickLook
from kinfer_ros.control.sensors import GRAVITY

LIMITS = {'position_margin': 0.25, 'max_tilt': 1.0, 'tracking_error': 0.5, 'tracking_time': 0.05}
PLACES = ('position', 'velocity', 'gyro', 'accel', 'gravity')
EDGES = (1.25, -1.25, 12.0, -12.0, 0.5, 2e5, 1e6, -GRAVITY * math.cos(1.0), -3 * GRAVITY)

near_an_edge = st.tuples(st.sampled_from(EDGES), st.sampled_from([-1e-9, 0.0, 1e-9])).map(sum)
numbers = st.one_of(st.just(0.1), near_an_edge, st.sampled_from([math.nan, math.inf, -math.inf]))
events = st.sampled_from(
    ['none', 'none', 'number', 'stale', 'disorder', 'missed', 'clock', 'joints', 'hot', 'frozen']
)


class Made:
    """A controller in mode run, and what one tick after the other does to it."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        folder.mkdir()
        self.rig = Rig(leaky_policy(folder), small_robot(folder))
        self.rig.tune(**LIMITS)
        self.rig.run()
        if not quick:
            guards = self.rig.controller._parts.guards
            guards._is_clear = lambda *_: False  # type: ignore[method-assign]

    def tick(self, count: int, event: str, where: str, number: float) -> tuple[object, ...]:
        """Let a period pass; :return: what is decided, sent and counted."""
        rig, frame = self.rig, self.rig.frame
        if event != 'frozen':
            frame.values[:] = 1e-3 * math.sin(count)
            frame.gravity[2] = -GRAVITY
        if event == 'number':
            getattr(frame, where)[-1] = number
        frame.joint_disorder += event == 'disorder'
        frame.joint_changes += event == 'joints'
        rig.controller.inputs.health.set_temperature('joint_1', 85.0 if event == 'hot' else 40.0)
        jump = 1_000_000_000 if event == 'clock' else 0
        missed = 3 if event == 'missed' else 0
        rig.tick(fresh=event != 'stale', missed=missed, stamp_offset=jump)
        found, stats = rig.outcome, rig.controller.stats
        assert found is not None
        return found.mode, found.reason, found.events, found.target.tobytes(), str(stats.state())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(events, st.sampled_from(PLACES), numbers), max_size=25))
def test_a_run_is_the_same_without_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, float]]
) -> None:
    """Every verdict, count and event, in every tick after one that it passed over."""
    folder = tmp_path_factory.mktemp('runs')
    quick, exact = Made(folder / 'quick', quick=True), Made(folder / 'exact', quick=False)
    for count, step in enumerate(steps):
        assert quick.tick(count, *step) == exact.tick(count, *step)


def test_an_ordinary_tick_ends_with_it(tmp_path: Path) -> None:
    """Else all guards run in every tick, which nothing but the clock would notice."""
    made = Made(tmp_path / 'made', quick=True)
    made.tick(0, 'none', '', 0.0)
    guards = made.rig.controller._parts.guards
    guards._verdicts = None  # type: ignore[method-assign, assignment]
    for count in range(1, 20):
        made.tick(count, 'none', '', 0.0)


@pytest.mark.parametrize('where', PLACES)
@pytest.mark.parametrize('number', [math.nan, math.inf, -math.inf, 1e6])
def test_a_number_that_nothing_can_measure_is_not_clear(
    tmp_path: Path, where: str, number: float
) -> None:
    """With the guards on speed and tracking off as well: they would have found some of them."""
    made = Made(tmp_path / 'made', quick=True)
    made.rig.tune(joint_speed_factor=0.0, tracking_error=0.0)
    made.tick(0, 'none', '', 0.0)
    guards = made.rig.controller._parts.guards
    assert isinstance(guards._numbers, QuickLook)
    assert guards._numbers.is_clear(np.zeros(2))
    getattr(made.rig.frame, where)[-1] = number
    assert not guards._numbers.is_clear(np.zeros(2))
