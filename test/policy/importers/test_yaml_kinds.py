"""Which YAML is whose: by its keys, and one that is nobody's is refused with all that could be."""

from __future__ import annotations

import pytest
import yaml

from helpers.policies.deploy import DEPLOY
from helpers.policies.leapp_bundle import BUNDLE
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.yaml_kinds import KINDS
from kinfer_ros.policy.importers.yaml_kinds import read_exported_yaml
from kinfer_ros.yaml_file import YamlFile

FILES = {
    'unitree_rl_lab': DEPLOY,
    'IO_descriptors': {'actions': [], 'articulations': {}, 'observations': {}, 'scene': {}},
    'LEAPP': BUNDLE,
    'rl_sar': {'dog/walk': {'observations': ['commands'], 'rl_kp': [1.0]}},
    'booster_gym': {'common': {'dt': 0.002}, 'policy': {'normalization': {}}},
    'Berkeley': {'policy_dt': 0.04, 'joint_kp': [1.0], 'action_indices': [0]},
}


def yaml_file(folder, content):
    path = folder / 'some.yaml'
    path.write_text(yaml.safe_dump(content))
    return YamlFile(path, 'file', ModelError, foreign=True)


@pytest.mark.parametrize('name', FILES)
def test_each_file_is_of_one_kind(tmp_path, name):
    """Two readers for one file would make the order of the table matter."""
    root = yaml_file(tmp_path, FILES[name]).root
    found = [kind.name for kind in KINDS if kind.recognises(root)]
    assert len(found) == 1
    assert name in found[0]


@pytest.mark.parametrize('content', [{}, {'a': 1}, {'policy': 5, 'common': {}}, {'dog': []}])
def test_a_file_of_no_kind(tmp_path, content):
    """The error names every kind, with its keys."""
    with pytest.raises(ModelError, match='expected one of') as caught:
        read_exported_yaml(yaml_file(tmp_path, content), lambda count: ([], ''))
    assert all(kind.name in str(caught.value) for kind in KINDS)
