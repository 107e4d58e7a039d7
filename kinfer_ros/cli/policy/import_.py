"""`python -m kinfer_ros import`: create a policy spec and a robot file from exporter metadata.

Reads an ONNX file with the metadata of an Isaac Lab or mjlab style exporter, or a YAML of one of
the kinds in `policy/importers/yaml_kinds.py`. Every assumption is printed, one per line, and
listed at the top of both files: somebody who knows the training has to check them once.
"""

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.cli.common import command
from kinfer_ros.cli.drafts import DRAFT
from kinfer_ros.cli.drafts import as_yaml
from kinfer_ros.cli.drafts import print_assumptions
from kinfer_ros.cli.drafts import print_places
from kinfer_ros.cli.drafts import written
from kinfer_ros.cli.parsers import PROGRAM
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.simulation import check_simulation
from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import Place
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.early_kinfer import is_early_kinfer
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.contract import FindNames
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.early_kinfer import read_early_kinfer
from kinfer_ros.policy.importers.onnx_metadata import read_onnx_metadata
from kinfer_ros.policy.importers.yaml_kinds import read_exported_yaml
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy
from kinfer_ros.robot.description import describe
from kinfer_ros.robot.description import require_joints
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.robot.urdf import UrdfFacts
from kinfer_ros.robot.urdf import parse_urdf
from kinfer_ros.robot.urdf import read_urdf
from kinfer_ros.yaml_file import YamlFile

GENERIC = (
    'params', 'exported', 'config', 'policy', 'deploy', 'IO_descriptors', 'io_descriptors', '',
)  # fmt: skip
"""Folder and file names that do not name a policy."""
MISMATCH = 1
"""Exit code: written, and the network does not match."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'import',
        'Create a policy spec and a robot file from exporter metadata, and print the assumptions.',
        'import policy.onnx --mjcf scene.xml --out imported',
        'import IO_descriptors.yaml --model policy.onnx --mjcf scene.xml',
        codes='0: both files were written; 1: so they were, and have places to FILL IN, or do not '
        'match the network',
    )
    add = parser.add_argument
    add(
        'file',
        type=Path,
        help='.onnx with custom metadata (or .kinfer before 0.4), or a YAML: '
        'IO_descriptors.yaml of Isaac Lab, a LEAPP bundle, deploy.yaml of unitree_rl_lab, rl_sar, '
        'booster_gym, Berkeley-Humanoid-Lite',
    )
    add('--out', type=Path, default=Path(), help='output folder (default: here)')
    add('--name', help='name of spec and robot (default: from the file or its folder)')
    add('--mjcf', type=Path, help='MuJoCo model: joint names in actuator order, limits, torques')
    add('--urdf', type=Path, help='URDF: joint names in the order of the file, limits, efforts')
    add(
        '--joint-names',
        nargs='+',
        metavar='NAME',
        help='joint names in SDK order, for a YAML that has none, without an MJCF',
    )
    add('--model', type=Path, help='ONNX file of a YAML, to check it with')
    add_force_argument(parser)
    return parser


@dataclass(frozen=True)
class Files:
    """What is written, and the network, if it is known."""

    spec: Path
    robot: Path
    model: Path | None

    def check_command(self) -> str:
        """Return the command that checks them."""
        model = self.model or 'policy.onnx'
        return f'{PROGRAM} check {model} --spec {self.spec} --robot {self.robot}'


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0; 1 for drafts; 2 for a user error, explained on stderr."""
    path: Path = arguments.file
    mjcf = _read_mjcf(arguments.mjcf) if arguments.mjcf else None
    urdf = read_urdf(arguments.urdf) if arguments.urdf else None
    if arguments.model:
        read_archive(arguments.model)
    if path.suffix.lower() in ('.yaml', '.yml'):
        joints = _JointNames(path, arguments.joint_names, mjcf, urdf)
        file = YamlFile(path, 'file', ModelError, foreign=True)
        found = read_exported_yaml(file, joints.find)
        mjcf = joints.mjcf
        model = arguments.model or found.model or _model_beside(path, found)
    else:
        joints = _JointNames(path, arguments.joint_names, mjcf, urdf)
        found = _from_onnx(path, joints.find)
        mjcf = joints.mjcf
        urdf = _urdf_inside(found, path, mjcf, urdf)
        model = path
    found.name = arguments.name or _name(path)
    robot = _robot(found, mjcf, urdf, arguments.out)
    return _write(found, robot, path.name, model, arguments)


def _write(
    found: ImportedContract,
    robot: dict[str, Any],
    source: str,
    model: Path | None,
    arguments: argparse.Namespace,
) -> int:
    """
    Write both files, or none, and report.

    :return: the exit code.
    """
    out: Path = arguments.out
    files = Files(out / f'{found.name}.spec.yaml', out / f'{found.name}.robot.yaml', model)
    texts = {
        files.spec: _as_yaml(found.spec(), f'Policy spec, imported from {source}', found),
        files.robot: _as_yaml(robot, f'Robot file, imported from {source}', found),
    }
    with written(texts, overwrite=arguments.force) as places:
        lines = [_read_back(each, places[each]) for each in texts]
    lines += _copy_beside(found.beside, out, overwrite=arguments.force)
    print('\n'.join(lines))
    print_assumptions(found.assumptions, found.warnings)
    if any(places.values()):
        print_places(places)
        print(f'then run: {files.check_command()}')
        return DRAFT
    return _check(files)


def _copy_beside(files: list[Path], out: Path, *, overwrite: bool) -> list[str]:
    """Copy the files that the spec names to it; :return: what was done, a line each."""
    lines = []
    for file in files:
        target = out / file.name
        if target.exists() and (target.samefile(file) or not overwrite):
            lines.append(f'kept {target}')
        else:
            shutil.copyfile(file, target)
            lines.append(f'wrote {target}: a copy')
    return lines


