"""Every command in the docs is valid: its options, arguments and files are checked.

Cheap commands are run; a command that takes minutes or needs a robot is parsed by its own parser.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.doc_commands import PAGES
from helpers.doc_commands import Command
from helpers.doc_commands import commands
from helpers.doc_commands import named_commands
from helpers.processes import REPOSITORY
from helpers.recorded import record_run
from helpers.walking import MODEL
from kinfer_ros.__main__ import COMMANDS
from kinfer_ros.__main__ import main
from kinfer_ros.__main__ import module_of
from kinfer_ros.launching import arguments
from kinfer_ros.launching import graph
from kinfer_ros.launching import policy_node
from kinfer_ros.launching import simulation
from kinfer_ros.launching import two_robots
from kinfer_ros.nodes.command_sequences import SEQUENCE_PARAMETERS
from kinfer_ros.nodes.kos.parameters import KOS_PARAMETERS
from kinfer_ros.nodes.mujoco.parameters import MUJOCO_PARAMETERS
from kinfer_ros.nodes.ros2_control.parameters import ROS2_CONTROL_PARAMETERS
from kinfer_ros.nodes.udp_commands import UDP_PARAMETERS
from kinfer_ros.nodes.unitree.parameters import UNITREE_PARAMETERS
from kinfer_ros.run.parameters import POLICY_PARAMETERS

ALL = commands()
OF_OTHERS = {
    'cd', 'mkdir', 'touch', 'source', 'sudo', 'rosdep', 'git', 'kill', 'ls', 'pip', 'docker',
    '.', 'sed', 'tar', 'printf', 'head', 'grep',
}  # fmt: skip
"""Commands of others, which are not checked."""

PARAMETERS = {
    '/policy_node': POLICY_PARAMETERS,
    '/mujoco_bridge': MUJOCO_PARAMETERS,
    '/kos_bridge': KOS_PARAMETERS,
    '/unitree_bridge': UNITREE_PARAMETERS,
    '/ros2_control_bridge': ROS2_CONTROL_PARAMETERS,
    '/command_sequences': SEQUENCE_PARAMETERS,
    '/udp_commands': UDP_PARAMETERS,
}


class Parsed(BaseException):
    """Raised instead of running a command with its arguments."""


def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every parser stop the command after parsing."""
    parse = argparse.ArgumentParser.parse_args

    def stop(self, *args, **kwargs):
        parse(self, *args, **kwargs)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)


