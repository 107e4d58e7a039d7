"""`python -m kinfer_ros export`: the table has the log's numbers, under names people know."""

from __future__ import annotations

import csv

import numpy as np

from helpers.recorded import record_run
from kinfer_ros.__main__ import main
from kinfer_ros.telemetry.ndjson import read_steps


def test_the_table_has_the_numbers_of_the_log(tmp_path, capsys):
    """To the bit, a row a tick; an absent part is an empty cell."""

    def stop(step, simulation):
        if step == 40:
            simulation.controller.request_stop('enough')

    run = record_run(tmp_path, 1.0, stop)
    assert main(['export', str(run)]) == 0
    assert 'rows' in capsys.readouterr().out
    with (run / 'steps.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    records = list(read_steps(run))
    assert len(rows) == len(records)
    knee = list(records[0]['joint_order']).index('left_knee')
    for row, record in zip(rows, records, strict=True):
        assert int(row['step_id']) == record['step_id']
        assert np.float32(row['joint_angles/left_knee']) == record['joint_angles'][knee]
        if record['target'] is None:
            assert row['target/left_knee'] == ''
        else:
            assert np.float32(row['target/left_knee']) == record['target'][knee]
    assert any('damp: enough' in row['events'] for row in rows)
    assert 'command/xvel' in rows[0]
    assert 'gyro/z' in rows[0]


def test_what_cannot_be_written_is_exit_code_2(tmp_path, capsys):
    """The path stands in the message."""
    run = record_run(tmp_path, 0.1)
    assert main(['export', str(run), '--out', str(tmp_path / 'none' / 'x.csv')]) == 2
    assert 'x.csv' in capsys.readouterr().err
