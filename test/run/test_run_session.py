"""A run from configure to cleanup: its directory, its figures, its step log; no ROS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.models import breakable_step
from helpers.policies.models import init_fn
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.errors import RunError
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run.record import SCHEMA
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.status import Severity
from kinfer_ros.run.status import StatusReporter


@pytest.fixture
def rig(tmp_path) -> Rig:
    live = LiveSettings(frozen_timeout=0.0)  # this robot rests
    return Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path), tunables=live)


def setup_of(rig: Rig) -> PolicySetup:
    asked = gains(rig.policy.contract, rig.robot)
    return PolicySetup(rig.policy, rig.robot, rig.controller, asked, 50.0, [])


PARAMETERS = {
    'model': 'walk.kinfer', 'record': True, 'record_battery': False, 'carry_every': 50,
    'log_rotate_mb': 0.0, 'log_zstd': False,
}  # fmt: skip


def begin(rig: Rig, folder: Path, **more: object) -> RunSession:
    parameters = PARAMETERS | {'runs_dir': str(folder / 'runs')} | more
    session = RunSession(setup_of(rig), parameters)
    session.activation = 1
    return session


def drive(rig: Rig, session: RunSession, ticks: int) -> None:
    """Tick and record, with figures that are easy to add up."""
    for _ in range(ticks):
        rig.now += 20_000_000
        rig.sense()
        tick = rig.controller.tick(rig.now, rig.now)
        session.record(tick, rig.now, 1_000, 2_000, (1_000, 2_000, 3_000, 4_000))


def test_every_tick_is_counted_and_logged(rig, tmp_path):
    """What run.json says and what steps.ndjson holds are the same run."""
    session = begin(rig, tmp_path)
    rig.run()
    drive(rig, session, 20)
    session.finish('test')
    run = RecordedRun.open(session.path)
    assert run.fact('reason') == 'test'
    counters = run.fact('counters')
    assert counters['ticks'] == counters['log']['written'] == 20
    records = list(run.records())
    assert [record['step_id'] for record in records] == list(range(20))
    assert {record['mode'] for record in records} == {'run'}
    for record in records:
        np.testing.assert_array_equal(record['output'], record['target'])
    assert run.fact('timing')['tick_us']['count'] == 20


def test_what_the_robot_reports_is_in_the_tick_that_it_was_known_in(tmp_path):
    """By name: the policy's joints stand in another order than the robot's."""
    robot = small_robot(tmp_path, ('joint_1', 'joint_0'))
    live = LiveSettings(frozen_timeout=0.0)
    rig = Rig(level_policy(tmp_path, 0.1), robot, tunables=live)
    session = begin(rig, tmp_path, record_battery=True)
    rig.run()
    drive(rig, session, 1)
    rig.frame.effort[:] = (1.0, 2.0)
    rig.controller.inputs.health.set_temperature('joint_0', 41.5)
    rig.controller.inputs.health.set_battery(0.5)
    drive(rig, session, 1)
    rig.frame.effort.fill(np.nan)
    drive(rig, session, 1)
    session.finish('test')
    run = RecordedRun.open(session.path)
    assert run.fact('step_schema') == SCHEMA
    before, known, after = run.records()
    keys = ('joint_torques', 'joint_temps', 'battery')
    assert [before[key] for key in keys] == [None] * 3
    assert known['joint_order'] == ['joint_0', 'joint_1']
    assert known['joint_torques'].tolist() == [2.0, 1.0]
    np.testing.assert_array_equal(known['joint_temps'], np.float32([41.5, np.nan]))
    assert known['battery'] == 0.5
    assert after['joint_torques'] is None
    assert 'nonfinite' not in known


def test_the_carry_comes_with_the_first_step_and_every_nth(rig, tmp_path):
    """A replay begins at one; without it a log that was cut at its start would be lost."""
    session = begin(rig, tmp_path, carry_every=5)
    rig.run()
    drive(rig, session, 11)
    session.finish('test')
    records = list(RecordedRun.open(session.path).records())
    assert [r['step_id'] for r in records if r['carry'] is not None] == [0, 5, 10]
    assert all(r['resume'] for r in records if r['carry'] is not None)


def test_a_fault_writes_the_black_box(rig, tmp_path):
    """The seconds before it are what is looked at first."""
    session = begin(rig, tmp_path)
    rig.run()
    drive(rig, session, 5)
    rig.controller.request_fault('the bridge is disabled')
    drive(rig, session, 2)
    assert rig.controller.mode is Mode.FAULT
    session.finish('fault')
    boxes = list(session.path.glob('fault_*.ndjson'))
    assert len(boxes) == 1
    assert 'the bridge is disabled' in boxes[0].read_text()
    assert session.guards()['shell']['faults'] == 1


def test_a_cause_is_told_once(rig, tmp_path):
    """An evaluation ends a run with the fault's own words, without the mode before them."""
    session = begin(rig, tmp_path)
    rig.run()
    rig.controller.request_fault('the bridge is disabled')
    drive(rig, session, 2)
    session.finish(rig.controller.reason)
    assert RecordedRun.open(session.path).fact('reason') == 'the bridge is disabled'


