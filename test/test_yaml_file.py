"""Strict YAML reading: what a plain loader would swallow has to be said, with its line."""

import os
from pathlib import Path

import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.untrusted import MAX_YAML_BYTES
from kinfer_ros.yaml_file import YamlFile


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / 'file.yaml'
    path.write_text(text, encoding='utf-8')
    return path


def problems(tmp_path: Path, text: str, read) -> str:
    file = YamlFile(write(tmp_path, text), 'test file')
    read(file.root)
    with pytest.raises(ConfigError) as error:
        file.finish()
    return str(error.value)


def test_reads_every_type(tmp_path):
    """The way that has to work: each getter gives its value, defaults where a key is absent."""
    text = 'word: abc\nflag: true\ncount: 3\nrate: 1\nlist: [1, 2.5]\nmode: b\nsub: {x: 1.5}\n'
    file = YamlFile(write(tmp_path, text), 'test file')
    root = file.root
    assert root.string('word') == 'abc'
    assert root.boolean('flag') is True
    assert root.integer('count', 0, 5) == 3
    assert root.number('rate', 'Hz') == 1.0
    assert root.numbers('list', 2, 'm') == (1.0, 2.5)
    assert root.choice('mode', ('a', 'b')) == 'b'
    assert root.number('absent', 'm', default=4.0) == 4.0
    assert {key: entry.number('x', 'm') for key, entry in _only(root, 'sub')} == {'x': 1.5}
    file.finish()


def _only(root, key):
    section = root.section(key)
    return [('x', section)]


def test_all_problems_come_in_one_message_with_lines(tmp_path):
    """Someone who mends a file wants the whole list, not one error per attempt."""

    def read(root):
        root.number('rate', 'Hz', 1.0, 10.0)
        root.string('name')
        root.boolean('flag')

    message = problems(tmp_path, 'rate: 20\nflag: 1\nnam: x\n', read)
    assert '4 problems' in message
    assert 'line 1: rate: found 20, expected a number from 1 to 10 (Hz)' in message
    assert "line 1: missing key 'name'" in message
    assert 'line 2: flag: found 1, expected true or false' in message
    assert "line 3: unknown key 'nam' (did you mean 'name'?)" in message


def test_single_problem_is_one_line(tmp_path):
    """Commands print errors as one line; the usual single mistake must fit it."""
    message = problems(tmp_path, 'a: 1\n', lambda root: None)
    assert '\n' not in message
    assert "line 1: unknown key 'a'" in message


def test_duplicate_key_is_refused(tmp_path):
    """YAML loaders keep the last one silently, and the first is what the eye finds."""
    message = problems(tmp_path, 'a: 1\nb: 1\na: 2\n', lambda root: (root.has('a'), root.has('b')))
    assert 'line 3: a: duplicate key' in message


@pytest.mark.parametrize('text', ['.nan', '.inf', 'yes', '1e3', '[1]', '', '9' * 400])
def test_not_a_number(tmp_path, text):
    """YAML 1.1 makes truth values and texts of what looks like numbers."""
    message = problems(tmp_path, f'a: {text}\n', lambda root: root.number('a', 'm'))
    assert 'line 1: a: found' in message
    assert 'expected a number (m)' in message


def test_exponent_without_point_is_explained(tmp_path):
    """`1e3` is text in YAML 1.1, which nobody sees without being told."""
    message = problems(tmp_path, 'a: 1e3\n', lambda root: root.number('a', 'm'))
    assert 'decimal point' in message


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('rate: 1:30', 'line 1: found 1:30, which YAML reads in base 60'),
        ('rate: -1:30.5', 'line 1: found -1:30.5, which YAML reads in base 60'),
        ('a: 0\nrate: 010', 'line 2: found 010, which YAML reads as octal'),
        ('rate: [0.0, 1:00:00]', 'line 1: found 1:00:00, which YAML reads in base 60'),
        ('rate: {t: {u: -017}} # %', 'line 1: found -017, which YAML reads as octal'),
    ],
)
def test_numbers_that_yaml_takes_for_others_are_refused(tmp_path, text, expected):
    """A keyframe at 1:30 silently stood at 90 s, and 010 was 8."""
    assert expected in problems(tmp_path, text, lambda root: root.allow_all_keys())


