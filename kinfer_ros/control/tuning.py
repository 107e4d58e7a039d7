"""Parameters that are set while the node lives: checked, then applied between two ticks."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from kinfer_ros.control.gains import gain_problem
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError
from kinfer_ros.run.setup import PolicySetup


class Tuning:
    """Decides about sets of parameters; a set is accepted whole or not at all."""

    def __init__(
        self,
        fixed: Collection[str],
        current: Callable[[str], Any],
        setup: Callable[[], PolicySetup | None],
        active: Callable[[], bool],
    ) -> None:
        """
        :param fixed: names that cannot change while the node is active.
        :param current: gives the value of a parameter as it now stands.
        :param setup: gives what is loaded, or None.
        :param active: says whether the node is active.
        """
        self._fixed = frozenset(fixed)
        self._current = current
        self._setup = setup
        self._active = active

    def refusal(self, given: Mapping[str, Any]) -> str:
        """Say why these values cannot be set, or ''; nothing is changed here."""
        return self._not_now(given) or _not_finite(given) or self._not_valid(given)

    def apply(self, names: Collection[str]) -> None:
        """Hand the live settings on to the controller, after `names` were set."""
        setup = self._setup()
        if setup is not None and any(name in NAMES for name in names):
            setup.controller.request_live_settings(live_settings_from(self._values()))

    def _not_now(self, given: Mapping[str, Any]) -> str:
        if 'use_sim_time' in given:
            return 'use_sim_time is taken when the node starts: set it in the launch file'
        fixed = [name for name in given if name in self._fixed]
        if not fixed or not self._active():
            return ''
        return (
            f'{", ".join(fixed)} cannot change while the node is active: deactivate it first '
            '(what is read at configure needs a cleanup and a configure as well)'
        )

    def _not_valid(self, given: Mapping[str, Any]) -> str:
        if not any(name in NAMES for name in given):
            return ''
        setup = self._setup()
        try:
            live = live_settings_from(self._values() | dict(given))
        except ConfigError as error:
            return str(error)
        return gain_problem(setup.gains, setup.robot, live) if setup else ''

    def _values(self) -> dict[str, Any]:
        return {name: self._current(name) for name in NAMES}


def _not_finite(given: Mapping[str, Any]) -> str:
    """ROS checks ranges with comparisons, which NaN passes."""
    bad = [
        name
        for name, value in given.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    return f'{", ".join(bad)}: found a number that is not finite' if bad else ''
