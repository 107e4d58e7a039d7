"""Blends the actions of two policies while one takes over from the other."""

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices


class SwapBlend:
    """
    A share that grows from 0, the outgoing policy, to 1, the incoming one.

    :ivar blended: [P] rad, what is sent.
    """

    def __init__(self, size: int) -> None:
        self.blended: Float64 = np.zeros(size)
        self._outgoing_part = np.zeros(size)
        self._order: Indices | None = None
        self._convert: tuple[float, Float64] | None = None
        self._began_ns = 0
        self._duration_ns = 0

    def begin(
        self,
        now_ns: int,
        duration_ns: int,
        order: Indices | None,
        convert: tuple[float, Float64] | None,
    ) -> None:
        """
        Start a swap.

        :param order: where each joint is in the outgoing policy; None: at once, whatever the time.
        :param convert: scale and offset that make an outgoing action one of the incoming policy
            with the same target; None: they mean the same.
        """
        self._began_ns, self._duration_ns = now_ns, duration_ns if order is not None else 0
        self._order = order
        self._convert = convert

    def share(self, now_ns: int) -> float:
        """Share of the incoming policy, 0 to 1."""
        elapsed = now_ns - self._began_ns
        return elapsed / self._duration_ns if elapsed < self._duration_ns else 1.0

    def take_outgoing(self, action: Float32, share: float) -> None:
        """Keep the outgoing policy's part, before its action is overwritten."""
        own = action[self._order]
        if self._convert is not None:
            scale, offset = self._convert
            np.multiply(own * scale + offset, 1.0 - share, out=self._outgoing_part)
        else:
            np.multiply(own, 1.0 - share, out=self._outgoing_part)

    def write(self, action: Float32, share: float) -> None:
        """Write `blended` from the incoming policy's action [P] rad."""
        np.multiply(action, share, out=self.blended)
        if share < 1.0:
            self.blended += self._outgoing_part
