"""Common to all commands on recorded runs: help with an example, JSON, exit codes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.__main__ import main

COMMANDS = (
    'export', 'plot', 'repair', 'replay', 'report', 'runs', 'top', 'verdict', 'watch',
)  # fmt: skip


def fault(step: int, simulation) -> None:
    if step == 60:
        simulation.controller.request_fault('a cable')


@pytest.fixture(scope='module')
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp('bad'), 2.0, fault)


@pytest.mark.parametrize('name', COMMANDS)
def test_help_has_an_example(name, capsys):
    """People copy the example; --json is listed."""
    with pytest.raises(SystemExit) as ended:
        main([name, '--help'])
    assert ended.value.code == 0
    text = ' '.join(capsys.readouterr().out.split())
    assert '--json' in text
    assert re.search(rf'examples?: python -m kinfer_ros {name}', text)


def test_verdict_as_json(bad, capsys):
    """The same as the text: exit code, problems, figures."""
    assert main(['verdict', str(bad)]) == 1
    text = capsys.readouterr().out
    assert main(['verdict', str(bad), '--json']) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found['good']
    assert 'a cable' in str(found['problems'])
    assert f'distance     {found["distance_m"]:.2f} m' in text
    assert main(['verdict', str(bad / 'nothing'), '--json']) == 2


def test_what_is_no_run_is_named(bad, tmp_path, capsys):
    """A policy set, a policy, an evaluation, a folder of runs: with the way to a run."""
    (tmp_path / 'results.ndjson').touch()
    latest = bad.parent / 'latest'
    latest.unlink(missing_ok=True)
    latest.symlink_to(bad.name)
    for path, said in (
        (MODEL.with_name('set.yaml'), 'is a policy set; expected a run directory'),
        (MODEL, 'is a policy; expected a run directory'),
        (MODEL.with_name('biped.xml'), 'is a file of another kind'),
        (tmp_path, 'is an evaluation; expected a run directory'),
        (bad.parent, f'is a folder of runs; .* The newest is {latest}'),
        (tmp_path / 'nowhere', 'No such file or directory'),
    ):
        for name in ('export', 'plot', 'replay', 'report', 'verdict'):
            assert main([name, str(path)]) == 2
            assert re.search(f'^error: {path}: .*{said}', capsys.readouterr().err)
    assert main(['repair', str(MODEL)]) == 2
    assert 'is a policy; expected a run directory, such as runs/latest. `walk' in (
        capsys.readouterr().err
    )


def test_a_closed_pipe_gives_no_traceback(bad):
    """`plot --list | head` is common."""
    words = [sys.executable, '-m', 'kinfer_ros', 'plot', str(bad), '--list', '--json']
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30) == 141
    assert said == b''


WRONG = st.sampled_from(
    [None, True, -1, 1e308, 2**63, 'x', [], [None], [1, 2], [[1]], {}, {'a': 1}, [1e39] * 3]
)
COMMAND = st.sampled_from(
    [
        ['plot', '--list'],
        ['export'],
        ['export', '--to', 'mcap'],
        ['report'],
        ['replay'],
        ['verdict'],
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    damage=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), WRONG), max_size=4),
    fact=st.tuples(st.integers(0, 40), WRONG),
    command=COMMAND,
)
def test_a_damaged_run_never_breaks_a_command(bad, tmp_path_factory, damage, fact, command):
    """Whatever a record or run.json contains: partial output or one line; no traceback."""
    records = [json.loads(line) for line in (bad / 'steps.ndjson').read_bytes().splitlines()[:10]]
    for place, key, value in damage:
        record = records[place]
        record[list(record)[key % len(record)]] = value
    facts = json.loads((bad / 'run.json').read_text())
    facts[list(facts)[fact[0] % len(facts)]] = fact[1]
    run = tmp_path_factory.mktemp('damaged')
    (run / 'steps.ndjson').write_text('\n'.join(map(json.dumps, records)) + '\n')
    (run / 'run.json').write_text(json.dumps(facts))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main([command[0], str(run), *command[1:]]) in (0, 1, 2)


@pytest.mark.parametrize('name', ['export', 'plot', 'replay', 'report', 'verdict'])
def test_a_path_that_is_not_a_run_is_one_line(name, tmp_path, capsys):
    """Exit code 2, and no file is written."""
    if name == 'plot':
        pytest.importorskip('matplotlib', reason='requirements/plot.txt has it')
    (tmp_path / 'run.json').write_text('{')
    assert main([name, str(tmp_path)]) == 2
    assert capsys.readouterr().err.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['run.json']
