"""Runs networks with a spec with the interface of BoundSession: named arrays in, targets out.

It builds the observations, runs the networks, converts their outputs into targets, and keeps all
state in one carry, so that the controller, the step log and replay treat all policies alike.
"""

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.motion.playing import PlayingMotion
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.network import Network
from kinfer_ros.policy.number_types import Array
from kinfer_ros.policy.session import BoundSession
from kinfer_ros.policy.session import finite_check
from kinfer_ros.policy.spec.action import MEASURED
from kinfer_ros.policy.spec.flat_vector import FlatVector
from kinfer_ros.policy.spec.joint_targets import JointTargets
from kinfer_ros.policy.spec.memory import Memory
from kinfer_ros.policy.spec.sources import Sources
from kinfer_ros.policy.spec.spec import PolicySpec


class SpecSession:
    """
    A network with its spec; the calls of BoundSession, and `run_flat`.

    The carry is the networks' states, flat and in the order of their inputs, then the parts of
    `Memory`.

    :ivar action: [joints] rad, targets in the spec's joint order: a read-only view.
    :ivar flat: the flat vector of the first block of the policy's observation.
    :ivar motion: that the policy plays, or None.
    """

    def __init__(
        self, spec: PolicySpec, networks: list[Network], timeline: Timeline | None = None
    ) -> None:
        """
        Allocate and bind the buffers, without running a network.

        :param networks: in the order in which they run, that of the spec's blocks; the last one
            is the policy.
        :param timeline: of the spec's motion.
        """
        self.graph = networks[-1].wiring.graph
        self.memory = Memory(spec)
        self._networks = networks
        self._session = BoundSession(
            [network.wiring for network in networks], extra=self.memory.size
        )
        states = [network.initial for network in networks]
        self.initial_carry = np.concatenate([*states, self.memory.initial])
        self._sources = Sources(spec, self.memory, timeline)
        self.motion = None
        if timeline is not None:
            self.motion = PlayingMotion(timeline, self._sources.recorded, self._motion_ended)
        self.inputs = self._sources.inputs
        self.inputs_finite = finite_check(self._sources.buffer)
        self._vectors = self._make_vectors(spec, networks)
        self._results = self._find_results(spec)
        self._flat_vector = self._vectors[-1][0]
        self.flat = self._flat_vector.flat
        outputs = self._session.buffers[-1][1]
        named = {name: outputs[own] for name, own in networks[-1].outputs.items()}
        self._targets = JointTargets(spec, self.inputs, self.memory, named)
        self._targets_finite = finite_check(self._targets.all_joints)
        self.action = self._targets.all_joints.view()
        self.action.flags.writeable = False
        self._no_flat = _why_no_flat(spec, networks)

    def _make_vectors(self, spec: PolicySpec, networks: list[Network]) -> list[list[FlatVector]]:
        """Make the flat vectors of each network, in the order of the spec's blocks."""
        blocks = iter(zip(spec.blocks, self.memory.blocks, strict=True))
        made = []
        for network, (inputs, _) in zip(networks, self._session.buffers, strict=True):
            own = []
            for name, place in network.places:
                block, parts = next(blocks)
                flat = inputs[name].reshape(-1)[place]
                own.append(FlatVector(spec, block, self._sources, parts, flat))
            made.append(own)
        return made

    def _find_results(self, spec: PolicySpec) -> list[list[tuple[Float32, Float32]]]:
        """Find what later terms read of each network: where it goes, and its output."""
        found: list[list[tuple[Float32, Float32]]] = [[] for _ in self._networks]
        names = list(spec.network_files)
        for (name, output), view in self._sources.network_outputs.items():
            at = names.index(name)
            own = self._networks[at].outputs[output]
            found[at].append((view, self._session.buffers[at][1][own].reshape(-1)))
        return found

    @property
    def carry(self) -> Float32:
        """The carry for the next run: a read-only view."""
        return self._session.carry

    def set_carry(self, carry: Float32) -> None:
        """Overwrite the current carry, and discard the last run."""
        self._session.set_carry(carry)

    def run(self) -> Float32:
        """
        Build the observation from `inputs` and the carry, run the networks, compute targets.

        :return: the targets, rad: a read-only view that the next run overwrites.
        :raises ModelError: when onnxruntime fails.
        """
        memory = self._session.extra
        self._sources.refresh(memory)
        for at, vectors in enumerate(self._vectors):
            for vector in vectors:
                vector.build(memory)
            self._session.run_graph(at)
            for view, result in self._results[at]:
                view[:] = result
        return self._finish()

    def run_flat(self, flat: Float32) -> Float32:
        """
        Run the network on a flat vector built by the caller.

        Its newest frame enters the history; states, last action and gait clock advance as usual.

        :raises ModelError: when onnxruntime fails.
        """
        self._flat_vector.set_flat(flat, self._session.extra)
        self._session.run()
        return self._finish()

    def _finish(self) -> Float32:
        memory, following = self._session.extra, self._session.next_extra
        action, target = self._targets.compute(memory)
        for vectors in self._vectors:
            for vector in vectors:
                vector.update_memory(following)
        self._sources.update_memory(memory, following, action, target)
        return self.action

    def abandon(self, *, on: bool) -> None:
        """Make runs of the network fail, as BoundSession.abandon."""
        self._session.abandon(on=on)

    def outputs_finite(self) -> bool:
        """Whether observations, outputs, targets and the next carry are all finite."""
        return self._session.finite() and self._targets_finite()

    def finite(self) -> bool:
        """The same, including the named inputs."""
        return self.outputs_finite() and self.inputs_finite()

    def checked(self) -> dict[str, Array]:
        """Return what `outputs_finite` checks, by a name for messages."""
        several = len(self._session.inputs) > 1
        vectors: dict[str, Array] = {}
        for network, (inputs, _) in zip(self._networks, self._session.buffers, strict=True):
            of = self._session.label(network.wiring.graph.where)
            for name, vector in inputs.items():
                vectors[f'observation {name if several or of else ""}{of}'.rstrip()] = vector
        return vectors | {'model output target': self.action} | self._session.checked()

    def _motion_ended(self) -> bool:
        return self._sources.motion_ended(self._session.extra)

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
        if self._no_flat:
            raise ContractError(f'{where}: {self._no_flat}; expected the mapping of named arrays')
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


def _why_no_flat(spec: PolicySpec, networks: list[Network]) -> str:
    """Return why a flat vector is not all that a step needs, or ''."""
    if MEASURED in spec.action.references:
        return (
            'its targets are relative to the measured joint positions, which a flat vector does '
            'not give'
        )
    if spec.action.torque_clip is not None:
        return 'its targets depend on the measured joints, which a flat vector does not give'
    if spec.motion is not None:
        return 'its reference is that of the motion, which a flat vector does not move on'
    if len(spec.blocks) > 1:
        names = dict.fromkeys(name for network in networks for name, _ in network.places)
        return f'its observation has several parts ({", ".join(names)}), no single flat vector'
    return ''
