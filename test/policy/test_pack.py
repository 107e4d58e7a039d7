"""`python -m kinfer_ros pack`: its file, its output and its errors."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from helpers.policies import models
from kinfer_ros.cli import common
from kinfer_ros.cli.policy import pack
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.policy import load_model

META = {'joint_names': models.joint_names(2), 'joint_kp': [3.0, 4.0], 'author': 'ä'}


@pytest.fixture
def sources(tmp_path):
    """Good source files, and the arguments for them."""
    (tmp_path / 'init.onnx').write_bytes(models.init_fn([4.0, -4.0]))
    (tmp_path / 'step.onnx').write_bytes(models.leaky_step())
    (tmp_path / 'meta.json').write_text(json.dumps(META))
    return [
        *('--init', str(tmp_path / 'init.onnx')),
        *('--step', str(tmp_path / 'step.onnx')),
        *('--metadata', str(tmp_path / 'meta.json')),
        *('-o', str(tmp_path / 'out.kinfer')),
    ]


def refusal(arguments, capsys) -> str:
    assert pack.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert err.startswith('error: ')
    assert 'Traceback' not in err
    return err


def test_pack(tmp_path, sources, capsys):
    """The file loads and has the required and the given keys; the summary shows them."""
    assert pack.main(sources) == 0
    path = tmp_path / 'out.kinfer'
    archive = read_archive(path)
    assert list(archive.metadata) == [
        'joint_names',
        'command_names',
        'carry_size',
        'joint_kp',
        'author',
    ]
    assert archive.metadata['command_names'] == list(models.COMMANDS_3)
    assert archive.metadata['carry_size'] == [2]
    assert load_model(path).contract.joint_kp == (3.0, 4.0)
    out = capsys.readouterr().out
    for words in (
        str(path),
        '2: joint_0, joint_1',
        '3: xvel, yvel, yawrate',
        'joint_angles, command',
        'carry     (2,)',
        f'{path.stat().st_size} bytes',
        hashlib.sha256(path.read_bytes()).hexdigest(),
    ):
        assert words in out
    assert not list(tmp_path.glob('*partial*'))


def test_given_command_names_are_kept(tmp_path, sources):
    """Names in the metadata are not replaced."""
    meta = META | {'command_names': ['a', 'b', 'c'], 'carry_size': [2]}
    (tmp_path / 'meta.json').write_text(json.dumps(meta))
    assert pack.main(sources) == 0
    assert read_archive(tmp_path / 'out.kinfer').metadata['command_names'] == ['a', 'b', 'c']


def test_same_sources_same_file(tmp_path, sources):
    """Equal sources give an equal hash."""
    assert pack.main(sources) == 0
    first = (tmp_path / 'out.kinfer').read_bytes()
    assert pack.main([*sources, '--force']) == 0
    assert (tmp_path / 'out.kinfer').read_bytes() == first


def test_does_not_overwrite_unasked(tmp_path, sources, capsys):
    """An existing file needs --force."""
    (tmp_path / 'out.kinfer').write_bytes(b'precious')
    text = refusal(sources, capsys)
    assert 'out.kinfer: exists already; expected a free name (--force overwrites it)' in text
    assert (tmp_path / 'out.kinfer').read_bytes() == b'precious'
    assert pack.main([*sources, '--force']) == 0
    assert load_model(tmp_path / 'out.kinfer')


@pytest.mark.parametrize(
    ('name', 'data', 'words'),
    [
        ('init.onnx', None, 'init.onnx: cannot be read: No such file'),
        ('step.onnx', b'', 'step.onnx: found 0 bytes; expected 1 to'),
        ('step.onnx', b'nonsense', 'step_fn.onnx: onnxruntime cannot load it'),
        ('init.onnx', models.leaky_step(), 'init_fn.onnx: found 3 inputs and 2 outputs'),
        ('meta.json', b'{', 'meta.json: not JSON: '),
        ('meta.json', b'{"joint_names": ["a"]}', 'input joint_angles: found shape (2)'),
        ('meta.json', b'{}', 'metadata.json: joint_names: found nothing'),
    ],
)
def test_bad_sources(tmp_path, sources, capsys, name, data, words):
    """A file that would not load is not written, nor any temporary file."""
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    assert words in refusal(sources, capsys)
    assert not list(tmp_path.glob('*out*'))


def test_missing_folder(tmp_path, sources, capsys):
    """An output that cannot be written is a one-line error."""
    arguments = [*sources[:-1], str(tmp_path / 'none' / 'out.kinfer')]
    assert 'cannot be written: No such file or directory' in refusal(arguments, capsys)


def test_inputs_that_kinfer_no_longer_knows(tmp_path, sources, capsys):
    """The file loads here; the output says that kinfer 0.6 refuses it."""
    (tmp_path / 'step.onnx').write_bytes(models.concat_step(order=('joint_angles', 'quaternion')))
    (tmp_path / 'init.onnx').write_bytes(models.init_fn([0.0] * 6))
    assert pack.main(sources) == 0
    assert 'kinfer 0.6 refuses this file: it does not know quaternion' in capsys.readouterr().out


def test_missing_arguments(capsys):
    """Argparse's own usage message, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        pack.main([])
    assert caught.value.code == 2
    assert '--init' in capsys.readouterr().err


def test_run_command(capsys):
    """The exit codes of all commands; a bug shows its traceback."""

    def raising(error):
        def command(_):
            raise error

        return command

    assert common.run_command(lambda arguments: len(arguments), ['a', 'b', 'c']) == 3
    assert common.run_command(raising(ConfigError('no such key')), None) == 2
    assert capsys.readouterr().err == 'error: no such key\n'
    assert common.run_command(raising(KeyboardInterrupt()), None) == 130
    with pytest.raises(ZeroDivisionError):
        common.run_command(raising(ZeroDivisionError()), None)


def test_a_fifo_is_refused_at_once(tmp_path, capsys):
    """Opening it waited for its other end, for ever."""
    fifo = str(tmp_path / 'fifo')
    os.mkfifo(fifo)
    words = ['--init', fifo, '--step', fifo, '--metadata', fifo, '-o', str(tmp_path / 'a.kinfer')]
    assert pack.main(words) != 0
    assert 'it is a FIFO' in capsys.readouterr().err
