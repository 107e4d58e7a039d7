"""A log in parts, compressed or not, reads as one log, also after damage."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.recorded import record_run
from helpers.step_records import produce
from helpers.step_records import small_format
from kinfer_ros.__main__ import main
from kinfer_ros.analysis import log_parts
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.errors import RunError
from kinfer_ros.run import log_file
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.writer import NdjsonWriter
from kinfer_ros.run.writer import read_steps
from kinfer_ros.run.writer import steps_path

STEPS = list(range(100, 200))
LINES = [b'{"step_id":%d,"mode":"run"}\n' % step for step in STEPS]
A_PART = 18
"""Lines of this kind that make 500 bytes."""


def write(path: Path, lines: list[bytes] = LINES, rotate: int = 500, pack: bool = True) -> LogFile:
    """Write lines one by one, as a slow run does; closed parts are compressed in between."""
    file = LogFile(path, rotate, compress=pack)
    for line in lines:
        file.write(line)
        file.compress_piece()
    file.close()
    assert file.problem is None
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def steps(path: Path) -> list[int]:
    return [record['step_id'] for record in read_steps(path)]


@pytest.mark.parametrize('pack', [False, True])
def test_parts_are_read_as_one_log(tmp_path, pack):
    """In the order of writing; the open file keeps its name."""
    write(tmp_path / 'steps.ndjson', pack=pack)
    found = names(tmp_path)
    assert len(found) == 6
    assert found[0] == 'steps.0001.ndjson' + ('.zst' if pack else '')
    assert found[-1] == 'steps.ndjson'
    assert steps(tmp_path) == STEPS
    assert [p.name for p in log_parts.log_parts(tmp_path / 'steps.ndjson')] == found
    assert steps(tmp_path / found[1]) == STEPS[A_PART : 2 * A_PART], 'a part alone'


def test_a_tail_reads_on_in_the_file_of_the_same_name(tmp_path):
    """steps.ndjson always exists and is never compressed, for `tail` and kinfer's tools."""
    file = LogFile(tmp_path / 'steps.ndjson', 500, compress=True)
    for line in LINES:
        file.write(line)
        assert (tmp_path / 'steps.ndjson').is_file()
    file.close()


def test_killed_while_it_compresses(tmp_path, monkeypatch):
    """A part stays uncompressed until its compressed file is complete on disk."""
    monkeypatch.setattr(log_file, 'PIECE', 100)
    file = LogFile(tmp_path / 'steps.ndjson', 500, compress=True)
    for count, line in enumerate(LINES, start=1):
        file.write(line)
        file.compress_piece()
        assert steps(tmp_path) == STEPS[:count]
    # Killed between the last two of its acts: both forms are there.
    plain = tmp_path / 'steps.0001.ndjson'
    assert names(tmp_path)[0] == 'steps.0001.ndjson.zst', 'nothing was compressed in between'
    plain.write_bytes(b''.join(LINES[:A_PART]))
    assert steps(tmp_path) == STEPS


def test_what_is_not_compressed_in_time_stays_plain(tmp_path, monkeypatch):
    """A shutdown does not wait for compression and leaves no partial file."""
    monkeypatch.setattr(log_file, 'CLOSE_TIMEOUT', 0.0)
    file = LogFile(tmp_path / 'steps.ndjson', 500, compress=True)
    for line in LINES:
        file.write(line)
    file.close()
    assert {Path(name).suffix for name in names(tmp_path)} == {'.ndjson'}
    assert steps(tmp_path) == STEPS


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 1), flip=st.tuples(st.floats(0, 1), st.integers(1, 255)))
def test_a_damaged_part_costs_only_itself(tmp_path_factory, cut, flip):
    """Cut anywhere or any bit changed: the other parts are read, and a warning is given."""
    folder = tmp_path_factory.mktemp('log')
    write(folder / 'steps.ndjson')
    part = folder / 'steps.0002.ndjson.zst'
    data = bytearray(part.read_bytes())
    data[int(flip[0] * (len(data) - 1))] ^= flip[1]
    part.write_bytes(data[: int(cut * len(data))])
    damaged: list[int] = []
    records = list(read_steps(folder, damaged=damaged))
    found = [record.get('step_id') for record in records]
    assert found[:A_PART] == STEPS[:A_PART]
    assert found[-64:] == STEPS[2 * A_PART :]
    assert damaged or part.stat().st_size == 0


def test_it_is_not_rotated_where_it_cannot_be(tmp_path, monkeypatch):
    """The file grows on, with a warning: no record is lost."""

    def refuse(*_):
        raise OSError(1, 'Operation not permitted')

    monkeypatch.setattr(Path, 'rename', refuse)
    layout = small_format()
    ring = layout.make_ring(64)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson', 1000), ring, [layout])
    assert all(produce(ring, step) for step in range(60))
    counters = writer.close()
    assert counters['written'] == 60
    assert 'cannot be rotated (Operation not permitted)' in str(counters['error'])
    assert steps(tmp_path) == list(range(60))


def test_parts_beside_kinfers_log(tmp_path):
    """KINFER_LOG_PATH: the parts are there, and the run directory links to its own."""
    run, log = tmp_path / 'run', tmp_path / 'logs' / 'abc.ndjson'
    run.mkdir()
    log.parent.mkdir()
    write(log, LINES[:40], pack=False)
    environ = {'KINFER_LOG_PATH': str(log.parent), 'KINFER_LOG_UUID': 'abc'}
    file = write(steps_path(run, environ=environ), LINES[40:])
    assert len(names(run)) > 2
    assert [r['step_id'] for r in read_steps(run, file.offset)] == STEPS[40:]
    assert steps(log) == STEPS
    assert all(path.exists() for path in run.iterdir()), 'a link that leads nowhere'


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    """Plain logs need no compression module."""
    write(tmp_path / 'steps.ndjson')
    monkeypatch.setattr(log_parts, 'zstd', None)
    with pytest.raises(RunError, match='pip install backports'):
        list(read_steps(tmp_path))
    with pytest.raises(RunError, match='pip install backports'):
        LogFile(tmp_path / 'more.ndjson', 500, compress=True)


def test_every_command_reads_a_run_in_parts(tmp_path, capsys):
    """Replay, report, export, verdict and repair read it as one file."""
    run = record_run(tmp_path, 2.0, log_rotate_mb=0.03, log_zstd=True)
    assert 'steps.0001.ndjson.zst' in names(run)
    whole = tmp_path / 'whole'
    whole.mkdir()
    with (whole / 'steps.ndjson').open('wb') as file:
        file.writelines(RecordedRun.open(run).lines())
    shutil.copy(run / 'run.json', whole)
    columns = read_columns(RecordedRun.open(run))
    assert not columns.warnings
    assert (columns.step_id == read_columns(RecordedRun.open(whole)).step_id).all()
    for words, said in (
        (['replay', str(run)], 'identical'),
        (['report', str(run)], 'MB'),
        (['export', str(run)], f'{len(columns.step_id)} rows'),
        (['verdict', str(run)], 'falls        0'),
    ):
        assert main(words) == 0, words
        assert said in capsys.readouterr().out
    facts = json.loads((run / 'run.json').read_text())
    (run / 'run.json').write_text(json.dumps(facts | {'ended': None}))
    for path in run.glob('steps*'):
        os.utime(path, (1.0, 1.0))
    assert main(['repair', str(run)]) == 0
    assert f'{len(columns.step_id)} records, none missing' in capsys.readouterr().out
