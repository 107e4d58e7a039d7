"""The operator's stops, ~/stop and the joystick's, and the joystick's other buttons.

They are polled in every tick, in a fade, and in every wait, where no callback runs. A stop is
latched: no activation before ~/reset.
"""

from collections.abc import Mapping

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import Joy

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.joystick import Joystick
from kinfer_ros.control.joystick import RequestButtons
from kinfer_ros.control.modes import STIFF
from kinfer_ros.control.motion import WORDS
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polled_trigger import PolledTrigger
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all

JOY_DEPTH = 20
"""Messages kept between two ticks, during which a press may begin and end."""


class Operator:
    """
    Reads stops, and passes them to the controller.

    :ivar stopped: why the robot was stopped, until `reset`; else ''.
    """

    def __init__(self, node: Node) -> None:
        self.stopped = ''
        self._service = PolledTrigger(node, '~/stop')
        self._joystick = Joystick(
            value(node, 'joy_stop_button'),
            value(node, 'joy_deadman_button'),
            round(value(node, 'joy_timeout') * 1e9),
        )
        self._requests = RequestButtons(
            {word: value(node, f'joy_motion_{word}_button') for word in WORDS}
        )
        self._node = node
        self._joy: Subscription | None = None
        stops = max(value(node, 'joy_stop_button'), value(node, 'joy_deadman_button')) >= 0
        if stops or self._requests:
            self._subscribe()

    def _subscribe(self) -> None:
        overriding = QoSOverridingOptions.with_default_policies()
        qos, group = QoSProfile(depth=JOY_DEPTH), PollOnlyGroup(self._node)
        self._joy = subscribe(
            self._node, Joy, 'joy', qos, group, qos_overriding_options=overriding
        )

    def use_policies(self, buttons: Mapping[str, int]) -> None:
        """Let these buttons ask for policies, by name, from now on."""
        self._requests.use_policies(buttons)
        if buttons and self._joy is None:
            self._subscribe()

    def poll(self, now_ns: int, controller: Controller | None) -> str:
        """
        Read stop requests, and pass a stop to the controller.

        :param now_ns: the control clock.
        :return: why the robot was stopped since the last call, or ''.
        """
        reason = ''
        while (call := self._service.take()) is not None:
            reason = 'stop requested'
            self._service.answer(call, '')
        if self._joy is not None:
            for message in take_all(self._joy):
                self._joystick.update(message.buttons, now_ns)
                for refusal in self._requests.update(message.buttons, controller):
                    self._node.get_logger().warning(refusal)
            reason = reason or self._joystick.stop_reason()
            if controller is not None and (controller.mode in STIFF or controller.recovery.waits):
                reason = reason or self._joystick.deadman_reason(now_ns)
        if reason:
            self.stopped = self.stopped or reason
            if controller is not None:
                controller.request_stop(reason)
        return reason

    def refusal(self, now_ns: int) -> str:
        """Return why the operator does not allow an activation, or ''."""
        if self.stopped:
            return f'stopped ({self.stopped}): call ~/reset, then activate'
        return self._joystick.refusal(now_ns)

    def reset(self) -> None:
        """Clear the stop."""
        self.stopped = ''
