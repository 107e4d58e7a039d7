"""A service that no executor serves: its calls are taken when the node looks, in a tick as well.

Callbacks do not run inside a lifecycle transition, and a stop must not wait for its end.
"""

from collections import deque
from typing import Any

from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.rclpy_internals import PRESENT
from kinfer_ros.ros.rclpy_internals import TAKE_REQUEST
from kinfer_ros.ros.rclpy_internals import take_request


class PolledTrigger:
    """A std_srvs/Trigger service; whoever owns it takes its calls and answers them, at leisure."""

    def __init__(self, node: Node, name: str) -> None:
        self._group = PollOnlyGroup(node)
        self._kept: deque[Future] = deque()
        self._service = node.create_service(Trigger, name, self._keep, callback_group=self._group)

    def take(self) -> Any:
        """Take a call that waits; :return: what `answer` wants to know it by, or None."""
        if PRESENT[TAKE_REQUEST]:
            return take_request(self._service)
        self._group.serve()
        return self._kept.popleft() if self._kept else None

    def answer(self, call: Any, refusal: str) -> None:
        """Answer a call: refused with a reason, or done."""
        response = Trigger.Response(success=not refusal, message=refusal or 'done')
        if isinstance(call, Future):
            call.set_result(response)
            self._group.serve()
        else:
            self._service.send_response(response, call)

    async def _keep(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Keep a call until it is answered; only run where rclpy cannot take a request."""
        call = Future()
        self._kept.append(call)
        return await call
