"""K-Scale's kmotions become command sequences, without running their Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinfer_ros.__main__ import main
from kinfer_ros.commands.kmotions import convert
from kinfer_ros.commands.sequence import load_folder
from kinfer_ros.commands.sequence import load_sequence
from kinfer_ros.errors import ConfigError

SOURCE = '''
"""As kmotions/motions.py is written."""
import math
raise SystemExit('this file is not to be run')

class Motion:
    pass

def create_hello(dt: float = 0.01) -> Motion:
    """Says hello.

    With one arm.
    """
    # a comment
    keyframes = {
        0.0: {},
        0.5: {"rshoulderroll": math.radians(-45.0), "xvel": 0.2},
        1.5: {"relbowpitch": math.pi, "xvel": -0.1},
        2: {},
    }
    return Motion(keyframes, dt=dt)

def create_cone(dt=0.01):
    keyframes = {}
    for i in range(16):
        keyframes[i] = {"baseroll": math.sin(i)}
    return Motion(keyframes, dt=dt)

def create_named(joint, dt=0.01):
    keyframes = {0.0: {joint: 1.0}}
    return Motion(keyframes, dt)

def create_called(dt=0.01):
    keyframes = {0.0: {"xvel": open("/etc/passwd").read()}}
    return Motion(keyframes, dt)

def create_merged(dt=0.01):
    keyframes = {0.0: {**BASE}}
    return Motion(keyframes, dt)

def create_still(dt=0.01):
    keyframes = {0.0: {}}
    return Motion(keyframes, dt)

def helper():
    keyframes = {0.0: {"xvel": 1.0}}
    return keyframes
'''


def write(folder: Path, text: str, name: str = 'motions.py') -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_is_data_is_converted_and_the_rest_named(tmp_path, capsys):
    """Positions are interpolated from and to 0, velocities held, as kmotions plays them."""
    code = main(
        ['sequence', 'convert', str(write(tmp_path, SOURCE)), '--out', str(tmp_path / 'o')]
    )
    assert code == 1
    said = capsys.readouterr().err
    assert 'not converted: cone: its keyframes are computed: write them to a .json' in said
    assert 'not converted: named: line ' in said
    assert ': the name of an entry is computed' in said
    assert 'not converted: called: line ' in said
    assert 'not converted: merged: line ' in said
    assert 'not converted: still: it moves nothing' in said
    assert list(load_folder(tmp_path / 'o')) == ['hello']
    hello = load_sequence(tmp_path / 'o' / 'hello.yaml')
    assert hello.description == 'Says hello.'
    assert hello.seconds == 2.0
    roll, elbow, speed = (hello.tracks[n] for n in ('rshoulderroll', 'relbowpitch', 'xvel'))
    assert [roll.at(t) for t in (0.25, 0.5, 1.0)] == pytest.approx(
        [-0.392699, -0.785398, -0.392699], abs=1e-6
    )
    assert [elbow.at(t) for t in (0.5, 1.0, 1.75)] == pytest.approx([0, 1.570796, 1.570796])
    assert [speed.at(t) for t in (0.4, 0.6, 1.4, 1.6, 2.0)] == [0.0, 0.2, 0.2, -0.1, 0.0]


def test_keyframes_as_json(tmp_path, capsys):
    """What Motion.keyframes gives, for motions whose keyframes are computed."""
    frames = {'cone': {'0.0': {}, '1': {'baseroll': 0.1}}, '../up': {'0': {'xvel': 1.0}}}
    path = write(tmp_path, json.dumps(frames), 'motions.json')
    assert main(['sequence', 'convert', str(path), '--out', str(tmp_path / 'o')]) == 1
    assert 'not converted: ../up: its name cannot be that of a file' in capsys.readouterr().err
    assert [each.name for each in (tmp_path / 'o').iterdir()] == ['cone.yaml']
    assert load_sequence(tmp_path / 'o' / 'cone.yaml').tracks['baseroll'].at(0.5) == 0.05
    assert main(['sequence', 'convert', str(path), '--out', str(tmp_path / 'o')]) == 2
    assert 'exists already' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('text', 'name', 'words'),
    [
        ('', 'm.py', 'found no motion'),
        ('def create_x(:', 'm.py', 'cannot be read'),
        ('x = ' + '(' * 5000, 'm.py', 'cannot be read'),
        ('x = ' + '-' * 200000 + '1', 'm.py', 'cannot be read'),
        ('x\0', 'm.py', 'cannot be read'),
        ('#' * 300000, 'm.py', 'is larger than'),
        ('[', 'm.json', 'cannot be read'),
        ('[]', 'm.json', 'expected {NAME: {TIME: {ENTRY: VALUE}}}'),
        ('{"a": []}', 'm.json', "'a': expected an object of keyframes"),
        ('{"a": {"x": {}}}', 'm.json', 'could not convert'),
        ('{"a": {"0": {}, "0.0": {}}}', 'm.json', 'two keyframes have one time'),
        ('[' * 100000, 'm.json', 'cannot be read'),
    ],
    ids=range(12),
)
def test_other_files_are_refused(tmp_path, text, name, words):
    """One error, and the interpreter survives them."""
    with pytest.raises(ConfigError) as error:
        convert(write(tmp_path, text, name))
    assert words in str(error.value)


@pytest.mark.parametrize(
    'frames',
    [{'nan': {'x': 1}}, {'-1': {'x': 1}}, {'0': 3}, {'0': {'x': '1'}}, {'0': {'time': 1}}],
)
def test_numbers_that_are_none_are_left_out(tmp_path, frames):
    """By name, with the reason."""
    found = convert(write(tmp_path, json.dumps({'a': frames}), 'm.json'))
    assert found.texts == {}
    assert 'keyframe' in found.left_out['a']
