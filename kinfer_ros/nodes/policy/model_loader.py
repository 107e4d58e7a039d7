"""The service ~/load_model: replaces the policy, or those of a set, while active or inactive."""

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node

from kinfer_ros.control.policy.model_swap import ModelSwap
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.ros.polled_trigger import PolledTrigger
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup


class Owner(Protocol):
    """The node whose model is replaced."""

    setup: PolicySetup | None
    session: RunSession | None
    active: bool

    def load_policies(self) -> LoadedSet:
        """Load what the parameters name; called on a thread of its own."""

    def load_setup(self) -> PolicySetup:
        """Load policies and robot of the parameters, and check them."""

    def open_run(self, setup: PolicySetup) -> None:
        """Begin a run."""


class ModelLoader:
    """Serves ~/load_model between ticks, one call at a time."""

    def __init__(self, node: Node, owner: Owner, on_refusal: Callable[[str], None]) -> None:
        self._service = PolledTrigger(node, '~/load_model')
        self._owner = owner
        self._on_refusal = on_refusal
        self._logger = node.get_logger()
        self._swap: ModelSwap | None = None

    def poll(self) -> None:
        """Continue the present call, or take the next one."""
        if self._swap is not None:
            self._swap.poll()
            if self._swap.done:
                self._swap = None
        elif (call := self._service.take()) is not None:
            self._serve(call)

    def end_session(self) -> None:
        """Answer a call whose policy has not taken over."""
        if self._swap is not None:
            self._swap.finish('the session has ended')
            self._swap = None

    def _serve(self, call: object) -> None:
        def answer(refusal: str) -> None:
            if refusal:
                self._on_refusal(f'load_model refused: {refusal}')
            self._service.answer(call, refusal)

        owner = self._owner
        if owner.active and owner.setup is not None and owner.session is not None:
            self._swap = ModelSwap(
                owner.load_policies, owner.setup, owner.session, self._take_over, answer
            )
        else:
            answer(self._load_while_inactive())

    def _take_over(self, setup: PolicySetup) -> None:
        """Set the policies that have taken over."""
        self._owner.setup = setup
        taken = self._swap.taken if self._swap is not None else []
        for name in taken:
            contract = setup.policies[name].contract
            what = f'policy {name}: ' if name else ''
            self._logger.info(f'{what}{contract.path} ({contract.sha256[:12]}) has taken over')
        if not taken:
            self._logger.info('no policy of the set has changed')

    def _load_while_inactive(self) -> str:
        """Load what the parameters name; a run is about one setup, so a new one begins."""
        owner = self._owner
        try:
            setup = owner.load_setup()
            old = owner.session
            if old is not None:
                owner.open_run(setup)
            owner.setup = setup
            if old is not None:
                old.finish('another model was loaded')
        except KinferRosError as error:
            return str(error)
        return ''
