"""`eval`: interrupt and resume, repeat one run, user errors."""

from __future__ import annotations

import html
import json
import os
import re
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


def group_lives(group: int) -> bool:
    """Whether any process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


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
    assert not re.search('Traceback|resource_tracker|leaked|Process ', said)
    before = lines(latest)
    assert 1 <= len(before) < 24
    kept = f'interrupted: {len(before)} of 24 runs are kept in {latest.resolve()}, shown in'
    assert kept in said
    assert f'{24 - len(before)} jobs have no result' in (latest / 'report.html').read_text()
    while group_lives(process.pid):
        assert time.monotonic() < deadline + 30, 'a worker is left'
        time.sleep(0.01)
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
        (['--spec-b', 'b.yaml'], '--spec-b needs --compare'),
        (['--compare', 'a.kinfer', 'b.kinfer'], 'beside --compare, expected none'),
    ],
)
def test_a_user_error_is_one_line(capsys, more, said):
    """Exit code 2, before anything runs."""
    assert main(['eval', *WORDS, *more]) == 2
    assert said in capsys.readouterr().err


class FakeFilm:
    """Counts its pictures: a real one takes half a minute where there is no GPU."""

    def __init__(self, path: Path, robot, *, waits: bool, say, seconds: float) -> None:
        assert waits, 'every frame is to be drawn'
        assert seconds == 1.0
        say('film: 1 s of it take about 3 s here')
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
    said, progress = capsys.readouterr()
    assert 'film: 1 s of it take about 3 s here' in progress
    worst = said.partition('worst        ')[2].partition(':')[0]
    assert f'{worst}: film {film}: 1.' in said
    assert len(table.read_text().splitlines()) == 1 + 4 * 3


def test_the_results_are_there_before_the_film(tmp_path, capsys, monkeypatch):
    """Ctrl-C during a film of a minute left a user without a word on the finished evaluation."""
    pytest.importorskip('imageio_ffmpeg')

    class Interrupted(FakeFilm):
        def show(self, time_ns: int) -> None:
            raise KeyboardInterrupt

        def close(self, timeout: float) -> str:
            return ''

    monkeypatch.setattr(film_job, 'Film', Interrupted)
    words = ['--quick', '--seconds', '1', '--seeds', '1', '--evals-dir', str(tmp_path)]
    assert main(['eval', *WORDS, *words, '--film', str(tmp_path / 'worst.mp4')]) == 130
    said = capsys.readouterr().out
    assert 'worst        ' in said
    assert 'page         ' in said


def test_the_policy_of_the_robot_is_the_default(tmp_path, capsys):
    """The first thing that one tries; it is said which policy that is."""
    words = ['eval', '--robot', 'biped', '--only', 'forward/calm/0', '--seconds', '1', '--json']
    assert main(words) == 0
    said = capsys.readouterr()
    assert f'policy       {MODEL} (it ships for this robot)' in said.err
    job = replace(default_matrix(load_model(MODEL).contract).job('forward/calm/0'), seconds=1.0)
    assert json.loads(said.out) == json.loads(json.dumps(run_job(Subject(MODEL, 'biped'), job)))
    assert main(['eval', '--robot', str(tmp_path / 'other.yaml')]) == 2
    assert 'MODEL: found none, and none ships for the robot' in capsys.readouterr().err


COMPARISON = ['--quick', '--seconds', '2', '--workers', '1']


def test_two_policies_are_compared(tmp_path, capsys, monkeypatch):
    """On the commands that both take; one command repeats a job of either with its numbers."""
    monkeypatch.chdir(tmp_path)
    other = MODEL.with_name('crouch.kinfer')
    words = ['--compare', str(MODEL), str(other), '--robot', 'biped', *COMPARISON]
    assert main(['eval', *words, '--seeds', '2', '--out', 'all.csv', '--json']) == 0
    said = capsys.readouterr()
    assert 'note: only A takes the command xvel, yvel, yawrate' in said.err
    content = json.loads(said.out)
    latest = tmp_path / 'evals' / 'latest'
    assert json.loads((latest / 'comparison.json').read_text()) == {
        key: value for key, value in content.items() if key != 'no_result'
    }
    assert 'B against A' in (latest / 'comparison.html').read_text()
    assert (latest / 'comparison.csv').read_text() == (tmp_path / 'all.csv').read_text()
    power = content['rows'][5]
    assert (power['scope'], power['measure'], power['pairs']) == ('all', 'power', 5)
    a, b = ({each['job']: each['power_w'] for each in lines(latest / side)} for side in 'ab')
    assert power['difference'] == pytest.approx(sum(b[job] - a[job] for job in a) / 5)
    page = (latest / 'b' / 'report.html').read_text()
    again = html.unescape(page.partition('<code>')[2].partition('</code>')[0])
    again = re.sub('<.*?>', '', again)
    assert f'eval {other} --robot biped --matrix' in again
    repeated = again.partition(' --record')[0].partition('kinfer_ros ')[2]
    assert main([*shlex.split(repeated), '--json']) == 0
    assert json.loads(capsys.readouterr().out) in lines(latest / 'b')


def test_a_comparison_is_resumed(tmp_path, capsys):
    """What has run does not run again."""
    words = ['eval', '--compare', str(MODEL), str(MODEL), '--robot', 'biped', *COMPARISON]
    words += ['--condition', 'calm', '--evals-dir', str(tmp_path)]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert 'no difference: survived, vx error, vy error, wz error, heading error' in first
    latest = (tmp_path / 'latest').resolve()
    file = latest / 'b' / 'results.ndjson'
    kept = file.read_text().splitlines(keepends=True)
    file.write_text(''.join(kept[:2]))
    assert main([*words, '--resume', str(latest)]) == 0
    assert capsys.readouterr().out == first
    assert sorted(file.read_text().splitlines(keepends=True)) == sorted(kept)


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
