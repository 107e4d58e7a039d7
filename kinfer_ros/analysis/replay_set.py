"""What a replay knows of a policy set: its blends, and which version of each policy was in place.

~/load_model takes an edit of policies while the node is active: each is an entry of `swaps` in
run.json, and its number, from 1, is in the events.
"""

import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay_lane import Lane
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.swap import IN_PLACE
from kinfer_ros.control.policy.swap import LOADED
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy

_EVENT = re.compile(f'{LOADED}(.*), load ([0-9]{{1,9}})( .*)', re.DOTALL)
_BEGINS, _TAKEN = ' begins to take over', ' has taken over'


def begun_load(event: str) -> int:
    """Return the number of the load that begins to take over with this event; 0: none."""
    found = _EVENT.fullmatch(event)
    return int(found[2]) if found and found[3] == _BEGINS else 0


def blends(run: RecordedRun) -> dict[tuple[str, str], int]:
    """
    Return the time of the blend of each transition, ns.

    :raises RunError: the transitions of the run cannot be read.
    """
    try:
        return {
            (str(each['from']), str(each['to'])): round(float(each['blend_s']) * 1e9)
            for each in run.facts.get('transitions') or ()
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f'{run.path}/run.json: transitions: cannot be read ({error!r})') from error


class Loads:
    """The policies of a set that were loaded while active, and which one was in place."""

    def __init__(
        self,
        run: RecordedRun,
        find: Callable[[int], Policy],
        lane_of: Callable[[str], Lane],
    ) -> None:
        """:param find: loads one by its number. :param lane_of: the lane of a policy."""
        self._run = run
        self._find = find
        self._lane_of = lane_of
        self._newest: dict[str, int] = {}
        self._bound: dict[int, BoundPolicy] = {}

    def follow(self, events: Sequence[str]) -> None:
        """Take the events of a record, in whatever mode."""
        for event in events:
            found = _EVENT.fullmatch(event) if event.startswith(LOADED) else None
            if found and found[3] in (IN_PLACE, _TAKEN):
                self._newest[found[1]] = int(found[2])

    def resume(self, name: str, resume: Mapping[str, Any]) -> None:
        """Take the version that runs, where the events before it may be missing."""
        if not name:
            return
        load = resume.get('load', 0)
        if not isinstance(load, int) or isinstance(load, bool):
            raise RunError(f'{self._run.path}: resume.load: found {load!r}')
        self._newest[name] = load

    def in_place(self, name: str) -> int:
        """Return the number of the newest load of a policy; 0: as loaded at configure."""
        return self._newest.get(name, 0)

    def bound(self, number: int) -> BoundPolicy:
        """
        Return a policy by its number, bound to the run.

        :raises RunError: run.json does not list it, or its files have changed.
        """
        if number not in self._bound:
            lane = self._lane_of(str(self._run.load(number)['policy']))
            bound = lane.bind(self._find(number), None)
            own = Gains(*self._run.gains_of_load(number, lane.order))
            self._bound[number] = replace(bound, gains=own, load=number)
        return self._bound[number]
