"""`import`: drafts with places to fill in, and the folder after an error."""

from __future__ import annotations

import yaml
from import_cases import deploy_file
from import_cases import holosoma
from import_cases import run_import

from helpers.policies import flat_models
from kinfer_ros.__main__ import main
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot


def test_a_draft_says_what_is_missing_and_runs_once_it_is_filled_in(tmp_path, capsys):
    """Pose, scale and terms are only in the training: their places, and nothing guessed."""
    path = holosoma(tmp_path)
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert (code, err) == (1, '')
    spec_path, robot_path = tmp_path / 'holo.spec.yaml', tmp_path / 'holo.robot.yaml'
    text = spec_path.read_text()
    for key in ('default_pose', 'observation.terms', 'action.scale'):
        (line,) = [line for line in out.splitlines() if f': {key}: FILL IN' in line]
        assert f'{spec_path}, line ' in line
        number = int(line.partition('line ')[2].partition(':')[0])
        assert key.rpartition('.')[2] in text.splitlines()[number - 1]
    assert '3 places' in out
    assert '18 numbers in all' in out
    robot = load_robot(robot_path)
    assert (robot.kp.tolist(), robot.kd.tolist()) == ([20.0, 30.0, 40.0], [1.0, 1.5, 2.0])
    check = ['check', path, '--spec', spec_path, '--robot', robot_path]
    assert main([*map(str, check)]) == 2
    assert 'is a draft: fill in 3 places' in capsys.readouterr().err
    content = yaml.safe_load(text)
    content['default_pose'] = [0.1, -0.2, 0.3]
    content['action']['scale'] = 0.5
    content['observation']['terms'] = [
        {'source': 'gyroscope', 'scale': 0.25},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'joint_positions', 'relative': True},
        {'source': 'joint_velocities'},
        {'source': 'last_action', 'which': 'raw'},
        {'source': 'command'},
    ]
    spec_path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert main([*map(str, check)]) == 0
    spec = load_spec(spec_path)
    assert spec.commands == {'xvel': (-1.0, 0.5), 'yvel': None, 'yawrate': (-2.0, 2.0)}
    assert (spec.kp, spec.kd) == ((20.0, 30.0, 40.0), (1.0, 1.5, 2.0))


def test_check_lists_the_places_of_both_files(tmp_path, capsys):
    """Everything to fill in is said at once."""
    path = holosoma(tmp_path)
    run_import(capsys, path, '--out', tmp_path)
    robot = tmp_path / 'holo.robot.yaml'
    robot.write_text(robot.read_text().replace('frame: imu_link', 'frame: FILL IN (frame)'))
    words = ['check', path, '--spec', tmp_path / 'holo.spec.yaml', '--robot', robot]
    assert main([*map(str, words)]) == 2
    err = capsys.readouterr().err
    assert 'default_pose: FILL IN' in err
    assert 'imu.frame: FILL IN (frame)' in err


def test_a_failed_import_leaves_the_folder_as_it_was(tmp_path, capsys):
    """A name that no file can have: nothing stays that would block the next try."""
    path, bad = holosoma(tmp_path), 'bell\x07'
    code, _, err = run_import(capsys, path, '--out', tmp_path, '--name', bad)
    assert code == 2
    assert 'printable' in err
    assert sorted(each.name for each in tmp_path.iterdir()) == ['holo.onnx']
    kept = tmp_path / f'{bad}.spec.yaml'
    kept.write_text('# by hand\n')
    assert run_import(capsys, path, '--out', tmp_path, '--name', bad, '--force')[0] == 2
    assert kept.read_text() == '# by hand\n'
    assert not (tmp_path / f'{bad}.robot.yaml').exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, capsys):
    """A file in its place, or a name that is too long."""
    path = holosoma(tmp_path)
    for words in (['--out', path], ['--out', tmp_path, '--name', 'n' * 300]):
        code, _, err = run_import(capsys, path, *words)
        assert code == 2
        assert 'cannot be written' in err


def test_files_stay_where_the_network_does_not_match(tmp_path, capsys):
    """The spec is to be corrected by hand; the exit code says that it is not done."""
    deploy, model = deploy_file(tmp_path), tmp_path / 'other.onnx'
    model.write_bytes(flat_models.linear(7, joints=2)[0])
    words = [deploy, '--out', tmp_path, '--name', 'two', '--joint-names', 'left', 'right']
    code, _, err = run_import(capsys, *words, '--model', model)
    assert code == 1
    assert 'does not match the written files' in err
    assert load_spec(tmp_path / 'two.spec.yaml').joints == ('right', 'left')
    code, _, err = run_import(capsys, *words, '--model', tmp_path / 'none.onnx', '--force')
    assert code == 2
