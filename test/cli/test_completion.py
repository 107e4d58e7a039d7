"""Completion in real shells: what the Tab key makes of a line."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kinfer_ros.__main__ import main

SHELLS = {'bash': ['--norc', '--noprofile', '-i'], 'zsh': ['-f', '-i']}
"""The options of an interactive shell that reads none of the user's files."""

LINES = {
    'doc\t': 'doctor ',
    'help rob\t': 'help robot ',
    'kos st\t': 'kos state ',
    'kos state --onc\t': 'kos state --once ',
    'node enab\t': 'node enable ',
    'check --robot zb\t': 'check --robot zbot ',
    'runs --verdict ki\t': 'runs --verdict killed ',
    'export run --to parq\t': 'export run --to parquet ',
    'walk dura\t#': 'walk duration:=#',
    'walk bridge:=muj\t': 'walk bridge:=mujoco ',
    'walk vx:=0.3 robot:=zb\t': 'walk vx:=0.3 robot:=zbot ',
    'walk model:=walki\t': 'walk model:=walking.kinfer ',
    'walk --show\t': 'walk --show-args ',
    'inspect walki\t': 'inspect walking.kinfer ',
    'eval m.onnx --spec walki\t': 'eval m.onnx --spec walking.kinfer ',
    'report run walki\t': 'report run walking.kinfer ',
    'plot run gyro walki\t': 'plot run gyro walking.kinfer ',
}
"""Behind `python -m kinfer_ros`: what is typed, and what becomes of it."""

OTHERS = {
    'kinfer_ros walk bridge:=muj\t': 'kinfer_ros walk bridge:=mujoco ',
    'python walki\t': 'python walking.kinfer ',
}


class Shell:
    """An interactive shell in a pseudo-terminal, in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        environment = {
            'PATH': os.environ['PATH'],
            'TERM': 'dumb',
            'PS1': '> ',
            'HOME': str(folder),
        }
        self._process = subprocess.Popen(
            [name, *SHELLS[name]], stdin=theirs, stdout=theirs,
            stderr=theirs, cwd=folder, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(40)
        os.close(self._ours)

    def line(self, keys: str, wanted: str) -> str:
        """Type keys until they have become what is wanted; :return: what the line shows."""
        os.write(self._ours, keys.encode())
        text, deadline = '', time.monotonic() + 10
        while wanted not in text and time.monotonic() < deadline:
            if select.select([self._ours], [], [], 0.05)[0]:
                text += os.read(self._ours, 65536).decode(errors='replace')
        os.write(self._ours, b'\x15')  # away with the line
        return text.replace('\x07', '')


@pytest.mark.parametrize('name', SHELLS)
def test_tab(name, tmp_path, capsys):
    """Commands, options, values, arguments of `walk`; files where a file is meant."""
    if shutil.which(name) is None:
        pytest.skip(f'no {name} on PATH')
    assert main(['completion', name]) == 0
    (tmp_path / 'completion.sh').write_text(capsys.readouterr().out)
    (tmp_path / 'walking.kinfer').touch()
    start = 'python -m kinfer_ros '
    with Shell(name, tmp_path) as shell:
        assert 'ready' in shell.line('source ./completion.sh; echo re""ady\n', 'ready')
        for keys, wanted in LINES.items():
            assert start + wanted in shell.line(start + keys, start + wanted)
        for keys, wanted in OTHERS.items():
            assert wanted in shell.line(keys, wanted)


@pytest.mark.ros
def test_every_command_is_in_it(capsys):
    """A script that knows half of them would teach the wrong half."""
    from kinfer_ros.__main__ import COMMANDS
    from kinfer_ros.cli.completion import program_parser
    from kinfer_ros.cli.parsers import subcommands

    found = subcommands(program_parser())
    assert set(COMMANDS) | {'help'} == set(found)
    options = {word: action for action in found['eval']._actions for word in action.option_strings}
    assert {'--matrix', '--resume', '--only'} <= set(options)
    assert options['--robot'].choices == ('biped', 'g1', 'g1_23', 'go2', 'kbot', 'zbot')
    assert capsys.readouterr().err == ''
