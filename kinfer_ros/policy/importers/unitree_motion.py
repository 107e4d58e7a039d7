"""Reads the motion terms of unitree_rl_lab's mimic deploy.yaml, and drafts the motion.

As its runtime (State_Mimic): `motion_command` is the reference's joint positions and velocities,
`motion_anchor_ori_b` its torso in the robot's. The file says nothing of the motion itself.
"""

from pathlib import Path
from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_vector

MOTION_TERMS = {
    'motion_command': ('reference_joint_positions', 'reference_joint_velocities'),
    'motion_anchor_ori_b': ('reference_anchor_orientation',),
}
SUFFIXES = ('.csv', '.npz')
CSV_RATE_HZ = 60.0
"""Of Unitree's motion files."""


def read_motion_terms(
    contract: ImportedContract, terms: Section, name: str
) -> list[tuple[dict[str, Any], int]]:
    """:return: the spec terms of one of MOTION_TERMS, each with its frames."""
    sources = MOTION_TERMS[name]
    size = 6 if len(sources) == 1 else len(contract.joints)
    labels = [f'{part}[{at}]' for part in sources for at in range(size)]
    scale = [1.0] * len(labels)
    entry = terms.section(name) if terms.plain(name) is not None else None
    if entry is not None:
        entry.plain('params')
        if entry.plain('scale') is not None:
            scale = list(read_vector(entry, 'scale', labels, '1') or scale)
        if read_bounds(entry, 'clip', labels, 'as the term') is not None:
            entry.problem('found a clip, expected none: write a policy spec by hand', 'clip')
        if entry.plain('history_length') not in (None, 0, 1):
            entry.problem('found frames to stack, expected 1 for a reference', 'history_length')
    found = []
    for index, source in enumerate(sources):
        part = scale[index * size : (index + 1) * size]
        found.append(({'source': source} | ({} if set(part) == {1.0} else {'scale': part}), 1))
    return found


def draft_motion(contract: ImportedContract, folder: Path) -> None:
    """Write the section `motion` of the spec, if it has one, for a file in this folder."""
    sources = {term.get('source') for term in contract.observation.get('terms', ())}
    if not sources & {source for group in MOTION_TERMS.values() for source in group}:
        return
    files = [found for suffix in SUFFIXES if (found := sorted(folder.glob(f'*{suffix}')))][:1]
    file = files[0][0] if files and len(files[0]) == 1 else None
    motion: dict[str, Any] = {
        'file': file.name if file else fill_in('CSV or NPZ file beside the spec'),
        'joints': list(contract.robot_joints),
        'end': 'hold',
        'align': 'yaw',
    }
    contract.assume('motion: joints in the order of the SDK, from its first frame to its last')
    contract.assume("motion: turned to the robot's heading at the start, the last frame held")
    motion['anchor'] = contract.draft_anchor()
    if file is not None:
        contract.beside.append(file)
        contract.assume(f'motion, file: {file.name}, the only one beside the deploy.yaml')
    if file is None or file.suffix == '.csv':
        motion |= {'rate': CSV_RATE_HZ, 'quaternion': 'xyzw', 'velocity': 'forward'}
        contract.assume(f'motion: {CSV_RATE_HZ:g} rows a second, root quaternion x y z w')
    contract.motion = motion
    if 'command' not in sources:
        contract.commands = {}
        contract.assumptions[:] = [
            line for line in contract.assumptions if not line.startswith('command ranges:')
        ]
