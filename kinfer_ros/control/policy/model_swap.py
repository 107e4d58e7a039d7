"""Loads and checks other policies on a thread, then lets them take over while the node is active.

Loading takes 0.1 s or more, which the executor's thread cannot spare. The swap in the tick is in
control/policy/swap.py, the compatibility check in contract/compatibility.py.
"""

import threading
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.contract.compatibility import check_same_set
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.assembly import check_fit
from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.run.setup import PolicySetup


class Swaps(Protocol):
    """Notes policies in run.json: those that begin to take over, and those that have."""

    def begin_swap(self, policy: Policy, bound: BoundPolicy) -> int:
        """Note a policy before it runs, from any thread; :return: its number."""

    def take_over(self, numbers: Sequence[int]) -> None:
        """Note that these have taken over."""


class ModelSwap:
    """
    One call of ~/load_model while active, from call to answer.

    Of a set those policies are taken whose files have changed: the running one takes over like a
    policy alone; the others are put in place in the tick in which it has.

    :ivar taken: names of the policies that have taken over; '' of a policy alone.
    """

    def __init__(
        self,
        load: Callable[[], LoadedSet],
        setup: PolicySetup,
        swaps: Swaps,
        taken_over: Callable[[PolicySetup], None],
        answer: Callable[[str], None],
    ) -> None:
        """
        Start to load.

        :param load: loads the policy, or all of the set, on a thread of its own.
        :param swaps: called on that thread before a policy runs.
        :param taken_over: called with the new setup when the policies have taken over.
        :param answer: called once: with '', or with why the old policies stay.
        """
        self.done = False
        self.taken: list[str] = []
        self._setup = setup
        self._swaps = swaps
        self._taken_over = taken_over
        self._answer = answer
        self._refusal: str | None = None
        self._loaded: LoadedSet | None = None
        self._bound: dict[str, BoundPolicy] = {}
        self._numbers: list[int] = []
        self._asked = False
        self._thread = threading.Thread(
            target=self._load, args=(load,), name='load_model', daemon=True
        )
        self._thread.start()

    def poll(self) -> None:
        """Continue as far as possible; called by the node between ticks."""
        if self.done or self._thread.is_alive():
            return
        if self._refusal is None and not self._asked:
            if self._setup.controller.policies.swapping:
                return  # what is put in place might have to go on in its old version
            self._asked = True
            self._begin()
        if self._refusal is not None:
            self.finish(self._refusal)

    def finish(self, refusal: str) -> None:
        """Answer, once."""
        if self.done:
            return
        self.done = True
        if self._refusal is not None:
            refusal = self._refusal  # decided in a tick, before the session ended
        if not refusal and self._loaded is not None:
            self.taken = list(self._bound)
            self._swaps.take_over(self._numbers)
            self._taken_over(self._new_setup(self._loaded))
        self._answer(refusal)

    def _begin(self) -> None:
        """Request the swap of the running policy; where it stays, the others are put in place."""
        controller = self._setup.controller
        # Gains with the operator's factors: these may have changed while it was loaded.
        problem = self._gain_problem(controller.tuning.requested)
        running = self._bound.get(controller.policies.running)
        if problem:
            self._refusal = problem
        elif running is not None:
            controller.request_swap(running, self._on_swapped)
        else:
            self._on_swapped('')

    def _new_setup(self, loaded: LoadedSet) -> PolicySetup:
        setup, entry = self._setup, loaded.policy_set.entry
        own = self._bound.get(entry)
        return replace(
            setup,
            policy=loaded.entry,
            gains=own.gains if own is not None else setup.gains,
            policy_set=loaded if loaded.is_set else None,
        )

    def _load(self, load: Callable[[], LoadedSet]) -> None:
        """Load and check; runs on the thread."""
        try:
            loaded = load()
            before = self._setup.loaded
            check_same_set(loaded, before)
            changed = loaded.changed(before)
            bound = {name: self._bind(name, loaded) for name in changed}
            for name, each in bound.items():
                number = self._swaps.begin_swap(loaded.policies[name], each)
                self._numbers.append(number)
                bound[name] = replace(each, load=number) if loaded.is_set else each
            self._bound = bound
            # Those of which nothing has changed go on: they may be running.
            policies = {**before.policies, **{name: loaded.policies[name] for name in changed}}
            self._loaded = replace(loaded, policies=policies)
        except KinferRosError as error:
            self._refusal = str(error)
        except Exception as error:
            # A bug in kinfer_ros must not stop a walking robot.
            self._refusal = f'loading failed by a bug of kinfer_ros: {error!r}'

    def _bind(self, name: str, loaded: LoadedSet) -> BoundPolicy:
        setup, policy = self._setup, loaded.policies[name]
        member = loaded.policy_set.members[name] if loaded.is_set else None
        check_fit(policy.contract, setup.robot, member)
        running = setup.policies[name].contract
        check_compatibility(policy.contract, running, setup.robot, setup.rate_hz)
        return bind(policy, setup.robot, setup.controller.inputs, member)

    def _gain_problem(self, live: LiveSettings) -> str:
        for each in self._bound.values():
            if problem := gain_problem(each.gains, self._setup.robot, live):
                return f'{each.policy.contract.path}: {problem}'
        return ''

    def _on_swapped(self, reason: str) -> None:
        """Note the result, in a tick; `poll` answers between ticks."""
        self._refusal = f'rolled back: {reason}' if reason else ''
        if not reason:
            for each in self._bound.values():
                self._setup.controller.policies.put(each)
