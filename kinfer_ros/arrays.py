"""The array types of the package."""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
"""Places in an order, for indexing."""
