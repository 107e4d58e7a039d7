"""Runs ONNX graphs on buffers that are bound once.

onnxruntime's `run` allocates and copies every input and output at each call. Here a graph reads
and writes fixed arrays. The inputs share one buffer; the carry has two buffers that swap roles at
each step, so that it is never copied and a refused step leaves the current carry untouched. A
tensor of another type than float32 has an array of its own, which is converted before or after.
"""

import math
from collections.abc import Callable
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.bound_graph import BoundGraph
from kinfer_ros.policy.bound_graph import Wiring
from kinfer_ros.policy.graph import run_options
from kinfer_ros.policy.graph import short_message
from kinfer_ros.policy.motion.playing import PlayingMotion
from kinfer_ros.policy.number_types import MAX_PIECE
from kinfer_ros.policy.number_types import Array
from kinfer_ros.policy.number_types import is_carried
from kinfer_ros.policy.number_types import pieces

_ALIGNMENT = 16  # floats: one cache line
_DOT_CHUNK = 8192  # OpenBLAS starts threads for longer dot products
_MAX_VALUE = float(np.finfo(np.float32).max)


def finite_check(vector: Float32) -> Callable[[], bool]:
    """
    Make a check that a float32 vector is finite, in about a microsecond and without allocating.

    x·x is finite only if x is; where it overflows, every number is checked.

    :return: a function, which costs less to call than an object does; it returns False when any
        element is NaN or infinite.
    """
    chunks = [vector[at : at + _DOT_CHUNK] for at in range(0, vector.size, _DOT_CHUNK)]
    dots = tuple((chunk.dot, chunk) for chunk in chunks)

    def check() -> bool:
        try:
            for dot, chunk in dots:
                if not dot(chunk) < _MAX_VALUE:
                    return bool(np.isfinite(vector).all())
        except (FloatingPointError, RuntimeWarning):
            # An overflow, in a process that turns numpy's warnings into errors.
            return bool(np.isfinite(vector).all())
        return True

    return check


