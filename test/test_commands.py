"""`python -m kinfer_ros`: the list of commands, and user errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kinfer_ros
from kinfer_ros import __main__ as door
from kinfer_ros.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def test_help_lists_every_command(capsys):
    """Users find commands through --help."""
    assert door.main(['--help']) == 0
    text = capsys.readouterr().out
    for name, (_, line) in door.COMMANDS.items():
        assert ROOT.joinpath(*door.module_of(name).split('.')).with_suffix('.py').is_file()
        assert f'  {name}' in text
        assert line in text


def test_version(capsys):
    """Bug reports need it."""
    assert door.main(['--version']) == 0
    assert capsys.readouterr().out == f'kinfer_ros {kinfer_ros.__version__}\n'


def test_no_command(capsys):
    """A missing command is an error in a script: not exit code 0."""
    assert door.main([]) == 2
    assert 'which command?' in capsys.readouterr().err


def test_unknown_command_suggests_the_nearest(capsys):
    """A typo should be easy to correct."""
    assert door.main(['wlak']) == 2
    text = capsys.readouterr().err
    assert "there is no command 'wlak'. Did you mean 'walk'?" in text
    assert 'commands:' in text


class Module:
    """A command module whose main raises."""

    def __init__(self, error):
        self.error = error

    def main(self, argv):
        """Fail like a command."""
        raise self.error


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (ConfigError('duration: found -1, expected a positive number'), 'found -1'),
        (ModuleNotFoundError('gone', name='rclpy'), "needs the Python module 'rclpy'"),
    ],
)
def test_a_user_error_has_no_traceback(monkeypatch, capsys, error, said):
    """One clear line and exit code 2, even if the command did not catch it."""
    monkeypatch.setattr(door.importlib, 'import_module', lambda name: Module(error))
    assert door.main(['walk']) == 2
    assert said in capsys.readouterr().err


def test_our_own_missing_module_is_a_bug(monkeypatch):
    """A broken installation must not look like a missing dependency."""
    error = ModuleNotFoundError('gone', name='kinfer_ros.cli.walk.walk')
    monkeypatch.setattr(door.importlib, 'import_module', lambda name: Module(error))
    with pytest.raises(ModuleNotFoundError):
        door.main(['walk'])


def test_pack_works_without_ros():
    """Models are packed on training machines, which have no ROS."""
    code = (
        "import sys; sys.modules['rclpy'] = None; sys.modules['mujoco'] = None;"
        "from kinfer_ros.__main__ import main; sys.exit(main(['pack', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'usage' in done.stdout
