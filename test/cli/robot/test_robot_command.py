"""`python -m kinfer_ros robot from-kos-metadata`: K-Scale's metadata becomes a robot file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers.shared import shared_path
from kinfer_ros.cli.robot.robot import main
from kinfer_ros.robot.robot import load_robot

METADATA = shared_path('robots/kbot/actuator_metadata.json')
JOINT = {
    'id': 11,
    'kp': '100.0',
    'kd': '8.284',
    'actuator_type': 'robstride_03',
    'soft_torque_limit': '42.0',
    'min_angle_deg': '-80.0',
    'max_angle_deg': '180.0',
}
KIND = {'max_torque': '60.0', 'max_velocity': '18.849'}


def write(folder, **changes):
    """A metadata.json of one joint."""
    path = folder / 'metadata.json'
    joint = {key: value for key, value in {**JOINT, **changes}.items() if value is not ...}
    data = {
        'joint_name_to_metadata': {'knee': joint},
        'actuator_type_to_metadata': {'robstride_03': KIND},
    }
    path.write_text(json.dumps(data))
    return path


def test_numbers_are_strings_in_degrees(tmp_path, capsys):
    """Values of the file are in the YAML, in rad; missing ones are listed as assumed."""
    out = tmp_path / 'bot.yaml'
    words = ['from-kos-metadata', str(write(tmp_path)), '--name', 'bot', '--out', str(out)]
    assert main(words) == 0
    joint = load_robot(out).joints[0]
    assert (joint.id, joint.kp, joint.kd, joint.torque_limit) == (11, 100.0, 8.284, 42.0)
    assert joint.lower == pytest.approx(np.radians(-80), abs=1e-3)
    assert joint.velocity_limit == pytest.approx(18.849, abs=1e-2)
    assert 'assumed' in capsys.readouterr().out
    assert main(words) == 2, 'a file that is there stays'


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'kp': 'many'}, 'kp'),
        ({'id': ...}, 'id'),
        ({'min_angle_deg': 'nan'}, 'min_angle_deg'),
        ({'max_angle_deg': ...}, 'max_angle_deg'),
    ],
)
def test_missing_keys_are_named(tmp_path, capsys, changes, said):
    """A guessed limit could move a joint against its stop."""
    path = write(tmp_path, **changes)
    assert main(['from-kos-metadata', str(path), '--out', str(tmp_path / 'o.yaml')]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / 'o.yaml').exists()


@pytest.mark.parametrize('text', ['', '[]', '{', '{"joint_name_to_metadata": 3}', '[' * 100000])
def test_other_files_are_refused(tmp_path, capsys, text):
    """Not JSON, or other JSON: one line."""
    path = tmp_path / 'metadata.json'
    path.write_text(text)
    assert main(['from-kos-metadata', str(path)]) == 2
    assert capsys.readouterr().err.startswith('error: ')


@pytest.mark.skipif(METADATA is None, reason="the shared K-Bot's metadata is not here")
def test_kbot_matches_its_metadata(tmp_path):
    """Compare config/robots/kbot.yaml with its source: all but home and IMU."""
    out = tmp_path / 'kbot.yaml'
    words = ['from-kos-metadata', str(METADATA), '--name', 'kbot', '--out', str(out)]
    assert main(words) == 0
    made, shipped = load_robot(out), load_robot('kbot')
    assert made.joint_names == shipped.joint_names
    assert [j.id for j in made.joints] == [j.id for j in shipped.joints]
    for column in ('lower', 'upper', 'kp', 'kd', 'kp_max', 'kd_max', 'torque_limit'):
        np.testing.assert_allclose(getattr(made, column), getattr(shipped, column), atol=1e-3)
