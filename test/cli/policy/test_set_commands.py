"""`check` and `inspect` of a policy set, and commands that take one policy only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.policies.biped_set import biped_set
from helpers.robots import small_robot
from helpers.walking import MODEL
from kinfer_ros.__main__ import main


@pytest.fixture
def policies(tmp_path) -> Path:
    return biped_set(tmp_path, 'max_tilt: 0.3')


def run(capsys, *words):
    code = main([*map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_check_of_a_set(policies, capsys):
    """Each policy, the transitions with what changes, the set; exit code 0."""
    code, out, err = run(capsys, 'check', policies, '--robot', 'biped')
    assert (code, err) == (0, '')
    assert f'policy walk ({MODEL}, runs first)\nok       joints' in out
    assert f'policy soft ({MODEL})\nok       joints' in out
    lines = [line.split('  ') for line in out.splitlines()]
    row = next(line for line in lines if line[1:2] == ['walk'] and 'soft' in line)
    assert [text.strip() for text in row if text.strip()] == [
        'walk', 'soft', 'asked for', 'at once', 'max_tilt 0.3', 'kp of 12 joints'
    ]  # fmt: skip
    assert 'ok       reachable' in out
    assert 'the contract fits: ' in out


def test_check_of_a_set_that_does_not_fit_is_exit_code_1(policies, tmp_path, capsys):
    """The rows of both policies, no transitions that cannot be judged."""
    robot = small_robot(tmp_path)
    code, out, err = run(capsys, 'check', policies, '--robot', robot.path)
    assert (code, err) == (1, '')
    assert out.count('fail     joints') == 2
    assert 'kp of' not in out
    assert 'does not fit' in out


def test_json(policies, capsys):
    """The same for programs."""
    code, out, _ = run(capsys, 'check', policies, '--robot', 'biped', '--json')
    content = json.loads(out)
    assert (code, content['fits'], list(content['policies'])) == (0, True, ['walk', 'soft'])
    assert content['transitions'][0]['changes'] == 'kp of 12 joints'
    assert {row['what'] for row in content['rows']} == {'control rate', 'reachable'}
    assert {row['verdict'] for row in content['policies']['soft']['rows']} == {'ok', 'assumed'}
    code, out, _ = run(capsys, 'inspect', policies, '--json')
    content = json.loads(out)
    assert (code, content['enter']) == (0, 'walk')
    assert content['policies']['soft']['kp_factor'] == 0.95
    assert content['policies']['walk']['sha256'] == content['policies']['soft']['sha256']


def test_inspect_of_a_set(policies, capsys):
    """Its policies side by side."""
    code, out, _ = run(capsys, 'inspect', policies)
    assert code == 0
    for words in ('runs first        walk', 'kp_factor 0.95, button 5', 'xvel, yvel, yawrate'):
        assert words in out
    assert f'all of a policy: inspect {MODEL}' in out


@pytest.mark.parametrize('words', [['check', '--robot', 'biped'], ['inspect']])
def test_a_set_that_cannot_be_used_is_exit_code_2(tmp_path, capsys, words, policies):
    """A missing file, a spec beside it, another kind of file: one error."""
    command, *more = words
    code, out, err = run(capsys, command, policies, '--spec', 'x.yaml', *more)
    assert (code, out) == (2, '')
    assert 'the set names its specs' in err
    policies.write_text(policies.read_text().replace(str(MODEL), 'gone.kinfer'))
    code, out, err = run(capsys, command, policies, *more)
    assert (code, out) == (2, '')
    assert 'gone.kinfer: no such file' in err
    other = tmp_path / 'robot.yaml'
    other.write_text('name: x\njoints: {}\n')
    code, out, err = run(capsys, command, other, *more)
    assert (code, out) == (2, '')
    assert 'found name, joints; expected enter, policies, transitions' in err


def test_a_set_is_recognised_by_its_text(policies, tmp_path, capsys):
    """Whatever its name."""
    path = policies.rename(tmp_path / 'policies')
    code, out, _ = run(capsys, 'inspect', path)
    assert (code, 'policy set' in out) == (0, True)


def test_commands_for_one_policy_refuse_a_set_in_a_line(policies, tmp_path, capsys):
    """With what takes one."""
    metadata = tmp_path / 'metadata.json'
    metadata.write_text('{"joint_names": ["a"]}')
    pack = ['--init', policies, '--step', policies, '--metadata', metadata]
    for words in (
        ['pack', *pack, '--out', tmp_path / 'x.kinfer'],
        ['import', policies, '--out', tmp_path / 'x'],
        ['eval', policies, '--robot', 'biped'],
    ):
        code, _, err = run(capsys, *words)
        assert code == 2, words
        assert 'is a policy set' in err
        assert err.count('\n') == 1
    assert not (tmp_path / 'x.kinfer').exists()
