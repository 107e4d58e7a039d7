"""Builds the flat vectors of a policy spec from its sources.

Index arrays are made at load. A tick gathers the numbers of all terms with one index array, scales
them as one vector, and arranges the history frames with another: a few microseconds for 29 joints
and five frames.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.spec.observation import Block
from kinfer_ros.policy.spec.sources import Sources
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.terms import Term
from kinfer_ros.yaml_vectors import Bounds
from kinfer_ros.yaml_vectors import join_bounds


class FlatVector:
    """
    Builds the flat vector of one block, and the frames that it keeps for the next step.

    :ivar flat: the vector.
    """

    def __init__(
        self,
        spec: PolicySpec,
        block: Block,
        sources: Sources,
        parts: tuple[slice, slice],
        flat: Float32,
    ) -> None:
        """
        :param parts: frames and filled, in the memory.
        :param flat: buffer for the vector, [block.size]; an input of the network, or part of one.
        """
        self._spec = spec
        self._block = block
        self._sources = sources
        self._frames, filled = parts
        # Place of the number in the memory that says whether there are past frames; -1: there are.
        self._filled = filled.start if filled.stop > filled.start else -1
        self.flat, self._clip = flat, block.clip
        self._depth, self._size = block.depth, block.frame_size
        self._lay_out_history()
        self._lay_out_frame()
        # Looked up once, and called without names: half a microsecond of a tick.
        self._gather, self._arrange = sources.values.take, self._window.take

    # At load -----------------------------------------------------------------------------

    def _lay_out_frame(self) -> None:
        """Make index, gain, bounds and scale of every number of a frame."""
        terms = self._block.terms
        index: list[int] = []
        gain: list[float] = []
        for term in terms:
            places, factors = self._sources.places(term)
            index += places
            gain += factors
        offset = np.array([v for t in terms for v in self._offset(t)], np.float32)
        scale = np.array([v for t in terms for v in t.scale], np.float32)
        self._index = np.array(index, np.intp)
        self._steps: list[Callable[[], object]] = []
        gains: Float32 = np.array(gain, np.float32)
        clip = join_bounds((term.clip, term.size) for term in terms)
        if clip is None and not ((gains != 1.0) & ((offset != 0.0) | (scale != 1.0))).any():
            # One operation for both: a number has one of them, and the result is the same.
            gains, scale = np.ones_like(gains), gains * scale
        self._add_step(np.multiply, gains, 1.0)
        self._add_step(np.add, offset, 0.0)
        self._add_clip_steps(clip)
        self._add_step(np.multiply, scale, 1.0)
        self._add_clip_steps(join_bounds((term.clip_scaled, term.size) for term in terms))

    def _add_step(self, operation: np.ufunc, operand: Float32, neutral: float) -> None:
        """Add an operation to the tick, unless it has no effect."""
        if (operand != neutral).any():
            self._steps.append(partial(operation, self._frame, operand, self._frame))

    def _add_clip_steps(self, bounds: Bounds | None) -> None:
        if bounds is not None:
            low, high = (np.array(end, np.float32) for end in bounds)
            for operation, end in ((np.maximum, low), (np.minimum, high)):
                self._steps.append(partial(operation, self._frame, end, out=self._frame))

    def _offset(self, term: Term) -> list[float]:
        if not term.relative:
            return list(term.offset)
        pose = dict(zip(self._spec.joints, self._spec.default_pose, strict=True))
        return [more - pose[name] for name, more in zip(term.names, term.offset, strict=True)]

    def _lay_out_history(self) -> None:
        """Make the index of every number of the flat vector in the frames, oldest first."""
        block = self._block
        depth, size = self._depth, self._size
        self._window: Float32 = self.flat if depth == 1 else np.zeros(depth * size, np.float32)
        self._past = self._window[: (depth - 1) * size]
        self._frame = self._window[(depth - 1) * size :]
        self._later = self._window[size:]
        starts = np.cumsum([0, *(term.size for term in block.terms)])
        numbers = [s + np.arange(t.size) for s, t in zip(starts, block.terms, strict=False)]

        def frames(count: int) -> list[int]:
            back = range(count)  # 0 is the newest
            newest_first = block.history.newest_first
            return [depth - 1 - b for b in (back if newest_first else reversed(back))]

        if block.history.per_frame:
            order = [frame * size + part for frame in frames(depth) for part in numbers]
        else:
            order = [
                frame * size + part
                for term, part in zip(block.terms, numbers, strict=True)
                for frame in frames(block.frames(term))
            ]
        self._order = np.concatenate(order).astype(np.intp) if order else np.zeros(0, np.intp)
        # Index of the newest frame in a flat vector built by the caller.
        newest = {int(at): where for where, at in enumerate(self._order)}
        first = (depth - 1) * size
        self._newest = np.array([newest[first + at] for at in range(size)], np.intp)

    # In the tick -------------------------------------------------------------------------

    def build(self, memory: Float32) -> None:
        """Write the flat vector from the sources and the memory before the step."""
        # mode='clip' is numpy's fastest; every index is in range.
        self._gather(self._index, None, self._frame, 'clip')
        for step in self._steps:
            step()
        if self._depth > 1:
            self._recall_frames(memory)
            self._arrange(self._order, None, self.flat, 'clip')
        if self._clip is not None:
            np.clip(self.flat, *self._clip, out=self.flat)

    def _recall_frames(self, memory: Float32) -> None:
        """Copy the past frames before the newest; at the start, repeat the newest."""
        if self._filled >= 0 and not memory.item(self._filled):
            self._past.reshape(-1, self._size)[:] = self._frame
        else:
            self._past[...] = memory[self._frames]

    def set_flat(self, flat: Float32, memory: Float32) -> None:
        """Use a flat vector as it is; its newest frame enters the history."""
        self.flat[:] = flat
        if self._depth > 1:
            flat.take(self._newest, out=self._frame, mode='clip')
            self._recall_frames(memory)

    def update_memory(self, following: Float32) -> None:
        """Write the frames after a step into `following`."""
        if self._depth > 1:
            following[self._frames] = self._later
            if self._filled >= 0:
                following[self._filled] = 1.0
