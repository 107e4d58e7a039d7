"""The report of a policy set: each policy, the transitions, what no transition leads to."""

from __future__ import annotations

from pathlib import Path

from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.set_report import check_set
from kinfer_ros.contract.set_report import transition_table
from kinfer_ros.contract.set_report import transitions_json
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.loaded_set import load_set

SET = """enter: low
policies:
  low: {{model: level_0.1.kinfer}}
  mid: {{model: level_0.2.kinfer, kp_factor: {factor}}}
  high: {{model: level_0.1.kinfer}}
transitions:
  - from: low
    to: mid
    conditions: {{max_tilt: 0.2, command_neutral: true, pose_within: 0.5}}
  - {{from: mid, to: low, blend_s: 0.1}}
{more}"""


def loaded(folder: Path, *, factor: float = 0.5, more: str = '') -> LoadedSet:
    level_policy(folder, 0.1, control_rate=50.0)
    biases = {'joint_biases': [['joint_0', 0.3, 1.0], ['joint_1', 0.1, 1.0]]}
    level_policy(folder, 0.2, control_rate=50.0, **biases)
    path = folder / 'set.yaml'
    path.write_text(SET.format(factor=factor, more=more))
    return load_set(path)


def test_a_policy_that_nothing_leads_to_is_named(tmp_path):
    """It is loaded, takes memory, and can never run: most likely a transition was forgotten."""
    report = check_set(loaded(tmp_path), small_robot(tmp_path))
    rows = {row.what: row for row in report.rows}
    assert rows['reachable'].verdict == WARN
    assert rows['reachable'].found == 'no transition leads from low to high'
    report = check_set(loaded(tmp_path, more='  - {from: mid, to: high}\n'), small_robot(tmp_path))
    rows = {row.what: row for row in report.rows}
    assert (rows['reachable'].verdict, rows['reachable'].found) == (OK, 'all from low')


def test_a_policy_that_gets_up_is_reached_by_a_fall(tmp_path):
    """No request leads to it, and it is no forgotten one."""
    more = '  - {from: [low, mid], to: high, automatic: fallen}\n  - {from: high, to: low}\n'
    report = check_set(loaded(tmp_path, more=more), small_robot(tmp_path))
    rows = {row.what: row for row in report.rows}
    assert (rows['reachable'].verdict, rows['reachable'].found) == (OK, 'all from low')


def test_the_table_says_when_how_and_what_changes(tmp_path):
    """Gains and start poses that jump are what a switch is feared for."""
    found = loaded(tmp_path)
    report = check_set(found, small_robot(tmp_path))
    head, first, second = transition_table(found.policy_set, report.changes)
    assert head == ['from', 'to', 'begins', 'how', 'conditions', 'changes']
    assert first[:5] == [
        'low', 'mid', 'asked for', 'at once', 'max_tilt 0.2, command_neutral, pose_within 0.5'
    ]  # fmt: skip
    assert first[5] == 'kp of 2 joints; start pose by 0.20 rad (joint_0)'
    assert second[2:5] == ['asked for', 'blend 0.1 s', 'none']
    assert transitions_json(found.policy_set)[1] == {
        'from': 'mid', 'to': 'low', 'begins': 'asked for', 'how': 'blend 0.1 s',
        'conditions': 'none',
    }  # fmt: skip


def test_gains_that_the_robot_does_not_allow_fail(tmp_path):
    """The factors of the set count: 20 times 2.5 is over 40."""
    found = loaded(tmp_path, factor=2.0)
    small = small_robot(tmp_path)
    rows = {row.what: row for row in check_set(found, small).policies['mid']}
    assert rows['limits'].verdict == OK
    assert 'kp times 2 and kd times 1 by the set' in rows['gains'].found
    text = small.path.read_text().replace('kp_max: 40.0', 'kp_max: 39.0')
    small.path.write_text(text)
    from kinfer_ros.robot.robot import load_robot

    report = check_set(found, load_robot(small.path))
    rows = {row.what: row for row in report.policies['mid']}
    assert rows['limits'].verdict == FAIL
    assert 'kp of joint_0: the set asks for 40, the robot YAML allows 0 to 39' in (
        rows['limits'].found
    )
    assert report.changes == {}
