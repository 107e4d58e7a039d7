"""Words and options in any order: a user adds one more run, joint or name where the cursor is."""

from __future__ import annotations

import argparse
import importlib

import pytest

from kinfer_ros.__main__ import module_of


def parse(words: str) -> argparse.Namespace:
    """The arguments of a command line."""
    name, *rest = words.split()
    parser = importlib.import_module(module_of(name)).make_parser()
    arguments: argparse.Namespace = parser.parse_args(rest)
    return arguments


SAME = [
    ('plot a b gyro --offset 0,1', 'plot a b --offset 0,1 gyro', 'plot --offset 0,1 a b gyro'),
    ('plot a x y --from 1 --json', 'plot a x --from 1 y --json', 'plot a --json x --from 1 y'),
    ('report a b --out x.html', 'report a --out x.html b', 'report --out x.html a b'),
    ('kos zero 1 2 --host h --yes', 'kos zero 1 --host h 2 --yes', 'kos zero --yes 1 --host h 2'),
    ('kos parameters 11 12 --json', 'kos parameters 11 --json 12'),
    ('node set a 1 b 2 --node n', 'node set a 1 --node n b 2', 'node set a --node n 1 b 2'),
    ('node get a b --json', 'node get a --json b'),
    ('node push --node n -- -0.3 0 -1', 'node push -0.3 0 --node n -1'),
]  # fmt: skip


@pytest.mark.parametrize('lines', SAME, ids=lambda lines: lines[0])
def test_an_option_may_stand_between_the_words(lines):
    """Alone, argparse ends a list of words at the first option after it."""
    first, *others = map(parse, lines)
    for other in others:
        assert vars(other) == vars(first)


def test_what_is_missing_is_named(capsys):
    """The words that are required, and no others."""
    for line, missing in (('plot', 'RUN'), ('report --out x', 'RUN'), ('eval', '--robot')):
        with pytest.raises(SystemExit):
            parse(line)
        assert f'required: {missing}\n' in capsys.readouterr().err


def test_what_is_too_much_is_named(capsys):
    """With the option that was meant."""
    with pytest.raises(SystemExit):
        parse('plot a gyro --ofset 0,1 accel')
    said = capsys.readouterr().err
    assert 'unrecognized arguments: --ofset' in said
    assert "did you mean '--offset'" in said
    with pytest.raises(SystemExit):
        parse('verdict a b')
    assert 'unrecognized arguments: b\n' in capsys.readouterr().err


@pytest.mark.parametrize(
    'words', ['watch --foxglove', 'top', 'node mode', 'teleop', 'check a.onnx']
)
def test_a_namespace_that_cannot_be_one_is_a_user_error(words, capsys):
    """Some commands showed a traceback of rclpy."""
    robot = ['--robot', 'biped'] if words.startswith('check') else []
    for name in ('bad name', '1st', 'robot1/'):
        with pytest.raises(SystemExit, match='2'):
            importlib.import_module(module_of(words.split()[0])).make_parser().parse_args(
                [*words.split()[1:], *robot, '--namespace', name]
            )
        assert f'--namespace: found {name!r}, expected names' in capsys.readouterr().err
    assert parse('watch --namespace /left/arm').namespace == '/left/arm'
