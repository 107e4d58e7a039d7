"""`python -m kinfer_ros replay`: verdict, exit code, JSON, errors."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.differences import Comparison
from kinfer_ros.cli.runs.bag_replay_output import lines


@pytest.fixture(scope='module')
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('walk'), 2.0)


@pytest.fixture
def copy(walk: Path, tmp_path: Path) -> Path:
    for name in ('run.json', 'steps.ndjson'):
        (tmp_path / name).write_bytes((walk / name).read_bytes())
    return tmp_path


def change_facts(path: Path, **facts: object) -> None:
    file = path / 'run.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


def test_an_unchanged_run_is_identical(walk, capsys):
    """Exit code 0 and verdict `identical`."""
    assert main(['replay', str(walk)]) == 0
    text = capsys.readouterr().out
    assert 'verdict      identical' in text
    assert 'replayed     100 of 100 steps of mode run' in text


def test_a_forged_output_is_exit_code_1(copy, capsys):
    """The first step, tensor and index, and the difference; as text and JSON."""
    log = copy / 'steps.ndjson'
    lines = log.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[60])
    record['output'][3] += 0.25
    lines[60] = json.dumps(record).encode() + b'\n'
    log.write_bytes(b''.join(lines))
    assert main(['replay', str(copy)]) == 1
    text = capsys.readouterr().out
    assert 'verdict      differs' in text
    assert f'0.25 at step {record["step_id"]}, output[3]' in text
    assert main(['replay', str(copy), '--json']) == 1
    found = json.loads(capsys.readouterr().out)
    assert found['tensors']['output']['first']['index'] == 3
    assert found['tensors']['output']['differing'] == 1
    assert main(['replay', str(copy), '--tolerance', '0.3']) == 0
    assert 'within tolerance' in capsys.readouterr().out


def test_another_onnxruntime_is_judged_by_the_tolerance(copy, capsys):
    """Kernels of another build round differently; the output says that a tolerance was used."""
    versions = json.loads((copy / 'run.json').read_text())['versions']
    change_facts(copy, versions=versions | {'onnxruntime': '0.1.0'})
    assert main(['replay', str(copy)]) == 0
    assert 'ONNX Runtime 0.1.0 recorded' in capsys.readouterr().out


def test_a_changed_model_is_refused(copy, capsys):
    """A comparison with another policy proves nothing."""
    change_facts(copy, model_sha256='0' * 64)
    assert main(['replay', str(copy)]) == 2
    assert 'has changed since this run' in capsys.readouterr().err
    change_facts(copy, model='/nowhere/walk.kinfer')
    assert main(['replay', str(copy)]) == 2
    assert '--model' in capsys.readouterr().err


def test_another_model_shows_how_it_would_have_acted(copy, capsys, tmp_path):
    """Figures per joint, exit code 0; and a plot if matplotlib is installed."""
    change_facts(copy, model_sha256='0' * 64)
    assert main(['replay', str(copy), '--model', str(MODEL)]) == 0
    text = capsys.readouterr().out
    assert 'another model' in text
    assert 'left_knee' in text
    picture = tmp_path / 'plot.png'
    code = main(['replay', str(copy), '--model', str(MODEL), '--png', str(picture)])
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert code == 2
        assert 'matplotlib' in capsys.readouterr().err
    else:
        assert code == 0
        assert f'picture      {picture}' in capsys.readouterr().out
        assert picture.read_bytes().startswith(b'\x89PNG')


def test_no_run_is_exit_code_2(tmp_path, capsys):
    """The error names the path, without a traceback."""
    assert main(['replay', str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_two_minutes_replay_in_under_4_s(copy):
    """10 minutes in 20 s: 6000 records of the walk, the same two seconds repeated."""
    lines = (copy / 'steps.ndjson').read_bytes().splitlines(keepends=True)
    with (copy / 'steps.ndjson').open('wb') as file:
        step = 0
        while step < 6000:
            for line in lines:
                number = b'{"step_id":%d,' % step
                file.write(number + line.partition(b',')[2])
                step += 1
    begin = time.process_time()
    assert main(['replay', str(copy)]) == 0
    assert time.process_time() - begin < 4.0


@pytest.mark.ros
def test_a_run_without_a_bag_cannot_be_replayed_from_it(copy, capsys):
    """One line, exit code 2."""
    assert main(['replay', '--bag', str(copy)]) == 2
    assert 'no bag in it' in capsys.readouterr().err
    (copy / 'bag').mkdir()
    (copy / 'bag' / 'bag.mcap').write_bytes(b'\x89MCAP0\r\n' + bytes(50))
    assert main(['replay', '--bag', str(copy)]) == 2
    assert 'joint_commands' in capsys.readouterr().err
    assert main(['replay', '--bag', '--model', str(MODEL), str(copy)]) == 2
    assert 'excludes --model' in capsys.readouterr().err


@pytest.mark.parametrize('lockstep', [True, False])
def test_a_real_time_bag_that_differs_says_why(lockstep):
    """With a carry nearly every tick differs there, which looks like a broken robot."""
    outcome = SimpleNamespace(
        target=Comparison(0.0), other_target=Comparison(0.0), ticks=2, without_sample=0, modes=0
    )
    outcome.target.compare(0, 'target', np.zeros(1), np.ones(1))
    text = '\n'.join(lines(outcome, good=False, exact=True, lockstep=lockstep))
    assert 'verdict      differs' in text
    assert ('of a policy with a carry all after the first' in text) != lockstep
