"""The benchmarks run, on insides that nothing else holds them to, and fill their page."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from helpers.processes import REPOSITORY

sys.path.append(str(REPOSITORY / 'benchmarks'))

import suite
from _figures import Figure
from _figures import read_json
from _figures import write_json
from _page import PAGE
from _page import tables
from _page import write_page


@pytest.mark.alone
@pytest.mark.ros
@pytest.mark.parametrize('name', ['guards', 'record'])
def test_a_benchmark_runs(name, tmp_path):
    """Whatever its figures are on this machine: they are judged by `make bench` alone."""
    paths = [str(REPOSITORY), str(REPOSITORY / 'test'), os.environ.get('PYTHONPATH', '')]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / 'benchmarks' / 'suite.py'), '--quick', name],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 'bounds held' in done.stdout, done.stderr


SPEED = {'bare wake-up': 50.0}


def groups() -> dict[str, list[Figure]]:
    """A held bound, one that is not, and figures without a bound."""
    held = Figure('step', 'us', (12.0, 20.0, 30.0, 40.0), 'bare', (10.0, 20.0, 30.0, 40.0))
    over = Figure('missed', '', (30.0,), 'C, clock_nanosleep', (10.0,))
    plain = Figure('loop', 'us', (3.0, 4.0, 5.0, 6.0), "kinfer's run", (6.0, 4.0, 5.0, 6.0))
    return {
        'one': [held.bounded(held.ratios[0], 1.5, 'p50 ratio'), plain],
        'two': [over.bounded(over.ratios[0], 2.0, 'ratio')],
        'hour': [Figure('idle', 'us', (1.0, 2.0, 3.0, 4.0), 'C, x', (1.0, 1.0, 1.0, 2.0))],
    }


def test_tables_survive_the_file(tmp_path):
    """Figures of another day can be put into the page, so none may change in the file."""
    write_json(tmp_path / 'b.json', SPEED, groups())
    facts, found = read_json(tmp_path / 'b.json')
    made = tables(facts, found)
    assert made == tables(facts, groups())
    assert '| bare wake-up | 50 us |' in made['speed']


def test_each_table_has_its_rows(tmp_path):
    """All bounds stand in one table, one that is not held in bold; C and Rust in another."""
    write_json(tmp_path / 'b.json', SPEED, groups())
    made = tables(*read_json(tmp_path / 'b.json'))
    assert made['figures'].splitlines()[2:] == [
        '| step | 12, 20 us | bare: 10, 20 us | p50 ratio 1.2; <= 1.5 | `make bench ARGS=one` |',
        '| missed | 30 | C, clock_nanosleep: 10 | **ratio 3; <= 2** | `make bench ARGS=two` |',
    ]
    assert [row.split(' | ')[0] for row in made['native'].splitlines()[2:]] == [
        '| loop',
        '| missed',
    ]
    assert made['hour'].splitlines()[2:] == [
        '| idle | 1 us | 2 us | 3 us | 4 us |',
        '| C, x | 1 us | 1 us | 1 us | 2 us |',
    ]


def test_the_page_keeps_what_was_not_measured(tmp_path):
    """A run of some parts must not wipe out the rest, nor anything outside the marks."""
    page = tmp_path / 'page.md'
    text = 'a\n<!-- speed: x -->\nold\n<!-- end -->\nb\n<!-- hour: y -->\nkept\n<!-- end -->\nc\n'
    page.write_text(text)
    write_page({'speed': 'new\n'}, page)
    assert page.read_text() == text.replace('old', 'new')


def test_a_run_of_the_long_part_fills_its_table_alone(tmp_path):
    """It emptied the others."""
    write_json(tmp_path / 'b.json', SPEED, {'hour': groups()['hour']})
    assert list(tables(*read_json(tmp_path / 'b.json'))) == ['hour']


def test_the_page_is_of_one_whole_run(monkeypatch, capsys):
    """Ratios of two runs do not belong into one table: refused before anything is measured."""
    monkeypatch.setattr(sys, 'argv', ['suite.py', 'step', 'hour', '--page'])
    with pytest.raises(SystemExit):
        suite.parse()
    refusal = '--page: found 1 of 14 parts, expected all of one run, or hour'
    assert refusal in capsys.readouterr().err
    assert suite.page_problem(suite.NAMES) == suite.page_problem(['hour']) == ''


def test_our_page_has_every_mark():
    """A table without a mark would be measured and never seen."""
    text = PAGE.read_text()
    assert all(
        text.count(f'<!-- {name}: ') == 1 for name in ('speed', 'figures', 'native', 'hour')
    )
    assert text.count('<!-- end -->') == 4
