"""Lets `ros2 param set` reach the controller: control/tuning/tuning.py decides."""

from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from kinfer_ros.control.tuning.tuning import POLICY
from kinfer_ros.control.tuning.tuning import Tuning
from kinfer_ros.errors import ConfigError
from kinfer_ros.ros.parameters import value
from kinfer_ros.run.parameters import STRUCTURE

SETTABLE = ('model', 'spec', 'load_timeout', 'load_memory_mb', POLICY)
"""Of STRUCTURE what can be set while active: with ~/load_model it takes effect, POLICY at once."""


class PolicyParameter:
    """Keeps the parameter `policy` at the name of the running policy."""

    def __init__(self, node: Any) -> None:
        """:raises ConfigError: it was set from outside, such as by a params_file."""
        self._node = node
        self.showing = False
        """The parameter is being set by the node itself."""
        if given := value(node, POLICY):
            raise ConfigError(
                f'parameter {POLICY}: found {given} at the start, expected it to be set in mode '
                'run only: the policy that runs first is `enter` of the set (parameter policies)'
            )

    def show(self) -> None:
        """Set it to the running policy; '' without a set."""
        setup = self._node.setup
        name = setup.controller.policies.running if setup is not None else ''
        if name != value(self._node, POLICY):
            self.showing = True
            try:
                self._node.set_parameters([Parameter(POLICY, value=name)])
            finally:
                self.showing = False


def follow_parameters(node: Any) -> PolicyParameter:
    """Check every set of parameters of a PolicyNode, and apply it between two ticks."""
    shown = PolicyParameter(node)
    tuning = Tuning(
        [entry.name for entry in STRUCTURE if entry.name not in SETTABLE],
        lambda name: value(node, name),
        lambda: node.setup,
        lambda: node.active,
    )

    def check(parameters: list[Parameter]) -> SetParametersResult:
        given = {each.name: each.value for each in parameters}
        reason = '' if shown.showing else tuning.refusal(given)
        return SetParametersResult(successful=not reason, reason=reason)

    node.add_on_set_parameters_callback(check)

    def apply(parameters: list[Parameter]) -> None:
        if not shown.showing:
            tuning.apply([each.name for each in parameters])

    node.add_post_set_parameters_callback(apply)
    return shown