def try_python(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`python ...`: one of our commands, a module, or an existing file."""
    if words[:2] == ['-m', 'kinfer_ros']:
        try_command(words[2], words[3:], monkeypatch)
    elif words[0] == '-m' and words[1] in ('pip', 'venv', 'colcon', 'json.tool'):
        for file in re.findall(r'requirements/\w+\.txt', ' '.join(words)):
            assert (REPOSITORY / file).is_file()
    elif words[0] == '-m':
        path = REPOSITORY.joinpath(*words[1].split('.'))
        assert path.is_dir() or path.with_suffix('.py').is_file() or words[1] == 'pytest'
    else:
        assert (REPOSITORY / words[0]).is_file()
        known = {entry.name for entry in POLICY_PARAMETERS}
        assert {word.split(':=')[0] for word in words if ':=' in word} <= known


def try_command(name: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m kinfer_ros NAME ...`."""
    assert name in COMMANDS
    if name == 'walk':
        # A model that a page names is the reader's; test_simulation_arguments.py reads one.
        monkeypatch.setattr(simulation, 'mounting_of_mjcf', lambda _: [1.0, 0.0, 0.0, 0.0])
        # And so is a file of parameters, which a page has the reader write.
        own = [word for word in words if not word.startswith('params_file:=')]
        graph.nodes(arguments.parse(own))
    elif name == 'verdict':
        assert len(words) == 1
    else:
        parse_only(monkeypatch)
        with pytest.raises(Parsed):
            importlib.import_module(module_of(name)).main(words)


def try_ros2(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`ros2 ...`: our launch files with their arguments, nodes, services, parameters."""
    verb, rest = words[0], words[1:]
    if verb == 'launch':
        try_launch(rest)
    elif verb == 'run' and rest[0] == 'kinfer_ros':
        assert f"'{rest[1]} = " in (REPOSITORY / 'setup.py').read_text()
    elif verb == 'param':
        names = {entry.name for entry in PARAMETERS[rest[1]]}
        assert rest[0] in ('set', 'describe', 'get', 'dump')
        assert len(rest) < 3 or rest[2] in names
    elif verb == 'service':
        node, service = rest[1].strip('/').split('/')
        sources = (REPOSITORY / 'kinfer_ros' / 'nodes').rglob('*.py')
        assert f'/{node}' in PARAMETERS
        assert any(f"'~/{service}'" in path.read_text() for path in sources)
    elif verb == 'lifecycle':
        assert rest[:2] == ['set', '/policy_node']
        assert rest[2] in ('configure', 'activate', 'deactivate', 'cleanup')
    else:
        assert verb in ('topic', 'bag', 'run')


def try_launch(words: list[str]) -> None:
    """One of our launch files, with declared arguments and valid choices."""
    if words[0] == 'kinfer_ros':
        path, words = REPOSITORY / 'launch' / words[1], words[2:]
    else:
        path, words = REPOSITORY / words[0], words[1:]
    assert path.is_file()
    given = dict(word.split(':=') for word in words if ':=' in word and '...' not in word)
    named = {word.split(':=')[0] for word in words if ':=' in word}
    if path.name == 'walk.launch.py':
        graph.nodes(arguments.complete(given))
        assert named <= {argument.name for argument in arguments.ARGUMENTS}
    elif path.name == 'two_robots.launch.py':
        two_robots.both(given)
        assert named <= {argument.name for argument in two_robots.ARGUMENTS}
    else:
        assert named <= {argument.name for argument in policy_node.ARGUMENTS}


def try_make(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`make TARGET VARIABLE=...`."""
    text = (REPOSITORY / 'Makefile').read_text()
    targets = re.search(r'^\.PHONY: (.*)$', text, re.MULTILINE)
    assert targets
    assert {word for word in words if '=' not in word} <= set(targets[1].split())
    check_make_variables([word.split('=')[0] for word in words if '=' in word])


def check_make_variables(names: list[str]) -> None:
    """Variables that the Makefile or its scripts read."""
    text = (REPOSITORY / 'Makefile').read_text()
    read = {*re.findall(r'^(\w+) \?=', text, re.MULTILINE), 'MUJOCO_GL', 'KOS_SIM', 'UNITREE_SIM'}
    exported = re.search(r'^export (.*)$', text, re.MULTILINE)
    assert exported
    assert set(names) <= read | set(exported[1].split())


TRY: dict[str, Callable[[list[str], pytest.MonkeyPatch], None]] = {
    'python': try_python,
    'python3': try_python,
    'ros2': try_ros2,
    'make': try_make,
}


@pytest.mark.parametrize('command', ALL, ids=str)
def test_the_command_is_valid(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its words is valid, as written on the page."""
    monkeypatch.chdir(REPOSITORY)
    first, words = command.words[0], [word for word in command.words[1:] if word != '...']
    if first not in OF_OTHERS:
        assert first in TRY, 'a command that no test knows'
        TRY[first](words, monkeypatch)
    if first == 'make':
        check_make_variables(list(command.variables))


def test_commands_are_found() -> None:
    """Without pages the test above would test nothing."""
    assert len(ALL) > 40
    assert {command.words[2] for command in ALL if command.words[1:2] == ('-m',)} >= {'kinfer_ros'}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_text_names_existing_commands(page: Path) -> None:
    """`python -m kinfer_ros NAME` inside a sentence counts as well."""
    assert named_commands(page) <= set(COMMANDS)


RUN = ('replay', 'report', 'verdict', 'export', 'repair', 'runs', 'inspect', 'robot')
SLOW_OR_MORE = {'--png', '--model', '--remove', '--out', '--spec', 'from-kos-metadata'}
"""Options that need something else: matplotlib, another model, a confirmation."""


def test_cheap_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands on a run, a policy, a robot: as written, in a folder with these files."""
    run = record_run(tmp_path, 1.0)
    assert Path(os.path.realpath(tmp_path / 'runs' / 'latest')) == run.resolve()
    for name in ('walk.kinfer', 'stand.kinfer', 'crouch.kinfer', 'set.yaml'):
        shutil.copy(MODEL.with_name(name), tmp_path)
    monkeypatch.chdir(tmp_path)
    done = set()
    for command in ALL:
        words = command.words
        ours = words[1:3] == ('-m', 'kinfer_ros') and words[3] in RUN
        if ours and SLOW_OR_MORE.isdisjoint(words):
            code = main(list(words[3:]))
            said = capsys.readouterr().err
            if code == 2 and 'needs the Python module' in said:
                continue  # an optional dependency that is not installed here
            assert code == 0, f'{command}\n{said}'
            done.add(words[3])
    assert done >= {'replay', 'report', 'verdict', 'inspect'}
