"""The table of an evaluation: every number of every job, as its users read it."""

from __future__ import annotations

import csv
import importlib.util

import pytest

from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RunError
from kinfer_ros.evaluation.results_table import check_path
from kinfer_ros.evaluation.results_table import write_table

RECORDS = [
    {
        'job': 'forward/calm/0', 'survived': True, 'reason': '', 'run_s': 4.0, 'gait_hz': None,
        'forces_n': {'left_foot': {'mean': 60.5, 'max': 200.0}}, 'drawn': {'friction': 1.0},
    },
    {
        'job': 'forward/body/3', 'survived': False, 'reason': 'fell: "tilt"', 'run_s': 2.5,
        'gait_hz': 1.5, 'forces_n': {'left_foot': {'mean': 61.5, 'max': 210.0}},
        'drawn': {'friction': 1.0, 'com_m': {'x': 0.01}},
    },
]  # fmt: skip


def test_csv(tmp_path):
    """A row per job, a column per number, nothing where a job has none."""
    path = tmp_path / 'results.csv'
    assert write_table(RECORDS, path) == 2
    with path.open() as file:
        first, second = csv.DictReader(file)
    assert (first['command'], first['condition'], first['seed']) == ('forward', 'calm', '0')
    assert first['forces_n/left_foot/max'] == '200.0'
    assert first['gait_hz'] == first['drawn/com_m/x'] == ''
    assert second['drawn/com_m/x'] == '0.01'
    assert second['reason'] == 'fell: "tilt"'


def test_parquet(tmp_path):
    """As pandas reads it: numbers, booleans, texts and nulls."""
    parquet = pytest.importorskip('pyarrow.parquet', reason='requirements/parquet.txt has it')
    path = tmp_path / 'results.parquet'
    write_table(RECORDS, path)
    table = parquet.read_table(path)
    types = {field.name: str(field.type) for field in table.schema}
    assert types['gait_hz'] == types['drawn/com_m/x'] == types['run_s'] == 'double'
    assert (types['survived'], types['seed'], types['reason']) == ('bool', 'int64', 'string')
    assert table.column('gait_hz').to_pylist() == [None, 1.5]
    assert table.column('drawn/com_m/x').to_pylist() == [None, 0.01]


def test_without_pyarrow_one_line_says_what_is_missing(tmp_path, capsys, monkeypatch):
    """Before the first job, not after an hour of them."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'pyarrow' else find(name)
    )
    out = tmp_path / 'x.parquet'
    assert main(['eval', str(MODEL), '--robot', 'biped', '--out', str(out)]) == 2
    said = capsys.readouterr().err
    assert 'pip install pyarrow' in said
    assert len(said.splitlines()) == 1


def test_other_formats_are_refused(tmp_path):
    """With the formats that there are."""
    with pytest.raises(ConfigError, match=r'csv or \.parquet'):
        check_path(tmp_path / 'results.xlsx')
    with pytest.raises(ConfigError, match='no folder'):
        check_path(tmp_path / 'nowhere' / 'results.csv')
    with pytest.raises(RunError, match='cannot be written'):
        write_table(RECORDS, tmp_path / 'nowhere' / 'results.csv')
