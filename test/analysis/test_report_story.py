"""A report tells what happened: the first cause, what was clipped, and thresholds in force."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.advice import GUARD_ADVICE
from kinfer_ros.analysis.report.advice import advice_for
from kinfer_ros.analysis.report.advice import guard_of
from kinfer_ros.analysis.report.clipped import clipped
from kinfer_ros.analysis.report.colours import COLOURS
from kinfer_ros.analysis.report.colours import DASHES
from kinfer_ros.analysis.report.colours import shade
from kinfer_ros.analysis.report.events import happened
from kinfer_ros.analysis.report.events import listed
from kinfer_ros.analysis.report.limbs import MAX_TOGETHER
from kinfer_ros.analysis.report.limbs import grouped
from kinfer_ros.analysis.report.limbs import limb_of
from kinfer_ros.analysis.report.plots import plot_groups
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.story import find_film
from kinfer_ros.analysis.report.story import tell
from kinfer_ros.analysis.report.thresholds import staircases
from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.writer import read_steps


def lower(step: int, simulation) -> None:
    values = {60: 0.6, 100: 0.01}
    if step in values:
        live = simulation.controller.live.copy()
        live.max_tilt = values[step]
        simulation.controller.request_live_settings(live)


@pytest.fixture(scope='module')
def lowered(tmp_path_factory) -> Path:
    return record_run(tmp_path_factory.mktemp('lowered'), 5.0, lower)


def subject(path: Path) -> ReportedRun:
    run = RecordedRun.open(path)
    return ReportedRun(run, read_columns(run), ['it fell'], [])


def test_a_threshold_that_was_changed_is_the_first_cause(lowered):
    """A tilt of 7 deg is no fall: somebody lowered max_tilt in that tick."""
    run = subject(lowered)
    story = tell(run, happened(run), clipped(run), lowered)
    assert not story.good
    assert 'the base is tilted' in story.cause
    assert 'max_tilt had been changed from 0.6 to 0.01 in the same tick' in story.cause
    assert f'python -m kinfer_ros replay {lowered}' in [each.command for each in story.next]


def test_a_threshold_of_ones_own_is_told(tmp_path):
    """A limit that was set too tight explains a fault of a robot that did nothing wrong."""
    path = record_run(tmp_path, 3.0, joint_speed_factor=0.25)
    run = subject(path)
    story = tell(run, happened(run), clipped(run), path)
    assert story.cause.endswith('are accepted. joint_speed_factor is 0.25, by default 1.5')
    assert 'velocity_limit of the robot file times joint_speed_factor' in story.next[0].text


def test_a_threshold_is_drawn_as_it_was_in_force(lowered):
    """A live change is a step, at its tick, though run.json has one value."""
    run = subject(lowered)
    (line,) = staircases([run], 'max_tilt')
    time = run.columns.time
    np.testing.assert_allclose(
        line.time, [time[0], time[60], time[60], time[100], time[100], time[-1]]
    )
    np.testing.assert_allclose(line.values, [1.0, 1.0, 0.6, 0.6, 0.01, 0.01])
    times, values = line.at_more_times(time[[59, 60, 61]])
    inside = (times >= time[59]) & (times <= time[61])
    assert values[inside].tolist() == [1.0, 1.0, 0.6, 0.6, 0.6]


def test_the_speed_that_faults_is_drawn_in_the_plot_of_velocities(lowered):
    """In each plot that of its joints, both ways, as joint_speed_factor was in force."""
    run = subject(lowered)
    run.columns.events.append((80, 'set joint_speed_factor 1.5 -> 0.5'))
    plots = {plot.title: plot for group in plot_groups([run]) for plot in group.plots}
    lines = plots['joint velocities: left leg'].thresholds
    assert {each.name for each in lines} == {'joint_speed_factor'}
    limits = run.run.facts['limits']
    legs = [v for v, n in zip(limits['velocity'], limits['joints'], strict=True) if 'left' in n]
    expected = sorted(sign * 1.5 * each for each in set(legs) for sign in (1.0, -1.0))
    assert sorted(each.values[0] for each in lines) == expected
    assert all(each.values[-1] * 3.0 == each.values[0] for each in lines)


def test_a_log_without_limits_has_velocities_and_no_line(lowered):
    """A log of an earlier version, or of another project."""
    run = subject(lowered)
    facts = {key: value for key, value in run.run.facts.items() if key != 'limits'}
    run = replace(run, run=replace(run.run, facts=facts))
    plots = {plot.title: plot for group in plot_groups([run]) for plot in group.plots}
    assert plots['joint velocities: left leg'].thresholds == []


def test_a_clipped_joint_is_named_and_counted(lowered):
    """Each tick of the guard belongs to the joints whose target is at a limit."""
    run = subject(lowered)
    steps = list(read_steps(lowered / 'steps.ndjson', 0, []))
    limits = run.run.facts['limits']
    at = limits['joints'].index('left_ankle_roll')
    place = run.run.facts['joint_order'].index('left_ankle_roll')
    bounds = np.float32([limits['lower'][at], limits['upper'][at]])
    expected = sum(
        'limit limit' in step['events'] and step['target'][place] in bounds for step in steps
    )
    assert expected
    found = {each.what: len(each.places) for each in clipped(run)}
    assert found['left_ankle_roll clipped at its joint limit'] == expected


def weak_knee(folder: Path) -> Path:
    """The shipped policy, whose left knee may give 4 Nm."""
    archive = read_archive(MODEL)
    meta = dict(load_model(MODEL).contract.metadata)
    limits = list(meta['joint_torque_limits'])
    limits[meta['joint_names'].index('left_knee')] = 4.0
    path = folder / 'weak.kinfer'
    write_archive(path, archive.init_fn, archive.step_fn, meta | {'joint_torque_limits': limits})
    return path


def test_a_joint_at_its_torque_limit_is_named(tmp_path):
    """Each tick of the guard belongs to the joint whose target asks for all of its torque."""
    model = str(weak_knee(tmp_path))
    factors = {'kp_factor': 1.1, 'kd_factor': 0.9}
    run = subject(record_run(tmp_path, 3.0, torque_band=3.0, model=model, **factors))
    count = run.run.facts['guards']['torque']['limits']
    assert count > 10
    found = {each.what: len(each.places) for each in clipped(run)}
    assert {name: n for name, n in found.items() if 'torque' in name} == {
        'left_knee clipped at its torque limit': count
    }


@pytest.mark.parametrize(
    'given',
    [
        {'default_command': [0.9, 0.0, 0.1]},
        {'default_command': [-0.9, 0.0, 0.1]},
        {'command_limit': [0.2, 0.0, 0.3]},
    ],
)
def test_an_entry_of_the_command_at_its_limit_is_named(tmp_path, given):
    """At an end of the range of its policy, and at a limit of the operator."""
    run = subject(record_run(tmp_path, 2.0, **given))
    (found,) = [each for each in clipped(run) if 'command' in each.what]
    assert found.what == 'xvel of the command held at its limit'
    assert len(found.places) == run.run.facts['guards']['command']['limits'] > 90


def test_an_entry_of_the_command_that_was_slowed_down_is_named(tmp_path):
    """Only the one that asked for more than its acceleration; the other is fast enough."""
    given = {'default_command': [0.3, 0.0, 0.1], 'command_acceleration': [0.2, 0.0, 9.0]}
    run = subject(record_run(tmp_path, 2.0, **given))
    (found,) = [each for each in clipped(run) if 'command' in each.what]
    assert found.what == 'xvel of the command slowed down to command_acceleration'
    assert len(found.places) == run.run.facts['guards']['acceleration']['limits'] > 20


def test_a_joint_that_a_later_limit_moved_is_named(tmp_path):
    """Of all joints the one whose target moved further than the slew limit allows."""
    run = subject(record_run(tmp_path, 1.0, target_slew=30.0))
    run.columns.events += [(50, 'slew_broken limit')]
    target = run.columns.row('target')
    step = 30.0 / run.run.facts['control_rate_hz']
    target[50] = target[49] + np.linspace(0.0, 0.9, target.shape[1]) * step
    target[50, 3] = target[49, 3] - 1.01 * step
    found = {each.what: each.places.tolist() for each in clipped(run) if 'later' in each.what}
    assert found == {f'{run.joints[3]} moved faster than target_slew by a later limit': [50]}


def test_a_limit_that_cannot_be_named_is_counted(lowered):
    """A log of an earlier version has no ranges of its commands, a damaged one no gains."""
    run = subject(lowered)
    run.columns.events += [(50, 'command limit'), (50, 'torque limit'), (51, 'torque limit')]
    facts = dict(run.run.facts) | {'command_ranges': {'xvel': 'wide'}, 'gains': {}}
    found = clipped(replace(run, run=replace(run.run, facts=facts)))
    assert {each.what: len(each.places) for each in found if ': ' in each.what} == {
        f'torque: {GUARDS["torque"]}': 2,
        f'command: {GUARDS["command"]}': 1,
    }


def test_what_happened_has_no_row_for_each_limit(lowered):
    """Hundreds of limits would hide the fault; the same warning again is counted."""
    run = subject(lowered)
    run.columns.events[:0] = [(0, 'limit limit')] * 500 + [(0, 'warning stall: late')] * 3
    events = happened(run)
    assert len(events) < 20
    assert [each.count for each in events if each.kind == 'warning'] == [3]
    assert sum(each.kind == 'fault' for each in events) == 1


def test_a_list_has_a_limit_once_for_ticks_in_a_row():
    """A viewer lists events as text: not the word of the log, and not hundreds of rows."""
    events = [(1, 'limit limit'), (1, 'mode run'), (2, 'limit limit'), (2, 'slew limit')]
    events += [(3, 'limit limit'), (5, 'limit limit'), (6, 'warning stall: late')]
    assert listed(events) == [
        (1, 'limit: a target was brought within the joint limits, 3 ticks'),
        (1, 'mode run'),
        (2, 'slew: a target was slowed down'),
        (5, 'limit: a target was brought within the joint limits'),
        (6, 'warning stall: late'),
    ]


def test_every_guard_that_can_fault_has_advice():
    """A fault without a next step leaves the user alone."""
    only_limit = {'command', 'acceleration', 'slew', 'torque', 'limit', 'slew_broken', 'override'}
    assert set(GUARD_ADVICE) == set(GUARDS) - only_limit


def test_commands_are_quoted_and_whole():
    """They are copied into a shell; the names come from a log."""
    words = {'run': shlex.quote('a; rm b'), 'model': 'm.kinfer', 'robot': 'biped', 'spec': ''}
    for guard in ('', *GUARD_ADVICE):
        for each in advice_for(guard, words, good=False, killed=False, alone=False):
            assert '{' not in each.command
            assert 'rm' not in shlex.split(each.command)


@pytest.mark.parametrize(
    ('text', 'guard'),
    [
        ('fell: the base is tilted by 59 deg, at most 57 deg are accepted', 'tilt'),
        ('joint_states is stale: the newest sample is 300 ms old', 'stale'),
        ('left_knee does not follow: it is at 0.1 rad', 'tracking'),
        ('21 ticks missed, at most 20 are borne', 'missed'),
        ('the machine stalled: this process was not run for 312 ms', 'stall'),
    ],
)
def test_the_guard_is_found_by_its_words(text, guard):
    """A log of several faults, or without run.json, does not say which guard it was."""
    assert guard_of(text, {}) == guard


@pytest.mark.parametrize(
    ('joint', 'limb'),
    [
        ('left_hip_yaw', 'left leg'), ('dof_right_shoulder_pitch_03', 'right arm'),
        ('FL_calf_joint', 'front left leg'), ('LF_HAA', 'front left leg'),
        ('waist_yaw_joint', 'trunk'), ('leftKnee', 'left leg'), ('motor7', ''),
    ],
)  # fmt: skip
def test_joints_are_put_together_by_limb(joint, limb):
    """Names of humanoids and quadrupeds, in the spellings that robots have."""
    assert limb_of(joint) == limb


def test_no_plot_has_more_curves_than_colours():
    """32 joints, with and without speaking names: each once, in groups that have colours."""
    for names in ([f'motor{n}' for n in range(32)], [f'left_hip_{n}' for n in range(29)]):
        groups = grouped(names)
        assert [name for each in groups.values() for name in each] == names
        assert max(map(len, groups.values())) <= MAX_TOGETHER == len(set(COLOURS))


def test_eight_runs_are_told_apart():
    """By dash and by shade."""
    assert len(set(DASHES)) == 8
    assert len({shade(COLOURS[0], run, 8) for run in range(8)}) == 8
    assert shade(COLOURS[0], 0, 1) == COLOURS[0]


def test_the_newest_film_of_a_run_is_found(lowered):
    """It is linked; a run without one has no link."""
    run = RecordedRun.open(lowered)
    assert find_film(run) is None
    (lowered / 'walk.mp4').write_bytes(b'')
    assert find_film(run) == lowered / 'walk.mp4'
