"""Another model for a robot that walks: loaded and checked on a thread, handed over in a tick.

Loading takes a tenth of a second or more; in the executor's thread it would be missed ticks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.control.assembly import check
from kinfer_ros.control.assembly import fit
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.session import PolicySetup


class ModelSwap:
    """One call of ~/load_model while active, from the call to its answer."""

    def __init__(
        self,
        load: Callable[[], Policy],
        loaded: PolicySetup,
        begin: Callable[[Policy], None],
        taken_over: Callable[[PolicySetup], None],
        answer: Callable[[str], None],
    ) -> None:
        """
        Begin to load.

        :param load: loads the policy; called on a thread of its own.
        :param begin: called on the loading thread with the policy, before it runs.
        :param taken_over: called with what is loaded then, when the policy has taken over.
        :param answer: called once: with '', or with why the old policy goes on.
        """
        self._loaded = loaded
        self._begin = begin
        self._taken_over = taken_over
        self._answer = answer
        self._refusal: str | None = None
        self._policy: Policy | None = None
        self._fitted: BoundPolicy | None = None
        self._asked = False
        self.done = False
        self._thread = threading.Thread(
            target=self._load, args=(load,), name='load_model', daemon=True
        )
        self._thread.start()

    def poll(self) -> None:
        """Go on as far as possible; called by the node between ticks."""
        if self.done or self._thread.is_alive():
            return
        if self._fitted is not None and not self._asked:
            self._asked = True
            self._loaded.controller.request_swap(self._fitted, self._on_swapped)
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
            self._taken_over(replace(self._loaded, policy=self._policy))
        self._answer(refusal)

    def _load(self, load: Callable[[], Policy]) -> None:
        """Body of the thread."""
        loaded = self._loaded
        parts = loaded.controller.parts
        try:
            policy = load()
            check(policy.contract, loaded.robot)
            check_compatibility(
                policy.contract, loaded.policy.contract, loaded.robot, loaded.rate_hz
            )
            fitted = fit(policy, loaded.robot, parts.frame, parts.command)
            self._begin(policy)
            self._fitted, self._policy = fitted, policy
        except KinferRosError as error:
            self._refusal = str(error)
        except Exception as error:
            # A bug of ours must not take a walking robot down.
            self._refusal = f'loading failed by a bug of kinfer_ros: {error!r}'

    def _on_swapped(self, reason: str) -> None:
        """In a tick: what came of it; the answer goes out between ticks."""
        self._refusal = f'rolled back: {reason}' if reason else ''
