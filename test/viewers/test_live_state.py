"""What `top` says of a robot is what the topics said."""

from __future__ import annotations

import json

import pytest

from kinfer_ros.viewers.live_state import KEPT
from kinfer_ros.viewers.live_state import LiveState
from kinfer_ros.viewers.live_state import sparkline


def walking() -> LiveState:
    state = LiveState(mode='run', bridge='enabled')
    state.take_joints(['knee', 'hip'], position=[0.5, 0.1], velocity=[1.0, 2.0], effort=[9.5, 0.0])
    state.take_joints(['hip', 'knee'], target=[0.2, 0.4])
    state.take_joints(['knee', 'hip'], torque_limit=[10.0, 0.0])
    values = {'rate_hz': '50.0', 'late_p99_us': '900', 'guard_slew': '3 limits', 'ticks': '7'}
    state.take_diagnostics(0, 'run', values)
    return state


def test_joints_are_matched_by_name():
    """Drivers and policies have orders of their own."""
    state = walking()
    assert state.joints['knee'].error == pytest.approx(0.1)
    assert state.joints['knee'].load == pytest.approx(0.95)
    assert state.joints['hip'].load is None
    assert state.guards() == {'slew': '3 limits'}


def test_numbers_have_the_names_of_a_log():
    """What `watch` shows live and what it shows of a run go to the same places."""
    state = walking()
    state.take_base(gyro=(0.1, 0.2, 0.3), velocity=(0.4, float('nan'), 0.5))
    found = state.numbers()
    assert found['joints', 'knee', 'joint_angles'] == 0.5
    assert found['joints', 'knee', 'target'] == 0.4
    assert found['joints', 'tracking error', 'knee'] == pytest.approx(0.1)
    assert found['base', 'gyro', 'z'] == 0.3
    assert found['base', 'velocity forward', 'velocity'] == 0.4
    assert found['base', 'velocity turning', 'velocity'] == 0.5
    assert ('base', 'velocity to the left', 'velocity') not in found
    assert found['timing', 'late_p99_us', 'late_p99_us'] == 900.0


def test_what_is_no_number_is_nothing():
    """A driver without torque sensors may publish NaN; JSON has none."""
    state = walking()
    state.take_joints(['knee'], effort=[float('nan')], position=[float('inf')])
    assert state.joints['knee'].effort is None
    assert state.joints['knee'].error is None
    state.take_joints(['knee'] * 2000, position=[0.0] * 2000)
    assert state.joints['knee'].position is None
    json.dumps(state.as_json(), allow_nan=False)


def test_damping_has_no_target():
    """A target of a second ago is not what the robot is asked for."""
    state = walking()
    state.no_target()
    state.take_joints(['knee'], target=[])
    assert state.joints['knee'].error is None


def test_only_so_much_is_kept():
    """It runs for days beside a robot."""
    state = LiveState()
    for number in range(3 * KEPT):
        state.take_diagnostics(0, '', {'rate_hz': str(number), 'late_p99_us': 'many'})
    assert len(state.figures['rate_hz']) == KEPT
    assert len(state.figures['late_p99_us']) == 0


def test_sparkline():
    """The largest is full, nothing is empty, and what is negative is no index."""
    assert sparkline([0.0, 4.0, 8.0, -1.0]) == '▁▅█▁'
    assert sparkline([]) == ''
    assert sparkline([0.0]) == '▁'


def test_the_screen_shows_it():
    """Also what looks like rich's markup, as the text that it is."""
    console = pytest.importorskip('rich.console', reason='rich is an extra')
    from kinfer_ros.cli.live.top_screen import screen

    state = walking()
    state.message = '[red]run[/]'
    shown = console.Console(width=100, record=True, file=open('/dev/null', 'w'))  # noqa: PTH123, SIM115
    shown.print(screen(state))
    text = shown.export_text()
    words = 'mode    run', '[red]run[/]', 'knee', '+0.100', '95%', 'slew: 3 limits', '50.00 Hz'
    assert [word for word in words if word not in text] == []
    shown.print(screen(LiveState()))
    assert 'waiting for a policy node' in shown.export_text()
