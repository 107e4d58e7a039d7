"""Checks parameters set at run time, and applies the live settings between two ticks."""

import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from kinfer_ros.control.gains.policy_gains import gain_problem
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import ConfigError
from kinfer_ros.run.setup import PolicySetup

POLICY = 'policy'
"""The parameter that names the running policy of a set; setting it asks for another."""


class Tuning:
    """Accepts or refuses sets of parameters, each as a whole."""

    def __init__(
        self,
        fixed: Collection[str],
        current: Callable[[str], Any],
        setup: Callable[[], PolicySetup | None],
        active: Callable[[], bool],
    ) -> None:
        """
        :param fixed: parameters that cannot change while the node is active.
        :param current: returns the present value of a parameter.
        :param setup: returns the loaded setup, or None.
        :param active: returns whether the node is active.
        """
        self._fixed = frozenset(fixed)
        self._current = current
        self._setup = setup
        self._active = active

    def refusal(self, given: Mapping[str, Any]) -> str:
        """Return why these values cannot be set, or ''; nothing changes here."""
        return (
            self._locked(given)
            or _not_finite(given)
            or self._not_valid(given)
            or self._wrong_policy(given)
        )

    def apply(self, names: Collection[str]) -> None:
        """Pass the live settings to the controller, after `names` were set."""
        setup = self._setup()
        if setup is not None and any(name in NAMES for name in names):
            setup.controller.request_live_settings(live_settings_from(self._values()))
        if setup is not None and POLICY in names:
            setup.controller.policies.request(str(self._current(POLICY)), setup.controller.mode)

    def _locked(self, given: Mapping[str, Any]) -> str:
        if 'use_sim_time' in given:
            return 'use_sim_time is taken when the node starts: set it in the launch file'
        fixed = [name for name in given if name in self._fixed]
        if not fixed or not self._active():
            return ''
        return (
            f'{", ".join(fixed)} cannot change while the node is active: deactivate it first '
            '(what is read at configure needs a cleanup and a configure as well)'
        )

    def _wrong_policy(self, given: Mapping[str, Any]) -> str:
        """A policy is asked for by this parameter, in mode run only."""
        if POLICY not in given:
            return ''
        setup = self._setup()
        if setup is None or not self._active():
            return f'{POLICY} asks for a policy of a running set: activate the node first'
        return setup.controller.policies.refusal(str(given[POLICY]), setup.controller.mode)

    def _not_valid(self, given: Mapping[str, Any]) -> str:
        if not any(name in NAMES for name in given):
            return ''
        setup = self._setup()
        try:
            live = live_settings_from(self._values() | dict(given))
        except ConfigError as error:
            return str(error)
        if setup is None:
            return ''
        # Two policies while one takes over from the other: either may act in the next tick. Of a
        # set any policy may be entered.
        members = [each.gains for each in setup.controller.policies.members.values()]
        for own in (setup.gains, setup.controller.gains.policy, *members):
            if problem := gain_problem(own, setup.robot, live):
                return problem
        return ''

    def _values(self) -> dict[str, Any]:
        return {name: self._current(name) for name in NAMES}


def _not_finite(given: Mapping[str, Any]) -> str:
    """Return which values are not finite, or '': NaN passes the range checks of ROS."""
    floats = {name: value for name, value in given.items() if isinstance(value, float)}
    bad = [name for name, value in floats.items() if not math.isfinite(value)]
    return f'{", ".join(bad)}: found a number that is not finite' if bad else ''
