"""Another model for a robot that walks: loaded and checked on a thread, handed over in a tick.

Loading takes a tenth of a second or more; in the executor's thread it would be missed ticks. What
the tick does is in control/policy_swap.py, what has to be equal in contract/compatibility.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.assembly import check
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.setup import PolicySetup


class ModelSwap:
    """One call of ~/load_model while active, from the call to its answer."""

    def __init__(
        self,
        load: Callable[[], Policy],
        setup: PolicySetup,
        begin: Callable[[Policy], None],
        taken_over: Callable[[PolicySetup], None],
        answer: Callable[[str], None],
    ) -> None:
        """
        Begin to load.

        :param load: loads the policy; called on a thread of its own.
        :param begin: called on the loading thread with the policy, before it runs.
        :param taken_over: called with the setup as it then is, when the policy has taken over.
        :param answer: called once: with '', or with why the old policy goes on.
        """
        self.done = False
        self._setup = setup
        self._begin = begin
        self._taken_over = taken_over
        self._answer = answer
        self._refusal: str | None = None
        self._policy: Policy | None = None
        self._bound: BoundPolicy | None = None
        self._requested = False
        self._thread = threading.Thread(
            target=self._load, args=(load,), name='load_model', daemon=True
        )
        self._thread.start()

    def poll(self) -> None:
        """Go on as far as possible; called by the node between ticks."""
        if self.done or self._thread.is_alive():
            return
        if self._bound is not None and not self._requested:
            self._requested = True
            self._setup.controller.request_swap(self._bound, self._on_swapped)
        if self._refusal is not None:
            self.finish(self._refusal)

    def finish(self, refusal: str) -> None:
        """Answer, once."""
        if self.done:
            return
        self.done = True
        if self._refusal is not None:
            refusal = self._refusal  # it was decided in a tick, before a session ended
        if not refusal and self._policy is not None:
            self._taken_over(replace(self._setup, policy=self._policy))
        self._answer(refusal)

    def _load(self, load: Callable[[], Policy]) -> None:
        """Body of the thread."""
        setup = self._setup
        try:
            policy = load()
            check(policy.contract, setup.robot)
            check_compatibility(policy.contract, setup.policy.contract, setup.robot, setup.rate_hz)
            bound = bind(policy, setup.robot, setup.controller.inputs)
            self._begin(policy)
            self._bound, self._policy = bound, policy
        except KinferRosError as error:
            self._refusal = str(error)
        except Exception as error:
            # A bug of ours must not take a walking robot down.
            self._refusal = f'loading failed by a bug of kinfer_ros: {error!r}'

    def _on_swapped(self, reason: str) -> None:
        """In a tick: what came of it; the answer goes out between ticks."""
        self._refusal = f'rolled back: {reason}' if reason else ''
