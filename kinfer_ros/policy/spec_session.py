"""Runs a flat network with the interface of BoundSession: named arrays in, joint targets out.

It builds the observation, runs the network, converts its output into targets, and keeps all state
in one carry, so that the controller, the step log and replay treat all policies alike.
"""

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.memory import Memory
from kinfer_ros.policy.network import Network
from kinfer_ros.policy.observation import FlatObservation
from kinfer_ros.policy.session import BoundSession
from kinfer_ros.policy.session import FiniteCheck
from kinfer_ros.policy.session import Graph
from kinfer_ros.policy.spec import PolicySpec


class SpecSession:
    """
    A network with its spec; the calls of BoundSession, and `run_flat`.

    The carry is the network's states, flat and in the order of its inputs, then the parts of
    `Memory`.

    :ivar action: [joints] rad, targets in the spec's joint order: a read-only view.
    """

    def __init__(self, graph: Graph, spec: PolicySpec, network: Network) -> None:
        """Allocate and bind the buffers, without running the network."""
        self.graph = graph
        self.memory = Memory(spec)
        self._session = BoundSession(
            graph,
            [network.observation],
            network.action,
            network.states,
            extra=self.memory.size,
        )
        self.initial_carry = np.concatenate([network.initial, self.memory.initial])
        self.flat = self._session.inputs[network.observation[0]].reshape(-1)
        self._observation = FlatObservation(spec, self.memory, self.flat)
        self.inputs = self._observation.inputs
        self.inputs_finite = FiniteCheck(self._observation.buffer)
        self._output = self._session.action.reshape(-1)
        self._targets = JointTargets(spec, self._observation.inputs)
        self._targets_finite = FiniteCheck(self._targets.all_joints)
        self.action = self._targets.all_joints.view()
        self.action.flags.writeable = False
        self.needs_joint_angles = spec.action.relative_to == 'joint_positions'

    @property
    def carry(self) -> Float32:
        """The carry for the next run: a read-only view."""
        return self._session.carry

    def set_carry(self, carry: Float32) -> None:
        """Overwrite the current carry, and discard the last run."""
        self._session.set_carry(carry)

    def run(self) -> Float32:
        """
        Build the observation from `inputs` and the carry, run the network, compute targets.

        :return: the targets, rad: a read-only view that the next run overwrites.
        :raises ModelError: when onnxruntime fails.
        """
        self._observation.build(self._session.extra)
        return self._infer()

    def run_flat(self, flat: Float32) -> Float32:
        """
        Run the network on a flat vector built by the caller.

        Its newest frame enters the history; states, last action and gait clock advance as usual.

        :raises ModelError: when onnxruntime fails.
        """
        self._observation.set_flat(flat, self._session.extra)
        return self._infer()

    def _infer(self) -> Float32:
        self._session.run()
        action, target = self._targets.compute(self._output, self._session.extra, self.memory)
        self._observation.update_memory(
            self._session.extra, self._session.next_extra, action, target
        )
        return self.action

    def abandon(self, *, on: bool) -> None:
        """Make runs of the network fail, as BoundSession.abandon."""
        self._session.abandon(on=on)

    def outputs_finite(self) -> bool:
        """Whether the network's output, the targets and the next carry are all finite."""
        return self._session.outputs_finite() and self._targets_finite()

    def finite(self) -> bool:
        """The same, including the inputs and the flat observation."""
        return self._session.finite() and self._targets_finite() and self.inputs_finite()

    def flat_finite(self) -> bool:
        """As `finite`, without the named inputs."""
        return self._session.finite() and self._targets_finite()

    def next_carry(self) -> Float32:
        """The carry that the last run wrote: a read-only view."""
        return self._session.next_carry()

    def discard(self) -> None:
        """Discard the last run: its carry can no longer become the current one."""
        self._session.discard()

    def advance(self) -> None:
        """Make the carry of the last run the current one; once for each run."""
        self._session.advance()

    def check_flat(self, flat: object, where: str) -> Float32:
        """
        Convert and check a flat observation.

        :raises ContractError: its shape is wrong, or the targets also need the joint positions.
        """
        if self.needs_joint_angles:
            raise ContractError(
                f'{where}: its targets are relative to the measured joint positions, which a flat '
                'vector does not give; expected the mapping of named arrays'
            )
        try:
            array = np.asarray(flat, np.float32)
        except (ValueError, TypeError) as error:
            raise ContractError(f'{where}: observation: {error}') from None
        if array.size != self.flat.size or array.shape[-1:] != (self.flat.size,):
            raise ContractError(
                f'{where}: observation: found shape {array.shape}; expected a mapping with the '
                f'arrays {", ".join(self.inputs)}, or the flat vector ({self.flat.size},)'
            )
        return array.reshape(-1)


class JointTargets:
    """Converts a network's output into absolute joint targets."""

    def __init__(self, spec: PolicySpec, inputs: dict[str, Float32] | object) -> None:
        action = spec.action
        names = spec.joints
        pose = np.array(spec.default_pose, np.float32)
        self.all_joints: Float32 = pose.copy()
        """rad, in spec order; joints without an action stay at the default pose."""
        self._places = np.array([names.index(name) for name in action.joints], np.intp)
        self._scale = np.array(action.scale, np.float32)
        self._offset = np.array(action.offset, np.float32)
        if action.relative_to == 'default_pose':
            self._offset = self._offset + pose[self._places]
        self._relative_to = action.relative_to
        self._measured = None
        if action.relative_to == 'joint_positions':
            self._measured = inputs['joint_angles']  # type: ignore[index]
        self._clip = None if action.clip is None else _arrays(action.clip)
        self._target_clip = None if action.target_clip is None else _arrays(action.target_clip)
        self._action = np.zeros(len(action.joints), np.float32)
        self._target = np.zeros(len(action.joints), np.float32)

    def compute(self, output: Float32, memory: Float32, layout: Memory) -> tuple[Float32, Float32]:
        """:return: the clipped action for the memory, and the targets, rad."""
        action, target = self._action, self._target
        action[:] = output
        if self._clip is not None:
            np.clip(action, *self._clip, out=action)
        np.multiply(action, self._scale, out=target)
        target += self._offset
        if self._measured is not None:
            target += self._measured[self._places]
        elif self._relative_to == 'last_target':
            start = layout.parts['targets'].start
            target += memory[start : start + target.size]
        if self._target_clip is not None:
            np.clip(target, *self._target_clip, out=target)
        self.all_joints[self._places] = target
        return action, target


def _arrays(bounds: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[Float32, Float32]:
    return np.array(bounds[0], np.float32), np.array(bounds[1], np.float32)
