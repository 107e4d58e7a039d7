"""The run directory: named, linked, written atomically, and refused with a reason."""

from __future__ import annotations

import json
import threading
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.errors import RunError
from kinfer_ros.run import directory as run
from kinfer_ros.run.directory import RunDirectory

NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


def test_name_is_utc_stamp_and_model_stem(tmp_path):
    """Runs sort by time and say what ran, wherever the machine's clock zone is."""
    local = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    made = RunDirectory.create(tmp_path / 'deep' / 'runs', '/models/walk v2.kinfer', local)
    assert made.path == tmp_path / 'deep' / 'runs' / '2026-11-23T12-00-05Z_walk_v2'
    assert made.path.is_dir()
    assert made.warnings == ()


def test_two_runs_in_one_second(tmp_path):
    """A quick restart must not write into the run before."""
    names = [RunDirectory.create(tmp_path, 'walk.kinfer', NOON).path.name for _ in range(3)]
    assert names[1:] == [f'{names[0]}-2', f'{names[0]}-3']


def test_latest_is_a_relative_link_that_moves(tmp_path):
    """runs/ can be copied elsewhere and latest still points inside it."""
    for _ in range(2):
        made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
        assert (tmp_path / 'latest').readlink() == Path(made.path.name)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith('.')) == []


def test_dangling_latest_is_replaced(tmp_path):
    """The run that latest named may have been deleted."""
    (tmp_path / 'latest').symlink_to('gone')
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    assert (tmp_path / 'latest').resolve() == made.path


def test_latest_that_is_no_link_is_left_alone(tmp_path):
    """A user's directory called latest holds a user's data."""
    (tmp_path / 'latest').mkdir()
    (tmp_path / 'latest' / 'mine').touch()
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    assert made.path.is_dir()
    assert 'latest' in made.warnings[0]
    assert (tmp_path / 'latest' / 'mine').exists()


@pytest.mark.parametrize('where', ['file', 'file/below', '/proc/nowhere/runs'])
def test_unusable_directory_is_one_clear_error(tmp_path, where):
    """The user must learn which path, why, and which parameter to change."""
    (tmp_path / 'file').touch()
    with pytest.raises(RunError, match=r'runs_dir to a directory') as error:
        RunDirectory.create(tmp_path / where, 'walk.kinfer', NOON)
    assert str(tmp_path / where) in str(error.value)


def test_run_json_starts_merges_and_finishes(tmp_path):
    """A killed run still says what it was; a finished one says how it ended as well."""
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    made.write_run_json({'model': Path('/m/walk.kinfer'), 'started': run.iso_utc(NOON)})
    first = json.loads((made.path / 'run.json').read_text())
    assert first == {'model': '/m/walk.kinfer', 'started': '2026-11-23T12:00:05.000Z'}
    made.finish('duration reached', {'ticks': np.int64(5)}, NOON + timedelta(seconds=2))
    last = json.loads((made.path / 'run.json').read_text())
    assert last['model'] == first['model']
    assert last['ticks'] == 5
    assert last['reason'] == 'duration reached'
    assert last['ended'] == '2026-11-23T12:00:07.000Z'


def refuse_constant(name):
    raise AssertionError(f'{name} is not JSON')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_run_json_is_strict_json_whatever_is_in_it(tmp_path_factory, values):
    """Parameters are open: NaN in one of them must not make run.json unreadable."""
    made = RunDirectory(tmp_path_factory.mktemp('run'))
    made.write_run_json(values)
    text = (made.path / 'run.json').read_text(encoding='utf-8')
    assert set(json.loads(text, parse_constant=refuse_constant)) == set(values)


def test_value_without_json_is_refused_and_old_file_stays(tmp_path):
    """A bug in one counter must not cost the run.json that is there."""
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    made.write_run_json({'a': 1})
    with pytest.raises(RunError, match=r'run\.json'):
        made.write_run_json({'b': object()})
    assert json.loads((made.path / 'run.json').read_text()) == {'a': 1}
    assert [p.name for p in made.path.iterdir()] == ['run.json']


def test_reader_never_sees_half_a_file(tmp_path):
    """run.json is read by tools while the run goes on."""
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    made.write_run_json({'n': 0, 'pad': 'x' * 100_000})
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(json.loads((made.path / 'run.json').read_text())['n'])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for number in range(50):
        made.write_run_json({'n': number})
    done.set()
    reader.join(10)
    assert not reader.is_alive()
    assert seen == sorted(seen)


def test_removed_directory_is_an_error_not_a_traceback(tmp_path):
    """Someone cleans up runs/ while the node is running."""
    made = RunDirectory.create(tmp_path, 'walk.kinfer', NOON)
    made.path.rmdir()
    with pytest.raises(RunError, match='cannot be written'):
        made.finish('shutdown')
