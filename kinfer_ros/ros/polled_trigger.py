"""A service that no executor serves: its calls are taken when the node looks, in a tick as well.

Callbacks do not run inside a lifecycle transition, and a fade is one: without this module a stop
would have to wait until the fade is over.
"""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from kinfer_ros.ros.polling import PollOnlyGroup


class PolledTrigger:
    """A std_srvs/Trigger service; whoever owns it takes its calls and answers them, at leisure."""

    def __init__(self, node: Node, name: str) -> None:
        self._service = node.create_service(
            Trigger, name, self._never, callback_group=PollOnlyGroup()
        )

    def take(self) -> Any:
        """Take a call that waits; :return: what `answer` wants to know it by, or None."""
        with self._service.handle:
            _, header = self._service.handle.service_take_request(Trigger.Request)
        return header

    def answer(self, call: Any, refusal: str) -> None:
        """Answer a call: refused with a reason, or done."""
        response = Trigger.Response(success=not refusal, message=refusal or 'done')
        self._service.send_response(response, call)

    def _never(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Stand in for the callback that rclpy wants and that is never called."""
        return response
