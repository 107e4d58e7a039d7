"""Loads the motion of a policy spec, from its file or from the network."""

import hashlib
from pathlib import Path

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.motion.files import read_motion_file
from kinfer_ros.policy.motion.motion import check_motion
from kinfer_ros.policy.motion.network_motion import read_network_motion
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.motion.timeline import make_timeline
from kinfer_ros.policy.spec.spec import PolicySpec


def load_timeline(spec: PolicySpec, graph: Graph, model: Path) -> Timeline | None:
    """
    Make the reference of every tick.

    :param model: the policy's file; a motion stands beside the spec, or beside it.
    :return: None for a policy without a motion.
    :raises ModelError: the motion cannot be read, or is not as the spec says.
    """
    wanted = spec.motion
    if wanted is None:
        return None
    if wanted.network is not None:
        motion = read_network_motion(graph, wanted, spec.control_rate_hz)
        data = motion.positions.tobytes()
    else:
        motion, data = read_motion_file(_place(spec, model), wanted)
    check_motion(motion)
    sha256 = hashlib.sha256(data).hexdigest()
    return make_timeline(wanted, motion, spec.joints, spec.control_rate_hz, sha256)


def _place(spec: PolicySpec, model: Path) -> Path:
    """:raises ModelError: there is no such file beside the spec or the model, or below."""
    assert spec.motion is not None
    name = spec.motion.file or ''
    folders = [place.resolve().parent for place in (spec.path, model)]
    for folder in folders if '\0' not in name else ():
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(folder):
            return path
    listed = ' or '.join(str(folder) for folder in dict.fromkeys(folders))
    raise ModelError(f'{spec.path}: motion.file: found {name!r}, expected a file in {listed}')
