"""`python -m kinfer_ros import`: create a policy spec and a robot file from exporter metadata.

Reads an ONNX file with the metadata of an Isaac Lab or mjlab style exporter, or unitree_rl_lab's
deploy.yaml. Every assumption is printed, one per line, and listed at the top of both files:
somebody who knows the training has to check them once.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.simulation import check_simulation
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_atomically
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.onnx_metadata import read_onnx_metadata
from kinfer_ros.policy.importers.unitree_rl_lab import is_deploy_yaml
from kinfer_ros.policy.importers.unitree_rl_lab import joint_count
from kinfer_ros.policy.importers.unitree_rl_lab import read_deploy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec import PolicySpec
from kinfer_ros.policy.spec import load_spec
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy
from kinfer_ros.robot.draft import JointLimits
from kinfer_ros.robot.draft import draft_robot
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.yaml_file import YamlFile

GENERIC = ('params', 'exported', 'config', 'policy', 'deploy', '')
"""Folder and file names that do not name a policy."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'import',
        'Create a policy spec and a robot file from exporter metadata, and print the assumptions.',
        'import policy.onnx --mjcf scene.xml --out imported',
        'import deploy.yaml --model policy.onnx --mjcf scene.xml',
        codes='0: both files were written',
    )
    add = parser.add_argument
    add('file', type=Path, help='.onnx with custom metadata, or deploy.yaml of unitree_rl_lab')
    add('--out', type=Path, default=Path(), help='output folder (default: here)')
    add('--name', help='name of spec and robot (default: from the file or its folder)')
    add('--mjcf', type=Path, help='MuJoCo model: joint names in actuator order, limits, torques')
    add(
        '--joint-names',
        nargs='+',
        metavar='NAME',
        help='joint names in SDK order, for a deploy.yaml without an MJCF',
    )
    add('--model', type=Path, help='ONNX file of a deploy.yaml, to check it with')
    add_force_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error, explained on stderr."""
    path: Path = arguments.file
    mjcf = _read_mjcf(arguments.mjcf) if arguments.mjcf else None
    if path.suffix.lower() in ('.yaml', '.yml'):
        mjcf, found = _from_yaml(path, arguments.joint_names, mjcf)
        model = arguments.model or _model_beside(path, found)
    else:
        archive = read_archive(path)
        if archive.init_fn is not None:
            raise ModelError(f'{path}: a kinfer archive needs no spec; expected .onnx or .yaml')
        try_policy(archive, None, 1, TrialLimits(), only_graph=True)
        graph = Graph(archive.step_fn, str(path), external=archive.external)
        found = read_onnx_metadata(graph, path)
        model = path
    found.name = arguments.name or _name(path)
    robot = _robot(found, mjcf, arguments.out)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    targets = (out / f'{found.name}.spec.yaml', out / f'{found.name}.robot.yaml')
    written = _write(found, robot, targets, path.name, overwrite=arguments.force)
    _report(found, targets, written, model)
    return 0


def _write(
    found: ImportedContract,
    robot: dict[str, Any],
    targets: tuple[Path, Path],
    source: str,
    *,
    overwrite: bool,
) -> tuple[PolicySpec, Robot]:
    """
    Write both files, or none.

    :return: what they say when they are read back.
    :raises KinferRosError: one is there already, or cannot be read back.
    """
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise ModelError(f'{there[0]}: exists already; --force overwrites it')
    parts = zip(targets, (found.spec(), robot), ('Policy spec', 'Robot file'), strict=True)
    try:
        for target, content, what in parts:
            text = _as_yaml(content, f'{what}, imported from {source}', found)
            write_atomically(target, text.encode(), overwrite=overwrite)
        return load_spec(targets[0]), load_robot(str(targets[1].absolute()))
    except KinferRosError:
        for target in targets:
            if target not in there:
                target.unlink(missing_ok=True)
        raise


def _read_mjcf(path: Path) -> Any:
    # Imported here: the rest works without MuJoCo.
    from kinfer_ros.robot.mjcf import read_mjcf

    return read_mjcf(path)


def _from_yaml(path: Path, names: list[str] | None, mjcf: Any) -> tuple[Any, ImportedContract]:
    file = YamlFile(path, 'file', ModelError, foreign=True)
    if not is_deploy_yaml(file.root):
        keys = ', '.join(file.root.keys()) or 'nothing'
        raise ModelError(
            f'{path}: found {keys}; expected the deploy.yaml of unitree_rl_lab (joint_ids_map, '
            'observations, ...) or an .onnx file with metadata'
        )
    told_by = 'as given'
    if names is None:
        mjcf = mjcf or _mjcf_beside(path, joint_count(file.root))
        names = [joint.name for joint in mjcf.joints]
        told_by = f'those of {mjcf.path.name}'
    return mjcf, read_deploy(file, names, told_by)


def _mjcf_beside(path: Path, count: int) -> Any:
    """Return the only MJCF in the folder with enough actuated joints."""
    fitting = []
    for candidate in sorted(path.parent.glob('*.xml')):
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


def _robot(found: ImportedContract, mjcf: Any, out: Path) -> dict[str, Any]:
    imu: dict[str, Any] = {'frame': 'imu_link', 'mounting': [1.0, 0.0, 0.0, 0.0]}
    if mjcf is None:
        found.assume('robot file, IMU: frame imu_link, mounted as the base')
        return draft_robot(found, {}, base='base_link', imu=imu, mjcf=None)
    missing = [n for n in found.robot_joints if n not in {j.name for j in mjcf.joints}]
    if missing:
        raise ModelError(
            f'{mjcf.path}: lacks the joints {", ".join(missing)}; it has '
            f'{", ".join(joint.name for joint in mjcf.joints)}'
        )
    if mjcf.imu.name is not None:
        imu['mounting'] = list(mjcf.imu_mounting)
        imu['site'] = mjcf.imu.name
    imu['position'] = list(mjcf.imu_position)
    found.assume(f'robot file, IMU: {mjcf.imu.describe()} ({mjcf.path.name})')
    if warning := mjcf.imu.warning():
        found.warnings.append(warning)
    known = {j.name: JointLimits(j.lower, j.upper, j.torque_limit) for j in mjcf.joints}
    place = mjcf.path.resolve()
    try:
        shown = str(place.relative_to(out.resolve()))
    except ValueError:
        shown = str(place)
    return draft_robot(found, known, base=mjcf.base, imu=imu, mjcf=shown)


def _as_yaml(content: dict[str, Any], title: str, found: ImportedContract) -> str:
    lines = [f'# {title}.', *(f'# Warning: {line}' for line in found.warnings)]
    lines += ['# Assumed, not in the file:', *(f'#   {line}' for line in found.assumptions)]
    dumped = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    return '\n'.join(lines) + '\n' + str(dumped)


def _report(
    found: ImportedContract,
    targets: tuple[Path, Path],
    written: tuple[PolicySpec, Robot],
    model: Path | None,
) -> None:
    (spec_path, robot_path), (spec, robot) = targets, written
    print(f'wrote {spec_path}: {len(spec.joints)} joints, {spec.observation_size} observations')
    print(f'wrote {robot_path}: {len(robot.joints)} joints')
    print('assumed, not in the file:')
    for line in found.assumptions:
        print(f'  - {line}')
    for line in found.warnings:
        print(f'warning: {line}')
    if model is None:
        print('not checked against a network: give it with --model')
        return
    try:
        policy = load_model(model, spec=spec_path)
    except ModelError:
        print(f'the network {model} does not match the written files:', file=sys.stderr)
        raise
    print(f'\nchecked with {model}:')
    rows = [*check_contract(policy, robot), *check_simulation(policy.contract, robot)]
    print(as_table([row for row in rows if row.verdict != 'assumed']))
