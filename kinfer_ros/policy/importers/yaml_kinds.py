"""The YAML files of other projects that can be imported, recognised by their keys."""

from collections.abc import Callable
from dataclasses import dataclass

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.berkeley_lite import is_berkeley_lite
from kinfer_ros.policy.importers.berkeley_lite import read_berkeley_lite
from kinfer_ros.policy.importers.booster_gym import is_booster_gym
from kinfer_ros.policy.importers.booster_gym import read_booster_gym
from kinfer_ros.policy.importers.contract import FindNames
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.io_descriptors import is_io_descriptors
from kinfer_ros.policy.importers.io_descriptors import read_io_descriptors
from kinfer_ros.policy.importers.leapp import is_leapp
from kinfer_ros.policy.importers.leapp import read_leapp
from kinfer_ros.policy.importers.rl_sar import is_rl_sar
from kinfer_ros.policy.importers.rl_sar import read_rl_sar
from kinfer_ros.policy.importers.unitree_rl_lab import is_deploy_yaml
from kinfer_ros.policy.importers.unitree_rl_lab import joint_count
from kinfer_ros.policy.importers.unitree_rl_lab import read_deploy
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    """With the keys that make it, for messages."""
    recognises: Callable[[Section], bool]
    read: Callable[[YamlFile, FindNames], ImportedContract]


def _read_deploy(file: YamlFile, find_names: FindNames) -> ImportedContract:
    return read_deploy(file, *find_names(joint_count(file.root)))


KINDS = (
    Kind(
        "unitree_rl_lab's deploy.yaml (joint_ids_map, observations)", is_deploy_yaml, _read_deploy
    ),
    Kind(
        "Isaac Lab's IO_descriptors.yaml (observations, articulations)",
        is_io_descriptors,
        lambda file, _: read_io_descriptors(file),
    ),
    Kind(
        'the YAML of a LEAPP bundle (models, pipeline)',
        is_leapp,
        lambda file, _: read_leapp(file),
    ),
    Kind("rl_sar's config.yaml (ROBOT/NAME: observations, rl_kp)", is_rl_sar, read_rl_sar),
    Kind("booster_gym's deploy/configs/*.yaml (common, policy)", is_booster_gym, read_booster_gym),
    Kind(
        "Berkeley-Humanoid-Lite's configs/*.yaml (policy_dt, joint_kp, action_indices)",
        is_berkeley_lite,
        lambda file, _: read_berkeley_lite(file),
    ),
)


def read_exported_yaml(file: YamlFile, find_names: FindNames) -> ImportedContract:
    """
    Read a contract from a YAML file of another project.

    :param file: read leniently.
    :raises ModelError: it is of no kind that is known, or cannot be used.
    """
    for kind in KINDS:
        if kind.recognises(file.root):
            return kind.read(file, find_names)
    if {'policies', 'enter'} <= {*file.root.keys()}:
        raise ModelError(
            f'{file.path}: is a policy set, ready to be run (`walk policies:=...`); its specs are '
            'imported one by one'
        )
    keys = ', '.join(file.root.keys()) or 'nothing'
    expected = '; '.join(kind.name for kind in KINDS)
    raise ModelError(
        f'{file.path}: found {keys}; expected one of: {expected}; or an .onnx file with metadata'
    )
