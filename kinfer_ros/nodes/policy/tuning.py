"""Parameters that are set while the node lives: checked, then applied between two ticks.

Without this module `ros2 param set` would be believed by the parameter server and ignored by the
robot, or reach one half of a tick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from kinfer_ros.control.assembly import gain_problem
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.policy.parameters import STRUCTURE
from kinfer_ros.nodes.policy.parameters import value
from kinfer_ros.run.session import PolicySetup

ALWAYS = ('model', 'spec')
"""Of STRUCTURE what can be set while active: it takes effect with ~/load_model."""


class Tuning:
    """
    The parameter callbacks of a policy node.

    :param loaded: what is loaded now, or None.
    :param active: whether the node is active.
    """

    def __init__(
        self, node: Node, loaded: Callable[[], PolicySetup | None], active: Callable[[], bool]
    ) -> None:
        self._node = node
        self._loaded = loaded
        self._active = active
        self._fixed = {entry.name for entry in STRUCTURE if entry.name not in ALWAYS}
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._apply)

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        """Accept all of a set, or say what is wrong with it; nothing is changed here."""
        given = {parameter.name: parameter.value for parameter in parameters}
        reason = self._not_now(given) or _not_finite(given) or self._cannot_be(given)
        return SetParametersResult(successful=not reason, reason=reason)

    def _not_now(self, given: dict[str, Any]) -> str:
        if 'use_sim_time' in given:
            return 'use_sim_time is taken when the node starts: set it in the launch file'
        fixed = [name for name in given if name in self._fixed]
        if not fixed or not self._active():
            return ''
        return (
            f'{", ".join(fixed)} cannot change while the node is active: deactivate it first '
            '(what is read at configure needs a cleanup and a configure as well)'
        )

    def _cannot_be(self, given: dict[str, Any]) -> str:
        if not any(name in NAMES for name in given):
            return ''
        loaded = self._loaded()
        try:
            tunables = live_settings_from(self._values() | given)
        except ConfigError as error:
            return str(error)
        return gain_problem(loaded.gains, loaded.robot, tunables) if loaded else ''

    def _apply(self, parameters: list[Parameter]) -> None:
        loaded = self._loaded()
        if loaded is not None and any(parameter.name in NAMES for parameter in parameters):
            loaded.controller.request_tunables(live_settings_from(self._values()))

    def _values(self) -> dict[str, Any]:
        return {name: value(self._node, name) for name in NAMES}


def _not_finite(given: dict[str, Any]) -> str:
    """ROS checks ranges with comparisons, which NaN passes."""
    bad = [
        n for n, found in given.items() if isinstance(found, float) and not math.isfinite(found)
    ]
    return f'{", ".join(bad)}: found a number that is not finite' if bad else ''
