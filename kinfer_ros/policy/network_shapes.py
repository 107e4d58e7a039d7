"""Shape and number type of a network's input, checked against the terms that fill it."""

import math

from kinfer_ros.policy.graph import Tensor
from kinfer_ros.policy.metadata import Problems
from kinfer_ros.policy.number_types import DTYPES
from kinfer_ros.policy.number_types import FLOATS
from kinfer_ros.policy.spec.observation import Block
from kinfer_ros.policy.spec.terms import CONSTANT
from kinfer_ros.policy.spec.terms import FIRST_STEP
from kinfer_ros.policy.spec.terms import STEP
from kinfer_ros.policy.spec.terms import Term

Shape = tuple[int | str | None, ...]


def fixed_shape(shape: Shape) -> tuple[int, ...]:
    """Replace open sizes by 1: one robot, one step."""
    return tuple(size if _is_fixed(size) else 1 for size in shape)  # type: ignore[misc]


def input_shape(node: Tensor, blocks: list[Block], problems: Problems) -> tuple[int, ...]:
    """Return the shape of an input at run time, and check it against the terms of its blocks."""
    stacked = _stacked_shape(node.shape, blocks)
    if stacked is not None:
        return stacked
    size = sum(block.size for block in blocks)
    if not node.shape and size == 1:
        return ()
    shape = (*fixed_shape(node.shape[:-1]), size)
    last = node.shape[-1] if node.shape else None
    if (isinstance(last, int) and last != size) or math.prod(shape[:-1]) != 1:
        problems.add(
            f'input {node.name!r}',
            f'shape {list(node.shape)}',
            f'{size} numbers, the sum of the terms of the spec: {_format_sizes(blocks)}'
            + _stack_hint(node.shape),
        )
    return shape


def _stacked_shape(shape: Shape, blocks: list[Block]) -> tuple[int, ...] | None:
    """Return the shape of an input that takes one frame a row, [.., history, frame], or None."""
    block = blocks[0]
    if len(blocks) > 1 or not block.history.per_frame or block.depth == 1 or len(shape) < 2:
        return None
    *outer, rows, last = shape
    # With two open sizes, or as the first of two, an open size is that of a batch.
    fits = rows == block.depth or (len(shape) > 2 and not _is_fixed(rows))
    if not fits or last != block.frame_size or math.prod(fixed_shape(tuple(outer))) != 1:
        return None
    return (*fixed_shape(tuple(outer)), block.depth, block.frame_size)


def _stack_hint(shape: Shape) -> str:
    if math.prod(fixed_shape(shape[:-1])) == 1:
        return ''
    return (
        '; an input of several rows takes one frame a row: one entry with history of that length '
        'and layout: per_frame (frames as columns are not supported)'
    )


def check_input_type(node: Tensor, blocks: list[Block], problems: Problems) -> None:
    """Check that an input can hold the numbers of its terms."""
    if node.dtype in FLOATS:
        return
    if node.dtype not in DTYPES:
        problems.add(repr(node.name), node.dtype, f'one of {", ".join(DTYPES)}')
        return
    sources = (
        (FIRST_STEP, CONSTANT) if DTYPES[node.dtype].kind == 'b' else (STEP, FIRST_STEP, CONSTANT)
    )
    wrong = [
        t for block in blocks for t in block.terms if t.source not in sources or not _is_whole(t)
    ]
    if wrong:
        problems.add(
            f'input {node.name!r}',
            f'{node.dtype} for {", ".join(term.source for term in wrong)}',
            f'terms with whole numbers alone: {", ".join(sources)}, without clip',
        )


def _is_whole(term: Term) -> bool:
    numbers = (*term.scale, *term.offset, *(e for e in term.entries if not isinstance(e, str)))
    return term.clip is None and term.clip_scaled is None and all(n % 1 == 0 for n in numbers)


def _is_fixed(size: int | str | None) -> bool:
    return isinstance(size, int) and size > 0


def _format_sizes(blocks: list[Block]) -> str:
    parts = [
        f'{term.source} {term.size}x{block.frames(term)}'
        for block in blocks
        for term in block.terms
    ]
    return ' + '.join(part.removesuffix('x1') for part in parts) or 'no terms'
