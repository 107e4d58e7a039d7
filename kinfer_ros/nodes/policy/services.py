"""The services ~/start, ~/reset and ~/motion/...; ~/stop is in operator.py."""

from collections.abc import Callable
from functools import partial
from typing import Any

from std_srvs.srv import Trigger

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.motion import WORDS
from kinfer_ros.control.tick import format_mode
from kinfer_ros.nodes.policy.operator import Operator
from kinfer_ros.nodes.policy.robot_link import RobotLink


class ModeServices:
    """Turns calls into requests to the node's controller."""

    def __init__(self, node: Any, link: RobotLink, operator: Operator) -> None:
        """:param node: the PolicyNode."""
        self._node = node
        self._link = link
        self._operator = operator
        node.create_service(Trigger, '~/start', _callback(self._on_start))
        node.create_service(Trigger, '~/reset', _callback(self._on_reset))
        for word in WORDS:
            handler = partial(self._on_motion, word)
            node.create_service(Trigger, f'~/motion/{word}', _callback(handler))

    def _on_start(self) -> str:
        node = self._node
        if node.setup is None or not node.active:
            return f'start is refused while the node is {node.state}: activate it first'
        return str(node.setup.controller.request_run())

    def _on_motion(self, word: str) -> str:
        node = self._node
        if node.setup is None or not node.active:
            return f'motion {word} is refused while the node is {node.state}: activate it first'
        return str(node.setup.controller.request_motion(word))

    def _on_reset(self) -> str:
        setup = self._node.setup
        mode = setup.controller.mode if setup else Mode.INACTIVE
        if mode is not Mode.FAULT and not self._operator.stopped:
            return f'nothing to reset in mode {mode}'
        if mode is Mode.FAULT:
            refusal = self._external_cause() or str(setup.controller.reset_fault())
            if refusal:
                return refusal
            self._link.publish_mode(format_mode(setup.controller.mode, setup.controller.reason))
        self._operator.reset()
        return ''

    def _external_cause(self) -> str:
        """Return why a fault with a cause outside the controller must stay, or ''."""
        if not self._node.active or self._link.dry_run:
            return ''
        cause = self._link.bridge_problem() or self._link.gains_fault(recheck=True)
        return f'the cause is still there: {cause}' if cause else ''


def _callback(handler: Callable[[], str]) -> Callable[..., Trigger.Response]:
    """Turn a handler that returns a refusal, or '', into a Trigger callback."""

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = handler()
        response.success = not refusal
        response.message = refusal or 'done'
        return response

    return answer
