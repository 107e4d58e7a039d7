"""LiveState stores what the topics publish."""

from __future__ import annotations

import json

import pytest

from kinfer_ros.viewers.live_state import MAX_VALUES
from kinfer_ros.viewers.live_state import LiveState
from kinfer_ros.viewers.live_state import sparkline


def walking() -> LiveState:
    state = LiveState(mode='run', bridge='enabled')
    state.update_joints(
        ['knee', 'hip'], position=[0.5, 0.1], velocity=[1.0, 2.0], effort=[9.5, 0.0]
    )
    state.update_joints(['hip', 'knee'], target=[0.2, 0.4])
    state.update_joints(['knee', 'hip'], torque_limit=[10.0, 0.0])
    values = {'rate_hz': '50.0', 'late_p99_us': '900', 'guard_slew': '3 limits', 'ticks': '7'}
    state.update_diagnostics(0, 'run', values)
    return state


def test_joints_are_matched_by_name():
    """Topics may have different joint orders."""
    state = walking()
    assert state.joints['knee'].error == pytest.approx(0.1)
    assert state.joints['knee'].load == pytest.approx(0.95)
    assert state.joints['hip'].load is None
    assert state.guards() == {'slew': '3 limits'}


def test_numbers_have_the_names_of_a_log():
    """`watch` uses the same panels live and for a run."""
    state = walking()
    state.update_base(gyro=(0.1, 0.2, 0.3), velocity=(0.4, float('nan'), 0.5))
    found = state.numbers()
    assert found['joints', 'knee', 'joint_angles'] == 0.5
    assert found['joints', 'knee', 'target'] == 0.4
    assert found['joints', 'tracking error', 'knee'] == pytest.approx(0.1)
    assert found['base', 'gyro', 'z'] == 0.3
    assert found['base', 'velocity forward', 'velocity'] == 0.4
    assert found['base', 'velocity turning', 'velocity'] == 0.5
    assert ('base', 'velocity to the left', 'velocity') not in found
    assert found['timing', 'late_p99_us', 'late_p99_us'] == 900.0
    panels = {panel.name: (panel.unit, panel.labels) for panel in state.panels()}
    assert panels['knee'] == ('rad', ('joint_angles', 'target'))
    assert panels['gyro'] == ('rad/s', ('x', 'y', 'z'))
    assert panels['velocity forward'] == ('m/s', ('velocity',))
    assert panels['late_p99_us'][0] == ''


def test_what_is_no_number_is_nothing():
    """A driver without torque sensors may publish NaN, which JSON does not have."""
    state = walking()
    state.update_joints(['knee'], effort=[float('nan')], position=[float('inf')])
    assert state.joints['knee'].effort is None
    assert state.joints['knee'].error is None
    state.update_joints(['knee'] * 2000, position=[0.0] * 2000)
    assert state.joints['knee'].position is None
    json.dumps(state.as_json(), allow_nan=False)


def test_damping_has_no_target():
    """An old target must not be shown."""
    state = walking()
    state.clear_targets()
    state.update_joints(['knee'], target=[])
    assert state.joints['knee'].error is None


def test_only_so_much_is_kept():
    """Memory is bounded."""
    state = LiveState()
    for number in range(3 * MAX_VALUES):
        state.update_diagnostics(0, '', {'rate_hz': str(number), 'late_p99_us': 'many'})
    assert len(state.figures['rate_hz']) == MAX_VALUES
    assert len(state.figures['late_p99_us']) == 0


def test_sparkline():
    """The largest value is a full bar; empty and negative values are valid."""
    assert sparkline([0.0, 4.0, 8.0, -1.0]) == '▁▅█▁'
    assert sparkline([]) == ''
    assert sparkline([0.0]) == '▁'


def test_the_screen_shows_it():
    """Text that looks like rich's markup is shown as text."""
    console = pytest.importorskip('rich.console', reason='rich is an extra')
    from kinfer_ros.cli.live.top_screen import screen

    state = walking()
    state.message = '[red]run[/]'
    shown = console.Console(width=100, record=True, file=open('/dev/null', 'w'))  # noqa: PTH123, SIM115
    shown.print(screen(state))
    text = shown.export_text()
    words = 'mode    run', '[red]run[/]', 'knee', '+0.100', '95%', 'slew: 3 limits', '50.00 Hz'
    assert [word for word in words if word not in text] == []
    assert 'policy  ' not in text
    state.values |= {
        'policy': 'walk', 'policy_s': '3.1', 'policies': '["walk", "dance", "stand"]',
        'next_policies': '["stand", "dance"]',
    }  # fmt: skip
    shown.print(screen(state))
    assert 'policy  walk, for 3.1 s; from here: dance, stand' in shown.export_text()
    state.values['policies'] = '['
    shown.print(screen(state))
    assert 'policy  walk' in shown.export_text()
    shown.print(screen(LiveState()))
    assert 'waiting for a policy node' in shown.export_text()