def test_a_swap_is_in_run_json_before_it_runs(rig, tmp_path):
    """A killed run could not be replayed without it."""
    session = begin(rig, tmp_path)
    other = level_policy(tmp_path, 0.2)
    bound = bind(other, rig.robot, rig.controller.inputs)
    number = session.begin_swap(other, bound)
    facts = json.loads((session.path / 'run.json').read_text())
    assert [swap['taken_over'] for swap in facts['swaps']] == [False]
    session.take_over([number])
    session.finish('test')
    facts = json.loads((session.path / 'run.json').read_text())
    assert [swap['taken_over'] for swap in facts['swaps']] == [True]


def test_without_a_log_there_is_nothing_half_started(rig, tmp_path):
    """`latest` must not lead to a run that never was."""
    with pytest.raises(RunError):
        (tmp_path / 'runs').write_text('a file in the way')
        begin(rig, tmp_path)


def test_without_record_only_the_black_box_is_kept(rig, tmp_path):
    """record:=false still leaves what a fault needs."""
    session = begin(rig, tmp_path, record=False)
    rig.run()
    drive(rig, session, 3)
    session.finish('test')
    assert not (session.path / 'steps.ndjson').exists()


def test_the_status_is_reported_once_a_second_and_on_a_change_of_mode(rig, tmp_path):
    """A monitor sees a fault at once, and the executor is not loaded for nothing."""
    session, setup, reporter = begin(rig, tmp_path), setup_of(rig), StatusReporter()

    def report(now):
        return reporter.update('active', setup, session, 0, {'priority': 'granted'}, now)

    rig.run()
    first = report(100.0)
    assert (first.level, first.message) == (Severity.OK, 'run')
    assert first.values['priority'] == 'granted'
    drive(rig, session, 50)
    assert report(100.5) is None
    assert report(101.0).values['ticks'] == 50
    assert reporter.rate == pytest.approx(50.0)
    rig.controller.request_fault('the bridge is disabled')
    drive(rig, session, 1)
    fault = report(101.1)
    assert fault.level is Severity.ERROR
    assert fault.message == 'fault: the bridge is disabled'
    session.finish('test')


@pytest.mark.parametrize(
    ('state', 'level'),
    [('unconfigured', Severity.OK), ('inactive, stopped: stop requested', Severity.WARN)],
)
def test_a_node_without_a_policy_has_a_status_too(state, level):
    """Before configure there is nothing but the lifecycle to tell."""
    status = StatusReporter().update(state, None, None, 0, {}, 1.0)
    assert (status.level, status.message, status.values) == (level, state, {})


def test_the_status_of_a_set_is_that_of_the_running_policy(tmp_path):
    """A switch is reported at once, with the commands of its policy, and their limits."""
    level_policy(tmp_path, 0.1)
    meta = metadata(2, ('yawrate', 'baseheight', 'xvel'), carry_size=[1])
    write_kinfer(tmp_path / 'other.kinfer', init_fn([0]), breakable_step(0.5), meta)
    path = tmp_path / 'set.yaml'
    path.write_text(
        'enter: low\npolicies:\n  low: {model: level_0.1.kinfer}\n'
        '  other: {model: other.kinfer, command_limit: [0.2, 0, 0]}\n'
        'transitions:\n  - {from: low, to: other}\n'
    )
    loaded, robot = load_set(path), small_robot(tmp_path)
    live = LiveSettings(frozen_timeout=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    rig.controller = assemble_set(loaded, robot, SessionSettings(20_000_000), live)
    rig.frame = rig.controller.inputs.frame
    rig.set_pose(0.0)
    rig.sense()
    setup = replace(setup_of(rig), policy_set=loaded)
    session = RunSession(setup, PARAMETERS | {'runs_dir': str(tmp_path / 'runs')})
    reporter = StatusReporter()

    def report(now):
        return reporter.update('active', setup, session, 0, {}, now)

    rig.run()
    values = report(100.0).values
    assert (values['policy'], values['policies']) == ('low', '["low", "other"]')
    assert values['next_policies'] == '["other"]'
    assert rig.controller.policies.request('other', rig.controller.mode) == ''
    rig.command(0.4)
    drive(rig, session, 1)
    values = report(100.1).values
    assert (values['policy'], values['next_policies']) == ('other', '[]')
    assert json.loads(values['commands']) == {
        'yawrate': None, 'baseheight': None, 'xvel': [-0.2, 0.2]
    }  # fmt: skip
    drive(rig, session, 1)
    assert json.loads(report(102.0).values['command']) == [0.0, 0.0, 0.2]
    session.finish('test')
