"""Number types of a network's tensors, and how their numbers stand in float32 vectors.

Observations and actions are computed in float32 and converted. A state has to survive exactly, so
one that float32 cannot hold stands in the carry as the 16-bit pieces of its bytes, lowest first:
whole numbers from 0 to 65535, which float32 holds, and which are finite whatever the bytes say.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float32

Array = npt.NDArray[Any]

FLOAT32: np.dtype[Any] = np.dtype(np.float32)
DTYPES: dict[str, np.dtype[Any]] = {
    'tensor(float)': FLOAT32,
    'tensor(float16)': np.dtype(np.float16),
    'tensor(double)': np.dtype(np.float64),
    'tensor(bool)': np.dtype(np.bool_),
    'tensor(int32)': np.dtype(np.int32),
    'tensor(int64)': np.dtype(np.int64),
}
"""By the name that onnxruntime gives them."""
FLOATS = ('tensor(float)', 'tensor(float16)', 'tensor(double)')
MAX_PIECE = 65535


def pieces(dtype: np.dtype[Any]) -> int:
    """How many float32 numbers of the carry hold one number of a state, exactly."""
    if dtype == FLOAT32 or dtype.itemsize <= 2:
        return 1
    return dtype.itemsize // 2


def as_carried(array: Array) -> Array:
    """Return a view of a state that can be copied from and to its float32 numbers in the carry."""
    flat = array.reshape(-1)
    return flat if pieces(array.dtype) == 1 else flat.view(np.uint16)


def is_carried(numbers: Float32) -> bool:
    """Whether finite numbers of a carry can be pieces."""
    whole = numbers == np.floor(numbers)
    return bool((whole & (numbers >= 0) & (numbers <= MAX_PIECE)).all())
