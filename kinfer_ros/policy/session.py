"""Runs one ONNX graph on buffers that are bound once.

onnxruntime's `run` allocates and copies every input and output at each call. Here the graph reads
and writes fixed arrays. The inputs share one buffer; the carry has two buffers that swap roles at
each step, so that it is never copied and a refused step leaves the current carry untouched.
"""

import math
import os
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import onnxruntime as ort

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ModelError

_SILENT = 4  # onnxruntime's severity "fatal": errors are exceptions anyway
_ALIGNMENT = 16  # floats: one cache line
_DOT_CHUNK = 8192  # OpenBLAS starts threads for longer dot products
_MAX_VALUE = float(np.finfo(np.float32).max)
_FAILURES = (
    (
        r'(?:(\S+)\(-?\d+\) is not a registered function/op'
        r'|No Op registered for (\S+) with'
        r"|No opset import for domain '([^']+)')",
        'it uses the operator {0}, which ONNX Runtime {ort} does not have; expected standard '
        'operators alone: export it without custom ones',
    ),
    (
        r'Opset (\d+) is under development',
        'found opset {0}, expected one that ONNX Runtime {ort} knows: export it with '
        'opset_version=17, or install a newer onnxruntime',
    ),
    (
        r'Unsupported model IR version: (\d+), max supported IR version: (\d+)',
        'found the ONNX format (IR version) {0}, expected at most {1}, which ONNX Runtime {ort} '
        'knows: save it with model.ir_version = {1}, or install a newer onnxruntime',
    ),
)
"""Messages of onnxruntime on operators and versions that it does not know, and our words."""
# No file can exist below this path, so onnxruntime finds no external data.
_NOWHERE = os.path.join(os.devnull, 'no_external_data')  # noqa: PTH118


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph, as declared."""

    name: str
    shape: tuple[int | str | None, ...]
    """A string or None for a size that is not fixed."""
    dtype: str
    """As onnxruntime spells it; float32 is 'tensor(float)'."""


class Graph:
    """An ONNX graph loaded by onnxruntime."""

    def __init__(
        self,
        model: bytes,
        where: str,
        threads: int = 1,
        external: Mapping[str, bytes] | None = None,
    ) -> None:
        """
        Load a graph from memory.

        :param where: the file and entry, for errors.
        :param threads: for one operation; with more than one, threads spin while they wait.
        :param external: the files that its weights are in, by name; no other file is read.
        :raises ModelError: onnxruntime refuses it; nothing is printed.
        """
        self.where = where
        options = _session_options(threads)
        if external:
            options.add_external_initializers_from_files_in_memory(
                list(external), list(external.values()), [len(d) for d in external.values()]
            )
        try:
            self.session = ort.InferenceSession(
                model,
                options,
                providers=['CPUExecutionProvider'],
                enable_fallback=0,  # it would print, and try the same again
            )
            self.inputs = tuple(_tensor(node) for node in self.session.get_inputs())
            self.outputs = tuple(_tensor(node) for node in self.session.get_outputs())
            self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        # onnxruntime has a dozen exception classes, without a common base below Exception.
        except Exception as error:
            raise ModelError(f'{where}: {_load_failure(error)}') from None

    def run_once(self, inputs: Mapping[str, Float32]) -> dict[str, Any]:
        """
        Run the graph on arrays that onnxruntime copies.

        :return: every output, by name.
        :raises ModelError: when onnxruntime fails.
        """
        try:
            outputs = self.session.run(None, dict(inputs), _run_options())
        except Exception as error:
            raise ModelError(f'{self.where}: cannot be run: {_short_message(error)}') from None
        return dict(zip((node.name for node in self.outputs), outputs, strict=True))


class FiniteCheck:
    """
    Checks that a float32 vector is finite, in about a microsecond and without allocating.

    x·x is finite only if x is; where it overflows, every number is checked.
    """

    def __init__(self, vector: Float32) -> None:
        self._vector = vector
        chunks = [vector[at : at + _DOT_CHUNK] for at in range(0, vector.size, _DOT_CHUNK)]
        self._dots = tuple((chunk.dot, chunk) for chunk in chunks)

    def __call__(self) -> bool:
        """:return: False when any element is NaN or infinite."""
        try:
            for dot, chunk in self._dots:
                if not dot(chunk) < _MAX_VALUE:
                    return self._check_elements()
        except (FloatingPointError, RuntimeWarning):
            # An overflow, in a process that turns numpy's warnings into errors.
            return self._check_elements()
        return True

    def _check_elements(self) -> bool:
        return bool(np.isfinite(self._vector).all())


@dataclass(frozen=True)
class State:
    """A recurrent state of a graph: an output that is an input of the next run."""

    input: str
    output: str
    shape: tuple[int, ...]


class BoundSession:
    """A step graph with its buffers; for one thread at a time."""

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[tuple[str, tuple[int, ...]]],
        action: tuple[str, tuple[int, ...]],
        states: Sequence[State],
        *,
        carry_shape: tuple[int, ...] | None = None,
        extra: int = 0,
    ) -> None:
        """
        Allocate and bind the buffers, without running the graph.

        :param inputs: name and shape of every input except the states.
        :param action: name and shape of the output that is the action.
        :param states: the graph's states, in their order in the carry.
        :param carry_shape: of the whole carry; default flat.
        :param extra: numbers of the carry after the states, not used by the graph: the caller
            reads them in `extra` and writes those of the next step into `next_extra`.
        """
        self.graph = graph
        size = sum(math.prod(state.shape) for state in states) + extra
        # inputs | carry | action | carry: the action is next to either carry, so one check covers
        # the action and the carry that is written.
        views, flat, starts = _allocate([*(s for _, s in inputs), (size,), action[1], (size,)])
        self.inputs = {name: view for (name, _), view in zip(inputs, views[:-3], strict=True)}
        first, self._action, second = views[-3:]
        shape = (size,) if carry_shape is None else carry_shape
        self._carries = (first.reshape(shape), second.reshape(shape))
        self._extras = (first[size - extra :], second[size - extra :])
        self.inputs_finite = FiniteCheck(flat[: starts[-3]])
        without_second = flat[: starts[-1]]
        self._outputs = (
            FiniteCheck(flat[starts[-2] :]),
            FiniteCheck(without_second[starts[-3] :]),
        )
        # Together with the inputs. The first of these also checks the current carry.
        self._all = (FiniteCheck(flat), FiniteCheck(without_second))
        self.action = _read_only(self._action)
        self._carry_views = tuple(_read_only(carry) for carry in self._carries)
        self._current = 0
        self._has_run = False
        self._bind(action[0], states, (first, second))

    def _bind(
        self, action: str, states: Sequence[State], carries: tuple[Float32, Float32]
    ) -> None:
        bindings = []
        copies = []
        for current in (0, 1):
            sources = dict(self.inputs)
            targets = {action: self._action}
            start = 0
            for state in states:
                end = start + math.prod(state.shape)
                sources[state.input] = carries[current][start:end].reshape(state.shape)
                targets[state.output] = carries[1 - current][start:end].reshape(state.shape)
                start = end
            bindings.append(_binding(self.graph.session, sources, targets))
            # onnxruntime passes an output that is also an input through, without writing it.
            copies.append(
                tuple((target, sources[n]) for n, target in targets.items() if n in sources)
            )
        self._copies = tuple(copies)
        self._bindings = tuple(bindings)
        self._run, self._raw_bindings = _direct_call(self.graph.session, self._bindings)
        self._options = _run_options()

    @property
    def carry(self) -> Float32:
        """The carry for the next run: a read-only view."""
        return self._carry_views[self._current]

    @property
    def extra(self) -> Float32:
        """The part of the current carry that the graph does not use."""
        return self._extras[self._current]

    @property
    def next_extra(self) -> Float32:
        """The same part of the next carry, for the caller to write before `advance`."""
        return self._extras[1 - self._current]

    def set_carry(self, carry: Float32) -> None:
        """Overwrite the current carry, and discard the last run."""
        self._carries[self._current][...] = carry
        self._has_run = False

    def run(self) -> Float32:
        """
        Run the graph on the buffers.

        :return: the action buffer, a read-only view that the next run overwrites.
        :raises ModelError: when onnxruntime fails.
        """
        current = self._current
        try:
            self._run(self._raw_bindings[current], self._options)
        except Exception as error:
            self._has_run = False
            raise ModelError(
                f'{self.graph.where}: cannot be run: {_short_message(error)}'
            ) from None
        for target, source in self._copies[current]:
            target[...] = source
        self._has_run = True
        return self.action

    def abandon(self, *, on: bool) -> None:
        """
        Make the present run, and each after it, fail soon; called on another thread.

        ONNX Runtime looks between two operators of the graph, those of a loop included.

        :param on: False allows runs again.
        """
        self._options.terminate = on

    def outputs_finite(self) -> bool:
        """Whether the action and the carry of the last run are finite."""
        return self._outputs[self._current]()

    def finite(self) -> bool:
        """Whether the inputs, the action and the carry of the last run are all finite."""
        return self._all[self._current]()

    def next_carry(self) -> Float32:
        """The carry that the last run wrote: a read-only view."""
        return self._carry_views[1 - self._current]

    def discard(self) -> None:
        """Discard the last run: its carry can no longer become the current one."""
        self._has_run = False

    def advance(self) -> None:
        """Make the carry of the last run the current one; once for each run."""
        if not self._has_run:
            raise RuntimeError('accept() without an infer() before it')
        self._has_run = False
        self._current = 1 - self._current


def _session_options(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SILENT
    options.add_session_config_entry('session.intra_op.allow_spinning', str(int(threads > 1)))
    options.add_session_config_entry('session.load_model_format', 'ONNX')
    options.add_session_config_entry(
        'session.model_external_initializers_file_folder_path', _NOWHERE
    )
    return options


def _run_options() -> Any:
    options = ort.RunOptions()
    options.log_severity_level = _SILENT
    return options


def _binding(session: Any, sources: Mapping[str, Float32], targets: Mapping[str, Float32]) -> Any:
    """Bind our arrays; the binding keeps them alive, and onnxruntime copies none of them."""
    binding = session.io_binding()
    for name, array in sources.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for name, array in targets.items():
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
    return binding


def _direct_call(session: Any, bindings: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """
    Return the call behind `session.run_with_iobinding`, and its bindings.

    The public wrapper makes new RunOptions and checks for WebGPU at each call: 3 of the 15
    microseconds of a small policy. It is used where these private names are missing.
    """
    try:
        return session._sess.run_with_iobinding, tuple(each._iobinding for each in bindings)
    except AttributeError:
        return session.run_with_iobinding, bindings


def _allocate(
    shapes: Sequence[tuple[int, ...]],
) -> tuple[list[Float32], Float32, list[int]]:
    """
    Allocate zeroed arrays in one buffer, each at the start of a cache line; the gaps stay zero.

    :return: the arrays, the buffer, and the start of each array in it.
    """
    sizes = [math.prod(shape) for shape in shapes]
    starts = [0, *accumulate(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]
    memory = np.zeros(starts[-1] + _ALIGNMENT, np.float32)
    skip = (-memory.ctypes.data // memory.itemsize) % _ALIGNMENT
    flat = memory[skip : skip + starts.pop()]
    places = zip(shapes, sizes, starts, strict=True)
    views = [flat[start : start + size].reshape(shape) for shape, size, start in places]
    return views, flat, starts


def _read_only(array: Float32) -> Float32:
    view = array.view()
    view.flags.writeable = False
    return view


def _tensor(node: Any) -> Tensor:
    return Tensor(node.name, tuple(node.shape), node.type)


def _load_failure(error: Exception) -> str:
    text = str(error)
    if re.search('external ?(data|initializer)', text, re.IGNORECASE):
        return (
            'its weights are in files that are too short, or not there (only a bare .onnx has '
            'any, beside it); expected a graph saved with its weights inside'
        )
    for pattern, told in _FAILURES:
        if match := re.search(pattern, text):
            found = [group for group in match.groups() if group is not None]
            return told.format(*found, ort=ort.__version__)
    return f'onnxruntime cannot load it: {_short_message(error)}'


def _short_message(error: Exception) -> str:
    """Return an onnxruntime error in one line, without status code and source position."""
    text = re.sub(r'^\[ONNXRuntimeError\] : \d+ : \w+ : ', '', str(error))
    text = re.sub(r'^(Exception during initialization: )?/\S+:\d+ [^)]*\) ?', '', text)
    text = ' '.join(text.split()) or type(error).__name__
    return text if len(text) <= 240 else f'{text[:237]}...'
