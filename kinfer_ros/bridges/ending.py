"""How a bridge ends after a signal: it obeys a session until its fade has ended.

Ctrl-C of a launch reaches bridge and policy node at the same moment. A bridge that damped at once
would cut the policy's fade, and look like a fault to it.
"""

from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.states import ENABLED

FADE_BEGINS_NS = 150_000_000
FADE_BEGINS_COMMANDS = 3
"""A session has to fade within this time, or, where its process was not run for so long, with its
next commands. Else only the bridge was ended: it damps."""
MAX_SILENCE_NS = 1_000_000_000
MAX_LINGER_NS = 3_000_000_000
"""Longest fade that is waited for; that of a policy node after a signal takes at most 2 s."""


class BridgeEnd:
    """Decides how long a bridge goes on after a signal; times are ns of one steady clock."""

    def __init__(self, core: BridgeCore, now_ns: int) -> None:
        self._core = core
        self._begin_ns = now_ns
        self._commands = core.counts['commands']

    def goes_on(self, now_ns: int) -> bool:
        """Whether a session that holds the robot is fading, or may be about to."""
        core, waited = self._core, now_ns - self._begin_ns
        if not core.holder or core.state != ENABLED:
            return False
        if core.mode == 'fade':
            return waited <= MAX_LINGER_NS
        heard = core.counts['commands'] - self._commands > FADE_BEGINS_COMMANDS
        return waited <= (FADE_BEGINS_NS if heard else MAX_SILENCE_NS)
