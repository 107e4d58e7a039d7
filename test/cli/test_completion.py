"""Completion, in a bash of its own: what the Tab key makes of a line."""

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

BASH = shutil.which('bash')


class Shell:
    """An interactive bash in a pseudo-terminal, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        environment = {
            'PATH': os.environ['PATH'],
            'TERM': 'dumb',
            'PS1': '> ',
            'HOME': str(folder),
        }
        self._process = subprocess.Popen(
            [str(BASH), '--norc', '--noprofile', '-i'], stdin=theirs, stdout=theirs,
            stderr=theirs, cwd=folder, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
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


@pytest.mark.skipif(BASH is None, reason='no bash on PATH')
def test_tab_in_bash(tmp_path, capsys):
    """Commands, options, values, arguments of `walk`; files where a file is meant."""
    assert main(['completion', 'bash']) == 0
    (tmp_path / 'completion.sh').write_text(capsys.readouterr().out)
    (tmp_path / 'walking.kinfer').touch()
    start = 'python -m kinfer_ros '
    lines = {
        'doc\t': 'doctor ',
        'kos st\t': 'kos state ',
        'kos state --onc\t': 'kos state --once ',
        'check --robot zb\t': 'check --robot zbot ',
        'runs --verdict ki\t': 'runs --verdict killed ',
        'walk vide\t#': 'walk video:=#',
        'walk bridge:=muj\t': 'walk bridge:=mujoco ',
        'inspect walki\t': 'inspect walking.kinfer ',
    }
    with Shell(tmp_path) as shell:
        shell.line('source ./completion.sh; echo re""ady\n', 'ready')
        for keys, wanted in lines.items():
            assert start + wanted in shell.line(start + keys, start + wanted)
        other = 'python walki\t'
        assert 'python walking.kinfer ' in shell.line(other, 'python walking.kinfer ')


@pytest.mark.ros
def test_every_command_is_in_it(capsys):
    """A script that knows half of them would teach the wrong half."""
    from kinfer_ros.__main__ import COMMANDS
    from kinfer_ros.cli.completion import collect

    found = collect()
    assert set(COMMANDS) <= set(found)
    assert {'--matrix', '--resume', '--only'} <= set(found['eval'])
    assert found['walk robot:='] == found['eval --robot'] == ['biped', 'kbot', 'zbot']
    assert capsys.readouterr().err == ''
