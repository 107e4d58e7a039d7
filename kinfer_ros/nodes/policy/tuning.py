"""Lets `ros2 param set` reach the controller: control/tuning.py decides."""

from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from kinfer_ros.control.tuning import Tuning
from kinfer_ros.ros.parameters import value
from kinfer_ros.run.parameters import STRUCTURE

SETTABLE = ('model', 'spec', 'load_timeout', 'load_memory_mb')
"""Of STRUCTURE what can be set while active: it takes effect with ~/load_model."""


def follow_parameters(node: Any) -> None:
    """Check every set of parameters of a PolicyNode, and apply it between two ticks."""
    tuning = Tuning(
        [entry.name for entry in STRUCTURE if entry.name not in SETTABLE],
        lambda name: value(node, name),
        lambda: node.setup,
        lambda: node.active,
    )

    def check(parameters: list[Parameter]) -> SetParametersResult:
        reason = tuning.refusal({each.name: each.value for each in parameters})
        return SetParametersResult(successful=not reason, reason=reason)

    node.add_on_set_parameters_callback(check)
    node.add_post_set_parameters_callback(
        lambda parameters: tuning.apply([each.name for each in parameters])
    )
