"""The service ~/load_model: replaces the policy, while active or inactive."""

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node

from kinfer_ros.control.policy.model_swap import ModelSwap
from kinfer_ros.policy.policy import Policy
from kinfer_ros.ros.polled_trigger import PolledTrigger
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup


class Owner(Protocol):
    """The node whose model is replaced."""

    setup: PolicySetup | None
    session: RunSession | None
    active: bool

    def load_policy(self) -> Policy:
        """Load the policy of the parameters; called on a thread of its own."""

    def load_while_inactive(self) -> str:
        """Load policy and robot of the parameters; :return: a refusal, or ''."""


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
        if owner.active and owner.setup is not None and owner.setup.policy_set is not None:
            answer('the policies of a set are loaded while the node is inactive: deactivate it')
        elif owner.active and owner.setup is not None and owner.session is not None:
            self._swap = ModelSwap(
                owner.load_policy, owner.setup, owner.session.begin_swap, self._take_over, answer
            )
        else:
            answer(owner.load_while_inactive())

    def _take_over(self, setup: PolicySetup) -> None:
        """Set the policy that has taken over."""
        self._owner.setup = setup
        if self._owner.session is not None:
            self._owner.session.take_over()
        contract = setup.policy.contract
        self._logger.info(f'{contract.path} ({contract.sha256[:12]}) has taken over')
