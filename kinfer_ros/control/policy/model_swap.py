"""Loads and checks another model on a thread, then requests the swap from the controller.

Loading takes 0.1 s or more, which the executor's thread cannot spare. The swap in the tick is in
control/policy/swap.py, the compatibility check in contract/compatibility.py.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.assembly import check_fit
from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.setup import PolicySetup


class ModelSwap:
    """One call of ~/load_model while active, from call to answer."""

    def __init__(
        self,
        load: Callable[[], Policy],
        setup: PolicySetup,
        begin: Callable[[Policy], None],
        taken_over: Callable[[PolicySetup], None],
        answer: Callable[[str], None],
    ) -> None:
        """
        Start to load.

        :param load: loads the policy, on a thread of its own.
        :param begin: called on that thread with the policy, before it runs.
        :param taken_over: called with the new setup when the policy has taken over.
        :param answer: called once: with '', or with why the old policy stays.
        """
        self.done = False
        self._setup = setup
        self._begin = begin
        self._taken_over = taken_over
        self._answer = answer
        self._refusal: str | None = None
        self._policy: Policy | None = None
        self._bound: BoundPolicy | None = None
        self._thread = threading.Thread(
            target=self._load, args=(load,), name='load_model', daemon=True
        )
        self._thread.start()

    def poll(self) -> None:
        """Continue as far as possible; called by the node between ticks."""
        if self.done or self._thread.is_alive():
            return
        if self._bound is not None:
            bound, self._bound = self._bound, None
            controller = self._setup.controller
            # Its gains with the operator's factors: these may have changed while it was loaded.
            self._refusal = self._gain_problem(controller.tuning.requested) or None
            if self._refusal is None:
                controller.request_swap(bound, self._on_swapped)
        if self._refusal is not None:
            self.finish(self._refusal)

    def finish(self, refusal: str) -> None:
        """Answer, once."""
        if self.done:
            return
        self.done = True
        if self._refusal is not None:
            refusal = self._refusal  # decided in a tick, before the session ended
        if not refusal and self._policy is not None:
            requested = gains(self._policy.contract, self._setup.robot)
            self._taken_over(replace(self._setup, policy=self._policy, gains=requested))
        self._answer(refusal)

    def _load(self, load: Callable[[], Policy]) -> None:
        """Load and check; runs on the thread."""
        setup = self._setup
        try:
            policy = load()
            check_fit(policy.contract, setup.robot)
            check_compatibility(policy.contract, setup.policy.contract, setup.robot, setup.rate_hz)
            bound = bind(policy, setup.robot, setup.controller.inputs)
            self._begin(policy)
            self._bound, self._policy = bound, policy
        except KinferRosError as error:
            self._refusal = str(error)
        except Exception as error:
            # A bug in kinfer_ros must not stop a walking robot.
            self._refusal = f'loading failed by a bug of kinfer_ros: {error!r}'

    def _gain_problem(self, live: LiveSettings) -> str:
        assert self._policy is not None
        robot = self._setup.robot
        problem = gain_problem(gains(self._policy.contract, robot), robot, live)
        return f'{self._policy.contract.path}: {problem}' if problem else ''

    def _on_swapped(self, reason: str) -> None:
        """Note the result, in a tick; `poll` answers between ticks."""
        self._refusal = f'rolled back: {reason}' if reason else ''
