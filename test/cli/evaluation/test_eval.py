"""`eval`: interrupt and resume, repeat one run, user errors."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.processes import REPOSITORY
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.evaluation import film_job
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import default_matrix
from kinfer_ros.policy.policy import load_model

WORDS = [str(MODEL), '--robot', 'biped']
JOBS = ['--condition', 'rough', '--command', 'turn', '--seconds', '1.5', '--seeds', '24']


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / 'results.ndjson').read_text().splitlines()]


def test_it_resumes_after_ctrl_c_with_the_same_numbers(tmp_path):
    """Ctrl-C in a shell reaches all processes at once; no finished job runs again."""
    command = [sys.executable, '-m', 'kinfer_ros', 'eval', *WORDS, *JOBS]
    process = subprocess.Popen(
        [*command, '--workers', '2', '--evals-dir', str(tmp_path / 'evals')],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    latest = tmp_path / 'evals' / 'latest'
    deadline = time.monotonic() + 30
    while not (latest / 'results.ndjson').is_file() or not lines(latest):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=40)
    assert process.returncode == 130
    assert 'Traceback' not in said
    before = lines(latest)
    assert 1 <= len(before) < 24
    again = shlex.split(said.rpartition('continue with: ')[2].strip())
    assert again[:4] == ['python', '-m', 'kinfer_ros', 'eval']
    done = subprocess.run(
        [sys.executable, *again[1:]], cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    after = lines(latest)
    assert after[: len(before)] == before
    assert len({each['job'] for each in after}) == len(after) == 24
    assert (latest / 'report.html').is_file()
    policy = load_model(MODEL)
    job = replace(default_matrix(policy.contract).job('turn/rough/3'), seconds=1.5)
    (kept,) = [each for each in after if each['job'] == job.id]
    assert kept == run_job(Subject(MODEL, 'biped'), job)


@pytest.mark.ros
def test_the_printed_command_repeats_the_worst_run(tmp_path, capsys, monkeypatch):
    """Run unchanged; recorded so that replay and verdict read it."""
    monkeypatch.chdir(tmp_path)
    assert main(['eval', *WORDS, '--quick', '--workers', '1']) == 0
    said = capsys.readouterr().out
    (again,) = [line for line in said.splitlines() if line.startswith('again ')]
    words = shlex.split(again)[1:]
    assert words[:3] == ['python', '-m', 'kinfer_ros']
    assert main([*words[3:], '--json']) == 0
    record = json.loads(capsys.readouterr().out)
    run = record.pop('run')
    assert record in lines(tmp_path / 'evals' / 'latest')
    assert main(['replay', run]) == 0
    assert 'identical' in capsys.readouterr().out
    assert main(['verdict', run]) == 0
    assert 'pushed by ' in (Path(run) / 'steps.ndjson').read_text()


@pytest.mark.parametrize(
    ('more', 'said'),
    [
        (['--only', 'trun/calm/0'], "did you mean 'turn'"),
        (['--only', 'turn/calm'], 'expected COMMAND/CONDITION/SEED'),
        (['--record', 'runs'], 'needs --only'),
        (['--seconds', '0'], 'found 0, expected 1 to 3600'),
        (['--condition', 'clam'], "did you mean 'calm'"),
        (['--resume', 'nowhere'], 'no evaluation'),
        (['--matrix', 'gone.yaml'], 'cannot be read'),
    ],
)
def test_a_user_error_is_one_line(capsys, more, said):
    """Exit code 2, before anything runs."""
    assert main(['eval', *WORDS, *more]) == 2
    assert said in capsys.readouterr().err


class FakeFilm:
    """Counts its pictures: a real one takes half a minute where there is no GPU."""

    def __init__(self, path: Path, robot, *, waits: bool) -> None:
        assert waits, 'every frame is to be drawn'
        self.path, self.times = path, []

    def show(self, time_ns: int) -> None:
        self.times.append(time_ns)

    def close(self, timeout: float) -> str:
        return f'film {self.path}: {self.times[-1] / 1e9:.1f} s'


def test_all_results_and_a_film_of_the_worst(tmp_path, capsys, monkeypatch):
    """The film is of the run that the summary names as the worst."""
    pytest.importorskip('imageio_ffmpeg')
    monkeypatch.setattr(film_job, 'Film', FakeFilm)
    table, film = tmp_path / 'all.csv', tmp_path / 'worst.mp4'
    words = ['--quick', '--seconds', '1', '--seeds', '1', '--evals-dir', str(tmp_path / 'evals')]
    assert main(['eval', *WORDS, *words, '--out', str(table), '--film', str(film)]) == 0
    said = capsys.readouterr().out
    worst = said.partition('worst        ')[2].partition(':')[0]
    assert f'{worst}: film {film}: 1.' in said
    assert len(table.read_text().splitlines()) == 1 + 2


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--out', 'results.xlsx'], 'ends in .csv or .parquet'),
        (['--out', 'nowhere/results.csv'], 'no folder nowhere'),
        (['--film', 'worst.gif'], 'ends in .mp4'),
        (['--film', 'a.mp4', '--only', 'stand/calm/0', '--record', 'runs'], 'exclude each other'),
    ],
)
def test_wrong_files_are_refused_before_the_first_job(words, said, capsys):
    """Not after an hour of jobs."""
    assert main(['eval', *WORDS, *words]) == 2
    assert said in capsys.readouterr().err
