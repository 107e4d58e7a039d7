"""`python -m kinfer_ros runs`: lists runs, and removes only what was confirmed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinfer_ros.__main__ import main
from kinfer_ros.run.directory import RunDirectory

LOG = {'error': None, 'dropped': 0}
GOOD = {'falls': 0, 'counters': {'faults': 0, 'run_ticks': 9, 'log': LOG}}


def made(runs: Path, model: str, **facts: object) -> Path:
    run = RunDirectory.create(runs, model)
    run.write_run_json({'model': f'/models/{model}', 'robot': 'biped', 'started': 'x', **facts})
    return run.path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs of one model, one of another; the last one has not ended."""
    made(tmp_path, 'walk.kinfer', ended='x', reason='duration reached', **GOOD)
    made(tmp_path, 'walk.kinfer', ended='x', reason='tilt', **(GOOD | {'falls': 1}))
    made(tmp_path, 'run.kinfer', ended='x', reason='killed')
    made(tmp_path, 'walk.kinfer', ended=None)
    (tmp_path / 'notes').mkdir()
    return tmp_path


def listed(capsys, runs: Path, *words: str) -> list[dict]:
    assert main(['runs', '--runs-dir', str(runs), '--json', *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_removing_with_json(runs, capsys):
    """JSON of the removed runs, without a prompt."""
    words = ['runs', '--runs-dir', str(runs), '--verdict', 'bad', '--remove', '--json']
    assert main(words) == 2
    assert '--yes' in capsys.readouterr().err
    assert main([*words, '--yes']) == 0
    (gone,) = json.loads(capsys.readouterr().out)
    assert gone['reason'] == 'tilt'
    assert not Path(gone['path']).exists()
    assert main([*words, '--yes']) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_it_lists_all_runs(runs, capsys):
    """With verdicts, and a mark at the latest."""
    found = listed(capsys, runs)
    assert sorted(run['verdict'] for run in found) == ['bad', 'good', 'killed', 'open']
    assert [run['latest'] for run in found].count(True) == 1
    assert main(['runs', '--runs-dir', str(runs)]) == 0
    text = capsys.readouterr().out
    assert 'tilt' in text
    assert '4 runs' in text


@pytest.mark.parametrize(
    ('words', 'count'),
    [
        (['--model', 'walk*'], 3),
        (['--verdict', 'bad'], 1),
        (['--last', '2'], 2),
        (['--last', '0'], 0),
        (['--older', '1'], 3),
        (['--older', '9'], 0),
        (['--model', 'none'], 0),
    ],
)
def test_filters(runs, capsys, words, count):
    """By model, verdict and age."""
    assert len(listed(capsys, runs, *words)) == count


def test_removing_needs_a_confirmation(runs, capsys, monkeypatch):
    """A run is evidence."""
    words = ['runs', '--runs-dir', str(runs), '--remove', '--model', 'walk*']
    assert main(words) == 2
    assert '--yes' in capsys.readouterr().err
    monkeypatch.setattr('sys.stdin.isatty', lambda: True)
    monkeypatch.setattr('builtins.input', lambda text: 'n')
    assert main(words) == 1
    assert len(list(runs.glob('2*'))) == 4
    monkeypatch.setattr('builtins.input', lambda text: 'y')
    assert main(words) == 0
    capsys.readouterr()
    left = listed(capsys, runs)
    assert sorted(run['verdict'] for run in left) == ['killed', 'open']
    assert (runs / 'latest').is_symlink(), 'the run that goes on keeps its link'
    assert (runs / 'notes').is_dir()


def test_no_directory_is_exit_code_2(tmp_path, capsys):
    """The error names the path."""
    assert main(['runs', '--runs-dir', str(tmp_path / 'none')]) == 2
    assert 'none' in capsys.readouterr().err
