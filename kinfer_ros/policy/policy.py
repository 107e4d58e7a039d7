"""Loads a policy file and runs it.

`step` checks named arrays, runs the model, refuses non-finite numbers, and only then advances the
carry. A controller's tick uses the lower-level calls (inputs, infer, accept): the same model on
the same buffers, without a mapping and without allocations.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy.archive import INIT_FN
from kinfer_ros.policy.archive import STEP_FN
from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.bound_graph import Port
from kinfer_ros.policy.bound_graph import State
from kinfer_ros.policy.bound_graph import Wiring
from kinfer_ros.policy.contract import CARRY
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.contract import build_contract
from kinfer_ros.policy.contract import read_metadata
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.number_types import FLOAT32
from kinfer_ros.policy.session import BoundSession
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.spec_policy import read_files
from kinfer_ros.policy.spec.spec_policy import read_with_spec
from kinfer_ros.policy.spec.spec_session import SpecSession
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy

_ARRAY = np.ndarray
_REAL = 'fiu'  # numpy's dtype kinds that convert to float32; no bool, no complex
# A robot at rest, for the inputs where zeros are not a possible measurement.
_AT_REST = {
    'projected_gravity': (0.0, 0.0, -9.81),
    'accelerometer': (0.0, 0.0, 9.81),
    'quaternion': (1.0, 0.0, 0.0, 0.0),
}


def load_model(
    path: str | os.PathLike[str],
    spec: str | os.PathLike[str] | None = None,
    *,
    threads: int = 1,
    trial: bool | TrialLimits = True,
    control_rate_hz: float | None = None,
) -> 'Policy':
    """
    Load a `.kinfer` archive, or a bare `.onnx` file with the same named inputs or with a spec.

    The model is checked and run once before this returns; by default in a child process first.

    :param spec: a policy spec (YAML, docs/specs.md) for an ONNX file that takes one flat
        vector; it is used only where it is named, never searched for.
    :param threads: of onnxruntime. More than one is faster for a large network on idle cores, and
        late by milliseconds when another program takes one of them; the results are equal.
    :param trial: bounds the time and memory of the first load of a file in this process, about
        0.4 s more. False only for a file that cannot harm: one that you have made.
    :param control_rate_hz: run a policy with a spec at another rate than that of its training; a
        gait clock keeps its frequency.
    :raises TrialError: a ModelError: it takes too long or too much memory, or crashes.
    :raises ModelError: naming the file, what was found and what was expected.
    """
    archive, policy_spec = read_files(path, spec)
    if trial:
        limits = trial if isinstance(trial, TrialLimits) else TrialLimits()
        try_policy(archive, spec, threads, limits)
    return load_archive(archive, policy_spec, threads, control_rate_hz)


def load_archive(
    archive: Archive,
    spec: PolicySpec | None = None,
    threads: int = 1,
    control_rate_hz: float | None = None,
) -> 'Policy':
    """
    Make a policy, as `load_model` does, from files that were read, without a trial.

    :raises ModelError: naming the file, what was found and what was expected.
    """
    if spec is None:
        return policy_from_archive(archive, threads)
    contract, session = read_with_spec(archive, spec, threads, control_rate_hz)
    return Policy(contract, session, session.initial_carry)


def policy_from_archive(archive: Archive, threads: int = 1) -> 'Policy':
    """
    Make a policy from an archive in memory.

    :raises ModelError: naming the file, what was found and what was expected.
    """
    is_bare = archive.init_fn is None
    where = str(archive.path) if is_bare else f'{archive.path}: {STEP_FN}'
    step = Graph(archive.step_fn, where, threads, archive.external)
    raw, metadata = read_metadata(archive, step)
    initial = None
    if archive.init_fn is not None:
        initial = _initial_carry(Graph(archive.init_fn, f'{archive.path}: {INIT_FN}'))
    shape = None if initial is None else initial.shape
    contract = build_contract(archive, step, raw, metadata, shape)
    if contract.carry_shape is None:
        initial = None
    elif initial is None:
        initial = np.zeros(contract.carry_shape, np.float32)
    inputs = tuple(Port(each.name, each.shape) for each in contract.inputs)
    states: tuple[State, ...] = ()
    if contract.carry_shape is not None:
        states = (State(CARRY, step.outputs[1].name, contract.carry_shape),)
    action = Port(step.outputs[0].name, (len(contract.joint_names),))
    wiring = Wiring(step, inputs, (action,), states)
    session = BoundSession([wiring], carry_shape=contract.carry_shape)
    return Policy(contract, session, initial)


def _initial_carry(init: Graph) -> Float32:
    """Run init_fn once: every reset starts from the same carry."""
    found = f'{len(init.inputs)} inputs and {len(init.outputs)} outputs'
    if init.inputs or len(init.outputs) != 1:
        raise ModelError(f'{init.where}: found {found}; expected no inputs, one output: the carry')
    if init.outputs[0].dtype != 'tensor(float)':
        raise ModelError(
            f'{init.where}: output {init.outputs[0].name!r}: found {init.outputs[0].dtype};'
            ' expected tensor(float) (float32)'
        )
    carry: Float32 = init.run_once({})[init.outputs[0].name]
    if not np.isfinite(carry).all():
        raise ModelError(f'{init.where}: the initial carry is not finite: {_format_first(carry)}')
    return carry


class Policy:
    """A loaded policy, made by load_model; for one thread at a time."""

    def __init__(
        self, contract: Contract, session: BoundSession | SpecSession, carry: Float32 | None
    ) -> None:
        self.contract = contract
        self._session = session
        self._initial_carry = np.zeros(0, np.float32) if carry is None else carry
        self.inputs: Mapping[str, Float32] = MappingProxyType(session.inputs)
        self._slots = tuple((name, array, array.shape) for name, array in session.inputs.items())
        # Once, so that the first step is as fast as the others and known to work.
        self.target_at_rest(contract.joint_biases)

    def target_at_rest(self, pose: npt.ArrayLike | None = None) -> Float32:
        """
        Return the first targets for a robot at rest, upright, with a zero command.

        Not while it runs: the carry is reset, and `inputs` are NaN afterwards.

        :param pose: joint positions, rad, in joint_names order; default zeros.
        :return: the targets, rad, a new array.
        :raises ModelError: onnxruntime fails, or an output is not finite.
        """
        for name, array in self.inputs.items():
            array[:] = _AT_REST.get(name.removesuffix('_imu'), 0.0)
        if 'joint_angles' in self.inputs and pose is not None:
            self.inputs['joint_angles'][:] = pose
        if self.contract.spec is not None and self.contract.spec.scan is not None:
            self.inputs['height_scan'][:] = self.contract.spec.level_ground
        self.reset()
        target = self.infer().copy()
        if not self.outputs_finite():
            raise ModelError(
                f'{self.contract.path}: for a robot that stands still: {self.non_finite()};'
                ' expected finite numbers'
            )
        # An input that is never filled must not pass for a robot at rest.
        for array in self.inputs.values():
            array[:] = np.nan
        self.reset()
        return target

    def reset(self) -> None:
        """Reset the carry to that of init_fn, as it was when the model was loaded."""
        self._session.set_carry(self._initial_carry)

    def step(self, obs: Any) -> Float32:
        """
        Run one step: check the inputs, run the model, check the action, advance the carry.

        A refused step leaves the carry unchanged.

        :param obs: a mapping with exactly the inputs of `contract.inputs`, with their shapes and
            units. A policy with a spec also takes its flat observation, scaled and stacked by the
            caller, and passes it to the network unchanged. Its newest frame enters the history,
            and states, last action and gait clock advance, so that both ways can be mixed; a gait
            clock whose frequency is commanded uses the last named command.
        :return: absolute joint position targets, rad, in `contract.joint_names` order: a new
            array of shape (N,).
        :raises ContractError: for a missing, extra or wrongly shaped input.
        :raises NonFiniteError: for a NaN or infinity in an input, the action or the next carry.
        :raises ModelError: when onnxruntime fails.
        """
        try:
            get = obs.get
        except AttributeError:
            return self._step_flat(obs)
        for name, array, shape in self._slots:
            value: Any = get(name)
            if (
                value.__class__ is not _ARRAY
                or value.shape != shape
                or (value.dtype is not FLOAT32 and value.dtype.kind not in _REAL)
            ):
                value = self._convert_input(obs, name)
            array[...] = value
        if len(obs) != len(self._slots):
            raise self._inputs_error(obs)
        session = self._session
        try:
            action = session.run()
        except ModelError:
            self._raise_non_finite(_format_non_finite(self.inputs, 'input '))
            raise
        # One check of inputs and outputs together, after the run: a second check would cost more
        # than running a small model in vain.
        if not session.finite():
            self._raise_non_finite(self.non_finite() or 'a number is not finite')
        session.advance()
        return action.copy()

    def _step_flat(self, obs: Any) -> Float32:
        """Run `step` on a flat vector, where the model takes one."""
        session = self._session
        if isinstance(session, BoundSession):
            raise self._not_a_mapping_error(obs)
        action = session.run_flat(session.check_flat(obs, str(self.contract.path)))
        if not session.outputs_finite():
            self._raise_non_finite(self._format_bad_output() or 'a number is not finite')
        session.advance()
        return action.copy()

    @property
    def timeline(self) -> Timeline | None:
        """The reference motion by tick, where the policy has one."""
        motion = self._session.motion
        return None if motion is None else motion.timeline

    @property
    def recorded(self) -> Mapping[str, Float32]:
        """What of the newest step goes into the record besides inputs and outputs, by key."""
        motion = self._session.motion
        return {} if motion is None else motion.recorded

    def motion_ended(self) -> bool:
        """Whether the motion has been shown to its end, or was stopped."""
        motion = self._session.motion
        return motion is not None and motion.has_ended()

    @property
    def carry(self) -> Float32:
        """The carry for the next infer(): a read-only view, empty where there is none."""
        return self._session.carry

    def set_carry(self, carry: npt.ArrayLike) -> None:
        """
        Set the carry, as a replay does.

        :raises ContractError: its shape is not the policy's.
        :raises NonFiniteError: it is not finite.
        """
        array = np.asarray(carry, np.float32)
        if array.shape != self._session.carry.shape:
            raise ContractError(
                f'{self.contract.path}: carry: found shape {array.shape};'
                f' expected {self._session.carry.shape}'
            )
        if not np.isfinite(array).all():
            raise NonFiniteError(f'{self.contract.path}: carry: found {_format_first(array)}')
        self._session.set_carry(array)

    def infer(self) -> Float32:
        """
        Run the model on `inputs` and the current carry, without checks; the carry stays.

        `inputs` are NaN until they are first filled.

        :return: the action, rad: a read-only view that the next infer() overwrites.
        :raises ModelError: when onnxruntime fails.
        """
        return self._session.run()

    def abandon(self, *, on: bool) -> None:
        """
        Make an infer() that runs on another thread fail soon; the carry stays.

        :param on: until this is called with False, every further infer() fails as well.
        """
        self._session.abandon(on=on)

    def inputs_finite(self) -> bool:
        """Whether every number in `inputs` is finite (about 1 us)."""
        return self._session.inputs_finite()

    def outputs_finite(self) -> bool:
        """Whether the action and the next carry of the last infer() are finite.

        With a spec the observation as well: its scales and its type can make an infinity.
        """
        return self._session.outputs_finite()

    def non_finite(self) -> str:
        """Format what is not finite in `inputs`, else in the last action and next carry."""
        return _format_non_finite(self.inputs, 'input ') or self._format_bad_output()

    def _format_bad_output(self) -> str:
        return _format_non_finite(self._session.checked(), '')

    def accept(self) -> None:
        """Make the next carry of the last infer() the current one; once for each infer()."""
        self._session.advance()

    def _convert_input(self, obs: Mapping[str, npt.ArrayLike], name: str) -> npt.NDArray[Any]:
        """Convert an input to an array of the right shape."""
        if name not in obs:
            raise self._inputs_error(obs)
        try:
            array = np.asarray(obs[name])
        except ValueError as error:
            raise ContractError(f'{self.contract.path}: input {name}: {error}') from None
        expected = self.inputs[name].shape
        if array.dtype.kind not in _REAL or array.shape != expected:
            raise ContractError(
                f'{self.contract.path}: input {name}: found {array.dtype} of shape {array.shape};'
                f' expected real numbers of shape {expected}'
            )
        return array

    def _not_a_mapping_error(self, obs: object) -> ContractError:
        return ContractError(
            f'{self.contract.path}: inputs: found a {type(obs).__name__}; expected a mapping with'
            f' the arrays {", ".join(self.inputs)}'
        )

    def _inputs_error(self, obs: Mapping[str, npt.ArrayLike]) -> ContractError:
        missing = [name for name in self.inputs if name not in obs]
        extra = [str(name) for name in obs if name not in self.inputs]
        hint = '; the policy keeps its carry itself' if 'carry' in extra else ''
        return ContractError(
            f'{self.contract.path}: inputs: missing {", ".join(missing) or "none"},'
            f' unknown {", ".join(extra) or "none"};'
            f' expected {", ".join(self.inputs) or "none"}{hint}'
        )

    def _raise_non_finite(self, non_finite: str) -> None:
        """Discard the run and raise, unless the text is empty."""
        if non_finite:
            self._session.discard()
            raise NonFiniteError(
                f'{self.contract.path}: {non_finite}; expected finite numbers; the step is refused'
                ' and the carry unchanged'
            )


def _format_non_finite(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> str:
    """Format what is not finite in named arrays; empty where all is."""
    bad = [(name, array) for name, array in arrays.items() if not np.isfinite(array).all()]
    return ', '.join(f'{prefix}{name}: found {_format_first(array)}' for name, array in bad)


def _format_first(array: npt.NDArray[Any]) -> str:
    """Format the first non-finite number of an array, and their count."""
    where = np.argwhere(~np.isfinite(array))
    index = tuple(int(at) for at in where[0])
    return f'{array[index]} at {list(index)} ({len(where)} of {array.size} not finite)'
