"""`python -m kinfer_ros pack`: two ONNX files and metadata in, one `.kinfer` archive out.

The archive's bytes are loaded and run once before they are written, so an unusable file is never
written. Missing `command_names` and `carry_size`, which kinfer 0.6 requires, are filled in.
"""

import argparse
from pathlib import Path
from typing import Any

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ModelError
from kinfer_ros.file_kind import no_model
from kinfer_ros.policy.archive import INIT_FN
from kinfer_ros.policy.archive import MAX_FILE_BYTES
from kinfer_ros.policy.archive import archive_bytes
from kinfer_ros.policy.archive import parse_archive
from kinfer_ros.policy.archive import parse_json_object
from kinfer_ros.policy.archive import write_atomically
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import policy_from_archive

NOT_IN_KINFER_0_6 = ('quaternion', 'initial_heading')


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'pack',
        'Make a .kinfer archive for kinfer 0.6 and kinfer_ros. For kinfer 0.6.1,'
        ' export with ONNX opset 21 or below (its onnxruntime is 1.20).',
        'pack --init init_fn.onnx --step step_fn.onnx --metadata metadata.json --out walk.kinfer',
        codes='0: written',
    )
    add = parser.add_argument
    add('--init', type=Path, required=True, help='ONNX file: no inputs, one output, the carry')
    add('--step', type=Path, required=True, help='ONNX file: named inputs; action, next carry')
    add('--metadata', type=Path, required=True, help='JSON file with at least joint_names')
    add('-o', '--out', '--output', type=Path, required=True, help='the .kinfer file to make')
    add_force_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error, explained on stderr."""
    out: Path = arguments.out
    if out.exists() and not arguments.force:
        raise ModelError(f'{out}: exists already; expected a free name (--force overwrites it)')
    init, step = _read_network(arguments.init), _read_network(arguments.step)
    given = parse_json_object(_read(arguments.metadata), str(arguments.metadata))
    policy = policy_from_archive(parse_archive(archive_bytes(init, step, given), out))
    data = archive_bytes(init, step, _complete(given, policy, init))
    # Load again, so that exactly the written bytes were tested.
    policy = policy_from_archive(parse_archive(data, out))
    write_atomically(out, data, overwrite=arguments.force)
    _report(policy, len(data))
    return 0


def _read_network(path: Path) -> bytes:
    data = _read(path)
    if other := no_model(data):
        raise ModelError(f'{path}: {other}')
    return data


def _read(path: Path) -> bytes:
    try:
        if path.is_fifo():  # opening it waits for its other end
            raise ValueError('it is a FIFO')
        with path.open('rb') as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ModelError(f'{path}: cannot be read: {reason}') from None
    if not 0 < len(data) <= MAX_FILE_BYTES:
        raise ModelError(f'{path}: found {len(data)} bytes; expected 1 to {MAX_FILE_BYTES}')
    return data


def _complete(given: dict[str, Any], policy: Policy, init: bytes) -> dict[str, Any]:
    """Return the metadata, with the keys that kinfer 0.6 requires first."""
    commands = given.get('command_names')
    (carry,) = Graph(init, INIT_FN).run_once({}).values()
    required = {
        'joint_names': list(policy.contract.joint_names),
        'command_names': list(policy.contract.command_names) if commands is None else commands,
        # From init_fn: kinfer requires the shape even if the policy never reads the carry.
        'carry_size': list(carry.shape),
    }
    return required | {key: value for key, value in given.items() if key not in required}


def _report(policy: Policy, size: int) -> None:
    contract = policy.contract
    print(f'{contract.path}')
    print(f'  joints    {len(contract.joint_names)}: {", ".join(contract.joint_names)}')
    commands = ', '.join(contract.command_names) or 'none'
    print(f'  commands  {len(contract.command_names)}: {commands}')
    print(f'  inputs    {", ".join(each.name for each in contract.inputs)}')
    print(f'  carry     {contract.carry_shape or "none"}')
    print(f'  size      {size} bytes')
    print(f'  sha256    {contract.sha256}')
    for each in contract.inputs:
        if each.name in NOT_IN_KINFER_0_6:
            print(f'  note      kinfer 0.6 refuses this file: it does not know {each.name}')