class BoundSession:
    """
    Graphs that run one after the other in each step, with their buffers; for one thread.

    The last graph is the policy; its first output is the action.

    :ivar buffers: inputs and outputs of each graph, by name.
    :ivar inputs: those of the policy.
    """

    motion: PlayingMotion | None = None
    """A graph alone has none."""

    def __init__(
        self,
        wirings: Sequence[Wiring],
        *,
        carry_shape: tuple[int, ...] | None = None,
        extra: int = 0,
    ) -> None:
        """
        Allocate and bind the buffers, without running a graph.

        :param carry_shape: of the whole carry; default flat.
        :param extra: numbers of the carry after the states, not used by the graphs: the caller
            reads them in `extra` and writes those of the next step into `next_extra`.
        """
        self.graph = wirings[-1].graph
        size = sum(wiring.carried for wiring in wirings) + extra
        ins = [port.shape for wiring in wirings for port in wiring.inputs]
        outs = [port.shape for wiring in wirings for port in wiring.outputs]
        # inputs | carry | outputs | carry: the outputs are next to either carry, so one check
        # covers them and the carry that is written.
        views, flat, starts = _allocate([*ins, (size,), *outs, (size,)])
        first, second = views[len(ins)], views[-1]
        shape = (size,) if carry_shape is None else carry_shape
        self._carries = (first.reshape(shape), second.reshape(shape))
        self._extras = (first[size - extra :], second[size - extra :])
        at_carry, at_outputs, at_second = starts[len(ins)], starts[len(ins) + 1], starts[-1]
        self.inputs_finite = finite_check(flat[:at_carry])
        self._outputs = (
            finite_check(flat[at_outputs:]),
            finite_check(flat[at_carry:at_second]),
        )
        # Together with the inputs. The first of these also checks the current carry.
        self._all = (finite_check(flat), finite_check(flat[:at_second]))
        self._carry_views = tuple(_read_only(carry) for carry in self._carries)
        self._current = 0
        self._has_run = False
        self._options = run_options()
        self._bind(wirings, views[: len(ins)], views[len(ins) + 1 : -1], (first, second))
        # One row for each direction between the carries.
        self._runs = tuple(
            tuple((each, each.runs[current]) for each in self._graphs) for current in (0, 1)
        )
        self._converted = [array for each in self._graphs for array in each.converted.values()]
        self.inputs = self.buffers[-1][0]
        self._action = self.buffers[-1][1][wirings[-1].outputs[0].name]
        self.action = _read_only(self._action)

    def _bind(
        self,
        wirings: Sequence[Wiring],
        inputs: list[Float32],
        outputs: list[Float32],
        carries: tuple[Float32, Float32],
    ) -> None:
        self.buffers: list[tuple[dict[str, Float32], dict[str, Float32]]] = []
        self._graphs: list[BoundGraph] = []
        self._pieces: list[slice] = []
        start = 0
        for wiring in wirings:
            named = (
                {port.name: inputs.pop(0) for port in wiring.inputs},
                {port.name: outputs.pop(0) for port in wiring.outputs},
            )
            self.buffers.append(named)
            self._graphs.append(BoundGraph(wiring, *named, carries, start))
            for state in wiring.states:
                if pieces(state.dtype) > 1:
                    self._pieces.append(slice(start, start + state.carried))
                start += state.carried

    @property
    def carry(self) -> Float32:
        """The carry for the next run: a read-only view."""
        return self._carry_views[self._current]

    @property
    def extra(self) -> Float32:
        """The part of the current carry that the graphs do not use."""
        return self._extras[self._current]

    @property
    def next_extra(self) -> Float32:
        """The same part of the next carry, for the caller to write before `advance`."""
        return self._extras[1 - self._current]

    def set_carry(self, carry: Float32) -> None:
        """
        Overwrite the current carry, and discard the last run.

        :raises ContractError: numbers that hold a state of another type can be none.
        """
        for part in self._pieces:
            if not is_carried(carry.reshape(-1)[part]):
                raise ContractError(
                    f'{self.graph.where}: carry: its numbers {part.start} to {part.stop - 1} hold '
                    f'a state in 16-bit pieces; expected whole numbers from 0 to {MAX_PIECE}'
                )
        self._carries[self._current][...] = carry
        self._has_run = False

    def run(self) -> Float32:
        """
        Run all graphs on the buffers.

        :return: the action buffer, a read-only view that the next run overwrites.
        :raises ModelError: when onnxruntime fails.
        """
        graph = self._graphs[0]
        try:
            for graph, run in self._runs[self._current]:  # noqa: B007 - the error names it
                run(self._options)
        except Exception as error:
            raise self._not_run(graph, error) from None
        self._has_run = True
        return self.action

    def run_graph(self, at: int) -> None:
        """
        Run one of the graphs; a caller that runs them one by one keeps their order.

        :raises ModelError: when onnxruntime fails.
        """
        graph, run = self._runs[self._current][at]
        try:
            run(self._options)
        except Exception as error:
            raise self._not_run(graph, error) from None
        self._has_run = True

    def _not_run(self, graph: BoundGraph, error: Exception) -> ModelError:
        self._has_run = False
        return ModelError(f'{graph.where}: cannot be run: {short_message(error)}')

    def abandon(self, *, on: bool) -> None:
        """
        Make the present run, and each after it, fail soon; called on another thread.

        ONNX Runtime looks between two operators of the graph, those of a loop included.

        :param on: False allows runs again.
        """
        self._options.terminate = on

    def outputs_finite(self) -> bool:
        """Whether the outputs and the carry of the last run are finite."""
        found = self._outputs[self._current]()
        return found and self._converted_finite() if self._converted else found

    def finite(self) -> bool:
        """Whether the inputs, the outputs and the carry of the last run are all finite."""
        found = self._all[self._current]()
        return found and self._converted_finite() if self._converted else found

    def _converted_finite(self) -> bool:
        return all(np.isfinite(array).all() for array in self._converted)

    def checked(self) -> dict[str, Array]:
        """Return what `outputs_finite` checks, by a name for messages."""
        found: dict[str, Array] = {'model output action': self.action}
        for graph, (_, outputs) in zip(self._graphs, self.buffers, strict=True):
            of = self.label(graph.where)
            others = {name: array for name, array in outputs.items() if array is not self._action}
            found |= {f'model output {name}{of}': array for name, array in others.items()}
            found |= {f'{name}{of}': array for name, array in graph.converted.items()}
        return found | {'model output next carry': self.next_carry()}

    def label(self, where: str) -> str:
        """Return words for one of several graphs; none where there is one."""
        return f' of {where}' if len(self._graphs) > 1 else ''

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
