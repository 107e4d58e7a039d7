"""The tally of verdicts: counted by name and level, warnings said once, limits each time."""

from __future__ import annotations

import pytest

from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.control.guards.verdict import GuardStats
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn


def test_a_new_panel_is_silent_and_knows_every_guard() -> None:
    """Diagnostics list all guards from the start, not from their first word on."""
    panel = GuardStats()
    assert list(panel.state()) == list(GUARDS)
    assert panel.warnings() == panel.events == []
    assert all(
        not any((entry['limits'], entry['warns'], entry['faults'], entry['now']))
        for entry in panel.state().values()
    )


def test_verdicts_are_counted_by_level() -> None:
    """A limit and a fault of one guard are two different things to a reader."""
    panel = GuardStats()
    panel.note(warn('speed', 'fast'))
    panel.note(warn('speed', 'fast'))
    panel.note(fault('speed', 'too fast'))
    panel.note(Verdict(Level.LIMIT, 'slew', 'slowed'))
    assert [panel.count('speed', level) for level in Level] == [0, 0, 2, 1]
    assert panel.state()['speed'] == {'limits': 0, 'warns': 2, 'faults': 1, 'now': 'too fast'}
    assert panel.count('slew', Level.LIMIT) == 1


def test_a_warning_is_said_when_it_begins_and_again_after_a_pause() -> None:
    """A log with a thousand equal lines is read by nobody."""
    panel = GuardStats()
    said = []
    for speaks in (True, True, False, True):
        if speaks:
            panel.note(warn('clock', 'jumped'))
        panel.end_tick()
        said.append(len(panel.events))
    assert said == [1, 1, 1, 2]
    assert panel.events[0] == 'warning clock: jumped'


def test_what_a_guard_said_is_forgotten_when_it_falls_silent() -> None:
    """`now` on /diagnostics must not show what has passed; the counts stay."""
    panel = GuardStats()
    panel.note(warn('battery', 'low'))
    panel.end_tick()
    assert panel.warnings() == ['battery: low']
    assert panel.state()['battery']['now'] == 'low'
    panel.end_tick()
    assert panel.warnings() == []
    assert panel.state()['battery'] == {'limits': 0, 'warns': 1, 'faults': 0, 'now': ''}


def test_a_limit_is_said_in_every_tick() -> None:
    """The record of a step has to say that its target is not the policy's."""
    panel = GuardStats()
    for _ in range(3):
        panel.note(Verdict(Level.LIMIT, 'torque', 'brought in'))
        panel.end_tick()
    assert panel.events == ['torque limit'] * 3


def test_a_name_that_is_no_guard_is_a_bug() -> None:
    """A misspelt name would be counted where nobody looks."""
    with pytest.raises(KeyError):
        GuardStats().note(warn('sliew', ''))
