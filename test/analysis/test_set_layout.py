"""A log of several policies, whose records have joints and commands in orders of their own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kinfer_ros.__main__ import main
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import all_series

WALK = {'joint_order': ['hip', 'knee', 'arm'], 'command_names': ['xvel', 'yawrate']}
DANCE = {'joint_order': ['knee', 'hip', 'head'], 'command_names': []}
TARGETS = {'walk': [1.0, 2.0, 3.0], 'dance': [20.0, 10.0, 40.0]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of walk, walk, dance, walk."""
    facts = {**WALK, 'policy': 'walk', 'policies': {'dance': DANCE, 'walk': WALK}}
    (tmp_path / 'run.json').write_text(json.dumps(facts))
    with (tmp_path / 'steps.ndjson').open('w') as file:
        for step, policy in enumerate(['walk', 'walk', 'dance', 'walk']):
            record = {
                'step_id': step, 't_us': 20_000 * step, 'mode': 'run', 'events': [],
                'policy': policy, 'target': TARGETS[policy], 'joint_angles': TARGETS[policy],
                'command': [0.5, 0.1] if policy == 'walk' else [],
            }  # fmt: skip
            file.write(json.dumps(record) + '\n')
    return tmp_path


def test_each_number_has_the_name_of_its_joint(run: Path) -> None:
    """Else a plot would show the knee as the hip whenever another policy runs."""
    opened = RecordedRun.open(run)
    columns = read_columns(opened)
    found = {each.name: each.values for each in all_series(opened, columns)}
    nan = np.nan
    np.testing.assert_equal(found['target/hip'], [1, 1, 10, 1])
    np.testing.assert_equal(found['target/knee'], [2, 2, 20, 2])
    np.testing.assert_equal(found['target/arm'], [3, 3, nan, 3])
    np.testing.assert_equal(found['target/head'], [nan, nan, 40, nan])
    np.testing.assert_equal(found['command/yawrate'], [0.1, 0.1, nan, 0.1])
    np.testing.assert_equal(found['error/hip'], [nan, 0, 9, -9])
    assert columns.policies == ['walk', 'walk', 'dance', 'walk']
    assert not columns.warnings


def test_a_table_says_which_policy_ran(run: Path, tmp_path: Path) -> None:
    """In a column of its own, beside the mode."""
    assert main(['export', str(run), '--out', str(tmp_path / 'steps.csv')]) == 0
    with (tmp_path / 'steps.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['policy'] for row in rows] == ['walk', 'walk', 'dance', 'walk']
    assert [row['target/hip'] for row in rows] == ['1.0', '1.0', '10.0', '1.0']
    assert rows[0]['target/head'] == ''


def test_a_log_without_a_set_has_no_such_column(run: Path, tmp_path: Path) -> None:
    """Tables of earlier runs stay as they are."""
    lines = [json.loads(line) for line in (run / 'steps.ndjson').open()]
    text = [json.dumps({k: v for k, v in line.items() if k != 'policy'}) for line in lines]
    (run / 'steps.ndjson').write_text('\n'.join(text) + '\n')
    (run / 'run.json').write_text(json.dumps(WALK))
    assert main(['export', str(run), '--out', str(tmp_path / 'steps.csv')]) == 0
    assert (tmp_path / 'steps.csv').read_text().startswith('step_id,time,mode,events,')


@pytest.mark.parametrize('policies', [None, {'walk': None}, {'walk': {'joint_order': 3}}, []])
def test_a_damaged_run_json_is_no_traceback(run: Path, policies: object) -> None:
    """The log has the numbers, whatever run.json is."""
    (run / 'run.json').write_text(json.dumps({**WALK, 'policy': 'walk', 'policies': policies}))
    assert main(['report', str(run), '--out', str(run / 'report.html')]) in (0, 2)