@pytest.mark.parametrize(
    'text', ['0', '-0', '0.5', '00.5', '10', '1_000', '0x10', '"1:30"', 'a:1']
)
def test_other_numbers_stay(tmp_path, text):
    """Only those that are read as something else; a text in quotes is a text."""
    file = YamlFile(write(tmp_path, f'value: {text}\n1:30: key'), 'test file')
    file.root.allow_all_keys()
    file.finish()


def test_merge_keys_work_and_may_be_overridden(tmp_path):
    """Anchors are how twelve equal joints are written once."""
    text = 'base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}\n'
    file = YamlFile(write(tmp_path, text), 'test file')
    sections = file.root.sections()
    found = {k: (s.number('x', 'm'), s.number('y', 'm')) for k, s in sections.items()}
    file.finish()
    assert found == {'base': (1.0, 2.0), 'other': (1.0, 3.0)}


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('', 'found nothing at the top'),
        ('- 1\n', 'found the list [1] at the top'),
        ('a: [1\n', 'line 2, column 1: not YAML'),
        ('a: 1\n---\nb: 1\n', 'another document'),
        ('a: {' * 4000, 'not YAML'),
    ],
)
def test_not_a_mapping(tmp_path, text, expected):
    """Broken files are a user's mistake: a message with the place, never a traceback."""
    with pytest.raises(ConfigError) as error:
        YamlFile(write(tmp_path, text), 'test file')
    assert expected in str(error.value)
    assert 'file.yaml' in str(error.value)


def test_tags_make_no_objects(tmp_path):
    """A YAML from elsewhere must never run code."""
    text = "a: !!python/object/apply:os.system ['true']\n"
    message = problems(tmp_path, text, lambda root: root.string('a'))
    assert 'expected a text' in message


def test_unreadable_files(tmp_path):
    """Missing, binary and huge files each say what is wrong with them."""
    with pytest.raises(ConfigError, match='No such file'):
        YamlFile(tmp_path / 'absent.yaml', 'test file')
    with pytest.raises(ConfigError, match='Is a directory'):
        YamlFile(tmp_path, 'test file')
    (tmp_path / 'binary').write_bytes(b'a: \xff\xfe')
    with pytest.raises(ConfigError, match='not UTF-8'):
        YamlFile(tmp_path / 'binary', 'test file')
    (tmp_path / 'huge').write_bytes(b'#' * (MAX_YAML_BYTES + 1))
    with pytest.raises(ConfigError, match='larger than'):
        YamlFile(tmp_path / 'huge', 'test file')


@pytest.mark.parametrize(
    'text', ['0x' + 'f' * 5000, ':'.join(['59'] * 3000), '9' * 5000], ids=['hex', 'base 60', 'ten']
)
def test_an_integer_that_python_cannot_print_is_one_problem(tmp_path, text):
    """Python prints no integer of over 4300 digits: that was a traceback, or a node's own text."""
    found = problems(tmp_path, f'a: {text}\n', lambda root: root.number('a', 'm', 0.0, 1.0))
    assert 'a: found a value that cannot be read: ' in found
    assert len(found) < 250
    found = problems(tmp_path, 'a: [0x' + 'f' * 5000 + ']\n', lambda root: root.string('a'))
    assert 'a: found the list of values that cannot be printed' in found


def test_a_fifo_is_refused_at_once(tmp_path):
    """Opening a FIFO waits for its other end, for ever."""
    os.mkfifo(tmp_path / 'file.yaml')
    with pytest.raises(ConfigError, match='cannot be read: it is a FIFO'):
        YamlFile(tmp_path / 'file.yaml', 'test file')
