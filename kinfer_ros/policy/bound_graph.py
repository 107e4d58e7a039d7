"""Binds one ONNX graph to fixed arrays, and converts tensors of other types than float32."""

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.number_types import FLOAT32
from kinfer_ros.policy.number_types import Array
from kinfer_ros.policy.number_types import as_carried
from kinfer_ros.policy.number_types import pieces


@dataclass(frozen=True)
class Port:
    """An input of a graph that the caller fills, or an output that it reads: in float32."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = FLOAT32
    """Of the graph's own tensor."""


@dataclass(frozen=True)
class State:
    """A recurrent state of a graph: an output that is an input of the next run."""

    input: str
    output: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = FLOAT32

    @property
    def carried(self) -> int:
        """Numbers in the carry."""
        return math.prod(self.shape) * pieces(self.dtype)


@dataclass(frozen=True)
class Wiring:
    """A graph, and the roles of its inputs and outputs."""

    graph: Graph
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[State, ...] = ()

    @property
    def carried(self) -> int:
        """Numbers of its states in the carry."""
        return sum(state.carried for state in self.states)


class BoundGraph:
    """
    One graph with its bindings, one for each direction between the two carries.

    :ivar converted: arrays that can be non-finite where the float32 numbers are not, by a name.
    :ivar runs: called with the run options, the first runs it from the first carry to the second,
        the second back.
    """

    def __init__(
        self,
        wiring: Wiring,
        inputs: dict[str, Float32],
        outputs: dict[str, Float32],
        carries: tuple[Float32, Float32],
        start: int,
    ) -> None:
        """:param start: of its states in the carries."""
        self.where = wiring.graph.where
        self.converted: dict[str, Array] = {}
        self._wiring = wiring
        self._inputs = inputs, self._own_arrays(wiring.inputs)
        self._outputs = outputs, self._own_arrays(wiring.outputs)
        self._states = [self._own_state(state) for state in wiring.states]
        self._before: list[list[tuple[Array, Array]]] = []
        self._after: list[list[tuple[Array, Array]]] = []
        self._bindings = (
            self._wire(carries[0][start:], carries[1][start:]),
            self._wire(carries[1][start:], carries[0][start:]),
        )
        self._converts = any((self._inputs[1], self._outputs[1], *self._states))
        self.call, self._raw_bindings = _direct_call(wiring.graph.session, self._bindings)
        self.runs = tuple(self._run_of(current) for current in (0, 1))

    def _wire(self, carry: Float32, next_carry: Float32) -> Any:
        """
        Bind one direction, and note what is copied before and after a run: target and source.

        :param carry: from this graph's states on, as `next_carry`.
        """
        inputs, own_inputs = self._inputs
        outputs, own_outputs = self._outputs
        sources: dict[str, Array] = inputs | own_inputs
        targets: dict[str, Array] = outputs | own_outputs
        before = [(own, inputs[name]) for name, own in own_inputs.items()]
        after = [(outputs[name], own) for name, own in own_outputs.items()]
        start = 0
        for state, own_state in zip(self._wiring.states, self._states, strict=True):
            place = slice(start, start + state.carried)
            start = place.stop
            if own_state is None:
                sources[state.input] = carry[place].reshape(state.shape)
                targets[state.output] = next_carry[place].reshape(state.shape)
                continue
            sources[state.input], targets[state.output] = own_state
            before.append((as_carried(own_state[0]), carry[place]))
            after.append((next_carry[place], as_carried(own_state[1])))
        # onnxruntime passes an output that is also an input through, without writing it.
        passed = [(target, sources[n]) for n, target in targets.items() if n in sources]
        self._before.append(before)
        self._after.append(passed + after)
        return _binding(self._wiring.graph.session, sources, targets)

    def _own_arrays(self, ports: Sequence[Port]) -> dict[str, Array]:
        own: dict[str, Array] = {}
        for port in ports:
            if port.dtype != FLOAT32:
                own[port.name] = np.zeros(port.shape, port.dtype)
                self._check(port.name, own[port.name])
        return own

    def _own_state(self, state: State) -> tuple[Array, Array] | None:
        if state.dtype == FLOAT32:
            return None
        following: Array = np.zeros(state.shape, state.dtype)
        self._check(state.output, following)
        return np.zeros(state.shape, state.dtype), following

    def _check(self, name: str, array: Array) -> None:
        if array.dtype.kind == 'f':
            self.converted[f'{name} as {array.dtype}'] = array

    def _run_of(self, current: int) -> Callable[[Any], None]:
        """Return what runs it; `current` is the carry that it reads."""
        if self._converts:
            return partial(self._run_and_convert, current)
        if self._after[current]:
            return partial(self._run_and_copy, current)
        return partial(self.call, self._raw_bindings[current])

    def _run_and_convert(self, current: int, options: Any) -> None:
        # A number beyond a type's range becomes an infinity, and is refused.
        with np.errstate(over='ignore', invalid='ignore'):
            self._run_and_copy(current, options)

    def _run_and_copy(self, current: int, options: Any) -> None:
        for target, source in self._before[current]:
            target[...] = source
        self.call(self._raw_bindings[current], options)
        for target, source in self._after[current]:
            target[...] = source


def _binding(session: Any, sources: Mapping[str, Array], targets: Mapping[str, Array]) -> Any:
    """Bind our arrays; the binding keeps them alive, and onnxruntime copies none of them."""
    binding = session.io_binding()
    for name, array in sources.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for name, array in targets.items():
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
    return binding


def _direct_call(
    session: Any, bindings: tuple[Any, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """
    Return the call behind `session.run_with_iobinding`, and its bindings.

    The public wrapper makes new RunOptions and checks for WebGPU at each call: 3 of the 15
    microseconds of a small policy. It is used where these private names are missing.
    """
    try:
        return session._sess.run_with_iobinding, tuple(each._iobinding for each in bindings)
    except AttributeError:
        return session.run_with_iobinding, bindings
