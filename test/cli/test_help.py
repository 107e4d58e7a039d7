"""Help of every command: an example that parses, exit codes, the same words, nearest matches."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest

from helpers.processes import REPOSITORY
from kinfer_ros.__main__ import COMMANDS
from kinfer_ros.__main__ import main
from kinfer_ros.__main__ import module_of
from kinfer_ros.cli.parsers import PROGRAM
from kinfer_ros.cli.parsers import subcommands
from kinfer_ros.launching import arguments


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command that uses argparse."""
    parser: argparse.ArgumentParser = importlib.import_module(module_of(name)).make_parser()
    return parser


def places() -> list[tuple[str, ...]]:
    """Every command and subcommand."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        found.append((name,))
        if name != 'walk':
            found += [(name, each) for each in subcommands(parser_of(name))]
    return found


def run(words: list[str]) -> int:
    """Run a command; argparse exits with SystemExit."""
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    'place',
    [
        # walk shows the parameters of the nodes
        pytest.param(place, marks=pytest.mark.ros if place == ('walk',) else ())
        for place in places()
    ],
    ids=' '.join,
)
def test_help_has_an_example_that_parses(place, capsys):
    """The fastest way to learn a command is to copy a line that works."""
    assert run([*place, '--help']) == 0
    text = capsys.readouterr().out
    assert re.search(r'^exit code 0', text, re.MULTILINE)
    assert '2: an error' in ' '.join(text.split())
    lines = [line.strip() for line in text.splitlines() if line.startswith(f'  {PROGRAM} ')]
    assert lines
    for line in lines:
        words = shlex.split(line.partition('>')[0].removeprefix(PROGRAM))
        assert words[: len(place)] == list(place)
        if place == ('walk',):
            arguments.parse(words[1:])
        else:
            parser_of(place[0]).parse_args(words[1:])


@pytest.mark.parametrize('name', COMMANDS)
def test_a_user_error_is_exit_code_2(name, capsys):
    """In every command; scripts depend on it."""
    assert run([name, '--no-such-option']) == 2
    said = capsys.readouterr().err
    assert 'Traceback' not in said
    assert 'error: ' in said


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['runs', '--verdct', 'bad'], "did you mean '--verdict'"),
        (['runs', '--verdict', 'god'], "did you mean 'good'"),
        (['kos', 'stat'], "did you mean 'state'"),
        (['kos', 'state', '--tsl'], "did you mean '--tls'"),
        pytest.param(['walk', 'brigde:=mujoco'], 'did you mean bridge', marks=pytest.mark.ros),
        (['repot', 'runs/latest'], "Did you mean 'report'"),
    ],
)
def test_errors_suggest_the_nearest_name(words, said, capsys):
    """A typo should be easy to correct."""
    assert run(words) == 2
    assert said in capsys.readouterr().err


def test_a_closed_pipe_gives_no_traceback(tmp_path):
    """`... | head` is common."""
    (tmp_path / 'runs').mkdir()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, '-m', 'kinfer_ros', 'runs', '--runs-dir', str(tmp_path / 'runs')],
        cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ''


def test_help_of_a_command_by_its_name(capsys):
    """`help walk` is a common first try."""
    assert run(['help', 'export']) == 0
    assert 'usage: python -m kinfer_ros export' in capsys.readouterr().out
    assert run(['help']) == 0
    assert 'commands:' in capsys.readouterr().out


def options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Options of a parser and its subcommands, by name."""
    found: dict[str, argparse.Action] = {}
    for action in parser._actions:
        found |= dict.fromkeys(action.option_strings, action)
    for each in subcommands(parser).values():
        found |= options(each)
    return found


def test_options_have_the_same_meaning_everywhere():
    """An option has the same name and meaning in every command."""
    meanings: dict[str, set[str]] = {}
    for name in COMMANDS:
        if name != 'walk':
            for option, action in options(parser_of(name)).items():
                text = re.sub(r' ?\(default .*?\)', '', str(action.help))
                meanings.setdefault(option, set()).add(text)
    for option in ('--robot', '--node', '--force'):
        assert len(meanings[option]) == 1, meanings[option]
    for old in ('--output-dir', '--outfile', '--robot-file', '--policy', '--ns', '--verbose'):
        assert old not in meanings
    assert '--out' in meanings
