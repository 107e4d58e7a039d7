"""Drafts the motion of a network that holds it, as holosoma and BeyondMimic (mjlab) export it.

Such a network has an input with the step, and outputs with the reference of that step: joints, and
the orientation of the anchor or of all bodies (then the metadata names them).
"""

from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.metadata_keys import MetadataKeys

STEPS = ('time_step', 'motion_step')
"""Names of the input."""
POSITIONS, VELOCITIES = 'joint_pos', 'joint_vel'
ANCHOR, BODIES = 'ref_quat_xyzw', 'body_quat_w'
"""Outputs: of holosoma, x y z w; of BeyondMimic, w x y z of each body."""
MOTION_COMMAND = 'motion_command'
"""Stands for the reference's joint positions and velocities until `expand_motion`."""


def holds_motion(graph: Graph) -> bool:
    """Whether a network answers a step with the reference of that step."""
    inputs = {node.name for node in graph.inputs}
    return bool(inputs & set(STEPS)) and POSITIONS in {node.name for node in graph.outputs}


def expand_motion(
    terms: list[dict[str, Any]], joints: int, lengths: list[int], where: str
) -> tuple[list[dict[str, Any]], list[int]]:
    """
    Make two terms of MOTION_COMMAND, each with its part of the scale.

    :raises ModelError: its frames are stacked, joints and velocities together.
    """
    made: list[dict[str, Any]] = []
    frames: list[int] = []
    for term, length in zip(terms, lengths, strict=True):
        if term['source'] != MOTION_COMMAND:
            made.append(term)
            frames.append(length)
            continue
        if length > 1:
            raise ModelError(
                f'{where}: found {length} frames of the motion, expected 1: positions and '
                'velocities of a frame stand together, which a policy spec cannot say'
            )
        rest = {key: value for key, value in term.items() if key != 'source'}
        scale = rest.pop('scale', 1.0)
        for at, what in enumerate(('positions', 'velocities')):
            part = scale[at * joints : (at + 1) * joints] if isinstance(scale, list) else scale
            more = rest if part == 1.0 else rest | {'scale': part}
            made.append({'source': f'reference_joint_{what}', **more})
            frames.append(1)
    return made, frames


def draft_network_motion(contract: ImportedContract, keys: MetadataKeys, graph: Graph) -> None:
    """Write the motion, the input with its step, and which output is the action."""
    inputs = [node.name for node in graph.inputs]
    outputs = [node.name for node in graph.outputs]
    step = next(name for name in STEPS if name in inputs)
    network = {'step': step, 'joint_positions': POSITIONS}
    if VELOCITIES in outputs:
        network['joint_velocities'] = VELOCITIES
    motion: dict[str, Any] = {'network': network, 'lag': 1, 'wait': True, 'end': 'hold'}
    if ANCHOR in outputs:
        network['anchor_orientation'] = ANCHOR
        motion['quaternion'] = 'xyzw'
    elif BODIES in outputs:
        network['anchor_orientation'] = BODIES
        motion |= {'quaternion': 'wxyz', 'body': _anchor_body(keys)}
    motion['align'] = 'yaw'
    contract.motion = motion
    contract.commands = {}
    contract.assume('motion: in the network; its first frame is held until it is started')
    contract.assume('motion: seen one tick late, as runtimes that run the network once a tick')
    contract.assume("motion: turned to the robot's heading at the start, the last frame held")
    motion['anchor'] = contract.draft_anchor()
    others = [name for name in inputs if name != step]
    contract.observation_inputs = [
        {'input': others[0] if others else inputs[0], **contract.observation},
        {'input': step, 'terms': [{'source': 'motion_frame'}]},
    ]


def _anchor_body(keys: MetadataKeys) -> Any:
    """:return: index of the anchor among the bodies of the output."""
    name, bodies = keys.text('anchor_body_name'), keys.names('body_names')
    if name is None or bodies is None or name not in bodies:
        return fill_in(f'index of the anchor in {BODIES}: the metadata has no anchor_body_name')
    return bodies.index(name)
