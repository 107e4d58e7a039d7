"""Reads the motion that a network holds: outputs that depend on a step input alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.motion.motion import Motion
from kinfer_ros.policy.motion.spec_motion import MotionSpec
from kinfer_ros.policy.motion.spec_motion import NetworkMotion
from kinfer_ros.policy.number_types import DTYPES

MAX_NETWORK_FRAMES = 100_000
"""Frames that are read, one run of the network each: half an hour at 50 Hz."""


class NetworkReader:
    """Runs a network at any step, with zeros for its other inputs."""

    def __init__(self, graph: Graph, entry: NetworkMotion) -> None:
        """:raises ModelError: the network has no such input or output."""
        self._graph = graph
        names = {'step': entry.step, 'joint_positions': entry.positions}
        names |= {} if entry.velocities is None else {'joint_velocities': entry.velocities}
        names |= {} if entry.orientation is None else {'anchor_orientation': entry.orientation}
        self._outputs = {key: name for key, name in names.items() if key != 'step'}
        _check_name(graph, 'network.step', entry.step, [node.name for node in graph.inputs])
        for key, name in self._outputs.items():
            _check_name(graph, f'network.{key}', name, [node.name for node in graph.outputs])
        self._inputs: dict[str, Any] = {}
        for node in graph.inputs:
            shape = [size if isinstance(size, int) and size > 0 else 1 for size in node.shape]
            if node.dtype not in DTYPES:
                raise ModelError(f'{graph.where}: input {node.name!r}: found {node.dtype}')
            self._inputs[node.name] = np.zeros(shape, DTYPES[node.dtype])
        self._step = self._inputs[entry.step]

    def at(self, step: int) -> Mapping[str, Float64]:
        """Return the reference of a step, by what it is."""
        self._step[...] = step
        found = self._graph.run_once(self._inputs)
        return {
            key: np.asarray(found[name], np.float64).reshape(-1)
            for key, name in self._outputs.items()
        }

    def frames(self) -> int:
        """
        Return the number of frames: after the last one the network repeats it.

        :raises ModelError: the reference does not depend on the step, or has no end.
        """
        last = self._key(MAX_NETWORK_FRAMES)
        low, high = 0, MAX_NETWORK_FRAMES
        if self._key(0) == last:
            raise ModelError(
                f'{self._graph.where}: its reference is the same at the first and the last step; '
                'expected outputs that depend on the input motion.network.step'
            )
        if self._key(MAX_NETWORK_FRAMES - 1) != last:
            raise ModelError(
                f'{self._graph.where}: its reference has more than {MAX_NETWORK_FRAMES} frames, '
                'or no end'
            )
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._key(middle) == last else (middle, high)
        return high + 1

    def _key(self, step: int) -> bytes:
        return b''.join(values.tobytes() for values in self.at(step).values())


def _check_name(graph: Graph, key: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise ModelError(
            f'{graph.where}: motion.{key} of the spec: found {name!r}, expected one of '
            f'{", ".join(names)}'
        )


def read_network_motion(graph: Graph, spec: MotionSpec, rate_hz: float) -> Motion:
    """
    Read the whole motion, one run a frame.

    :param rate_hz: control rate; a step of the network is a tick, unless the spec has a rate.
    :raises ModelError: it has none, or not as the spec says.
    """
    assert spec.network is not None
    reader = NetworkReader(graph, spec.network)
    rows = [reader.at(step) for step in range(reader.frames())]
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    for key in ('joint_positions', 'joint_velocities'):
        if key in arrays and arrays[key].shape[1] != len(spec.joints):
            raise ModelError(
                f'{graph.where}: {key}: found {arrays[key].shape[1]} numbers, expected '
                f'{len(spec.joints)}: {", ".join(spec.joints)}'
            )
    orientation = arrays.get('anchor_orientation')
    if orientation is not None:
        if spec.body is not None:
            orientation = orientation[:, 4 * spec.body : 4 * spec.body + 4]
        if orientation.shape[1] != 4:
            raise ModelError(
                f'{graph.where}: anchor_orientation: found {orientation.shape[1]} numbers, '
                'expected a quaternion'
            )
        if spec.quaternion == 'xyzw':
            orientation = np.roll(orientation, 1, axis=1)
    velocities = arrays.get('joint_velocities')
    return Motion(
        where=graph.where,
        rate_hz=spec.rate_hz or rate_hz,
        positions=arrays['joint_positions'][:, spec.order],
        velocities=None if velocities is None else velocities[:, spec.order],
        anchor_quaternion=orientation,
    )