def _read_back(path: Path, places: list[Place]) -> str:
    """
    Read a file that was written, unless it is a draft.

    :return: what it has, in one line.
    :raises KinferRosError: it cannot be used.
    """
    if places:
        return f'wrote {path}: a draft'
    if path.name.endswith('.spec.yaml'):
        spec = load_spec(path)
        return f'wrote {path}: {len(spec.joints)} joints, {spec.observation_size} observations'
    return f'wrote {path}: {len(load_robot(path.absolute()).joints)} joints'


def _from_onnx(path: Path, find_names: FindNames) -> ImportedContract:
    archive = read_archive(path)
    if archive.init_fn is not None:
        raise ModelError(f'{path}: a kinfer archive needs no spec; expected .onnx or .yaml')
    try_policy(archive, None, 1, TrialLimits(), only_graph=True)
    graph = Graph(archive.step_fn, str(path), external=archive.external)
    if is_early_kinfer(node.name for node in graph.inputs):
        return read_early_kinfer(graph, path.stem, find_names)
    return read_onnx_metadata(graph, path)


def _urdf_inside(
    found: ImportedContract, path: Path, mjcf: Any, urdf: UrdfFacts | None
) -> UrdfFacts | None:
    """:return: the URDF that is given; without it and an MJCF, that of the metadata."""
    if found.urdf is None:
        return urdf
    if mjcf is not None or urdf is not None:
        found.assume('in the file, and not used: robot_urdf')
        return urdf
    return parse_urdf(found.urdf, f'robot_urdf of {path}')


def _read_mjcf(path: Path) -> Any:
    # Imported here: the rest works without MuJoCo.
    from kinfer_ros.robot.mjcf import read_mjcf

    return read_mjcf(path)


class _JointNames:
    """Joint names for a file that has none: those given, or those of an MJCF or URDF."""

    def __init__(
        self, path: Path, names: list[str] | None, mjcf: Any, urdf: UrdfFacts | None
    ) -> None:
        self.mjcf = mjcf
        self._urdf = urdf
        self._path = path
        self._names = names

    def find(self, count: int) -> tuple[list[str], str]:
        """Return the names, `count` or more, and where they come from."""
        if self._names is not None:
            return self._names, 'as given'
        if self.mjcf is None and self._urdf is not None:
            names = [joint.name for joint in self._urdf.joints]
            return names, f'those of {Path(self._urdf.where).name}, in the order of the file'
        if self.mjcf is None:
            self.mjcf = _mjcf_beside(self._path, count)
        source = f'those of {self.mjcf.path.name}'
        if not self.mjcf.actuated:
            source += ', which has no actuators: its joints'
        return [joint.name for joint in self.mjcf.joints], source


def _mjcf_beside(path: Path, count: int) -> Any:
    """Return the only MJCF in the folder with enough actuated joints."""
    fitting = []
    for candidate in sorted([*path.parent.glob('*.xml'), *path.parent.glob('*.mjcf')]):
        if b'<mujoco' in candidate.read_bytes()[:4096]:
            facts = _read_mjcf(candidate)
            if len(facts.joints) >= count:
                fitting.append(facts)
    if len(fitting) == 1:
        return fitting[0]
    found = ', '.join(facts.path.name for facts in fitting) or 'none'
    raise ModelError(
        f'{path}: the file has no joint names, and {found} of the MJCF files beside it has the '
        f'{count} joints; expected --mjcf or --joint-names (in the order of the SDK)'
    )


def _model_beside(path: Path, found: ImportedContract) -> Path | None:
    """Return the network that the runtime of unitree_rl_lab would load, if it exists."""
    for folder in (path.parent, path.parent.parent / 'exported'):
        if (folder / 'policy.onnx').is_file():
            found.assume('network: policy.onnx, the one where the runtime looks for it')
            return folder / 'policy.onnx'
    return None


def _name(path: Path) -> str:
    words = (path.stem, path.parent.name, path.resolve().parent.parent.name)
    return next((word for word in words if word not in GENERIC), 'imported')


def _robot(
    found: ImportedContract, mjcf: Any, urdf: UrdfFacts | None, out: Path
) -> dict[str, Any]:
    require_joints(found.robot_joints, mjcf, urdf)
    described = describe(mjcf, urdf, out)
    found.robot_joints = found.robot_joints or list(described.limits)
    if found.default_pose is None and found.pose_is_start:
        _start_at_home(found, described.home)
    return described.draft(found)


def _start_at_home(found: ImportedContract, home: dict[str, float]) -> None:
    if found.joints and all(name in home for name in found.joints):
        found.default_pose = [home[name] for name in found.joints]
        found.assume(
            'default pose: the keyframe home of the MJCF, where the robot starts; the network '
            'does not use it'
        )


def _as_yaml(content: dict[str, Any], title: str, found: ImportedContract) -> str:
    return as_yaml(content, title, found.assumptions, found.warnings)


def _check(files: Files) -> int:
    """
    Check the written files with the network.

    :return: the exit code.
    """
    if files.model is None:
        print('not checked against a network: give it with --model')
        return 0
    try:
        policy = load_model(files.model, spec=files.spec)
    except ModelError as error:
        print(
            f'the network {files.model} does not match the written files, which stay, to be '
            f'corrected by hand: {error}',
            file=sys.stderr,
        )
        return MISMATCH
    robot = load_robot(files.robot.absolute())
    rows = [*check_contract(policy, robot), *check_simulation(policy.contract, robot)]
    print(f'\nchecked with {files.model}:')
    print(as_table([row for row in rows if row.verdict != 'assumed']))
    return 0
