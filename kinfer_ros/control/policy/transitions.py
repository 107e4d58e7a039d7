"""Decides which policy of a set follows the running one, and when.

Asked for by the operator, along the transitions of the set; or by itself, where a transition is
automatic. control/policy/swap.py carries a transition out.
"""

from collections.abc import Mapping

from kinfer_ros.control.policy.conditions import ConditionCheck
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.policy.policy_set import MOTION_ENDED
from kinfer_ros.policy.policy_set import PolicySet
from kinfer_ros.policy.policy_set import Transition
from kinfer_ros.yaml_file import did_you_mean


class Transitions:
    """
    The operator's wish, and the way there.

    :ivar members: the policies of the set by name, bound to the robot.
    :ivar goal: the policy that was asked for and does not run yet, or ''.
    """

    def __init__(
        self, policy_set: PolicySet, members: Mapping[str, BoundPolicy], check: ConditionCheck
    ) -> None:
        self.members = members
        self.goal = ''
        self._set = policy_set
        self._check = check

    @property
    def entry(self) -> BoundPolicy:
        """The policy that runs first."""
        return self.members[self._set.entry]

    def onward(self, running: str) -> list[str]:
        """Return the policies that can be reached from this one."""
        return [name for name in self.members if self._set.route(running, name)]

    def request(self, name: str, running: BoundPolicy, now_ns: int) -> str:
        """Ask for a policy; :return: why it is refused, with no change, or ''."""
        if name not in self.members:
            known = ', '.join(self.members)
            return f'found no policy {name}{did_you_mean(name, self.members)}, expected {known}'
        if name == running.name:
            self.goal = ''
            return ''
        route = self._set.route(running.name, name)
        if not route:
            leading = ', '.join(self.onward(running.name)) or 'none'
            return (
                f'no transition leads from {running.name} to {name}; there are ways to {leading}'
            )
        if unmet := self._unmet(route[0], running, now_ns):
            return f'{running.name} to {route[0].target}: {unmet}'
        self.goal = name
        return ''

    def forget(self) -> None:
        """Drop the wish."""
        self.goal = ''

    def ended(self, refusal: str) -> None:
        """Note how a transition ended: one that was rolled back is not tried again."""
        if refusal:
            self.goal = ''

    def due(self, running: BoundPolicy, now_ns: int) -> Transition | None:
        """Return the transition to begin in this tick."""
        if self.goal == running.name:
            self.goal = ''
        if self.goal:
            route = self._set.route(running.name, self.goal)
            if not route:  # an automatic transition has led elsewhere
                self.goal = ''
                return None
            return None if self._unmet(route[0], running, now_ns) else route[0]
        if not running.policy.motion_ended():
            return None
        for each in self._set.leaving(running.name):
            if each.automatic == MOTION_ENDED and not self._unmet(each, running, now_ns):
                return each
        return None

    def _unmet(self, transition: Transition, running: BoundPolicy, now_ns: int) -> str:
        entered = self.members[transition.target]
        return self._check.unmet(transition.conditions, running.policy, entered.start_pose, now_ns)
