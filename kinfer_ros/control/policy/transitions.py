"""Decides which policy of a set follows the running one, and when.

Asked for by the operator, along the transitions of the set; or by itself, where a transition is
automatic. control/policy/swap.py carries a transition out.
"""

from collections.abc import Callable
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from kinfer_ros.arrays import Float64
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.automatic import AutomaticStart
from kinfer_ros.control.policy.conditions import ConditionCheck
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.policy.swap import IN_PLACE
from kinfer_ros.control.policy.swap import PolicySwap
from kinfer_ros.control.policy.swap import Takeover
from kinfer_ros.control.policy.swap import describe_load
from kinfer_ros.policy.sets.policy_set import ALONE
from kinfer_ros.policy.sets.policy_set import PolicySet
from kinfer_ros.policy.sets.transition import Transition
from kinfer_ros.policy.sets.via import Via
from kinfer_ros.yaml_file import did_you_mean

ASKED = 'policy {} is asked for'
"""Event of a request."""


class Way(Protocol):
    """The way to a policy through a pose: control/policy/via_pose.py."""

    active: bool

    def begin(self, entered: BoundPolicy, via: Via, goal: Float64, now_ns: int) -> None:
        """Leave the running policy."""

    def follow(self, now_ns: int) -> None:
        """Go on as far as time has passed."""


class Transitions:
    """
    The policies of a set, the one that runs, and the one that the operator asked for.

    :ivar members: by name, bound to the robot; a policy alone has the name ''.
    :ivar goal: the policy that was asked for and does not run yet, or ''.
    """

    def __init__(
        self,
        policy_set: PolicySet,
        members: Mapping[str, BoundPolicy],
        runner: PolicyRunner,
        check: ConditionCheck,
        add_event: Callable[[str], None],
        poses: Mapping[tuple[str, str], Float64] | None = None,
    ) -> None:
        """
        :param add_event: adds an event to the record of this tick.
        :param poses: [N] rad, of the transitions via a pose, by source and target.
        """
        self.members = dict(members)
        self.goal = ''
        self._set = policy_set
        self._runner = runner
        self._check = check
        self._add_event = add_event
        self._poses = poses or {}
        self._automatic = AutomaticStart()
        self._now_ns = 0

    @property
    def entry(self) -> BoundPolicy:
        """The policy that runs first."""
        return self.members[self._set.entry]

    @property
    def running(self) -> str:
        """The policy that runs, or that runs next; '' without a set."""
        return self._runner.bound.name

    @property
    def swapping(self) -> bool:
        """Whether two policies run; either of them may go on."""
        return self._runner.swapping

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The range of each entry of the running policy's command, within those of the set."""
        return self._runner.bound.command_ranges

    @property
    def running_ns(self) -> int:
        """Time for which it has run, ns, as of the last tick in mode run."""
        return max(0, self._now_ns - self._runner.began_ns)

    def mode_reason(self) -> str:
        """Say on ~/mode which policy runs."""
        return f'policy {self.running}' if self.running else ''

    def onward(self) -> list[str]:
        """Return the policies that can be reached from the running one."""
        return [name for name in self.members if self._set.route(self.running, name)]

    def refusal(self, name: str, mode: Mode) -> str:
        """Return why a policy cannot be asked for now, or ''."""
        running = self.running
        if running == ALONE:
            return f'policy {name} is refused: this is a policy alone, without a set (policies)'
        if mode is not Mode.RUN:
            return f'policy {name} is refused in mode {mode}: it needs mode run'
        if name not in self.members:
            known = ', '.join(self.members)
            return f'found no policy {name}{did_you_mean(name, self.members)}, expected {known}'
        if name == running:
            return ''
        route = self._set.route(running, name)
        if not route:
            leading = ', '.join(self.onward()) or 'none'
            return f'no transition leads from {running} to {name}; there are ways to {leading}'
        unmet = self._unmet(route[0])
        return f'{running} to {route[0].target}: {unmet}' if unmet else ''

    def after_fall(self) -> Transition | None:
        """Return the transition from the running policy after a fall, if there is one."""
        return self._set.after_fall(self.running)

    def fall_refusal(self, transition: Transition, now_ns: int) -> str:
        """Return which condition of the transition after a fall does not hold, or ''."""
        pose, policy = self.members[transition.target].start_pose, self._runner.bound.policy
        return self._check.unmet(transition.conditions, policy, pose, now_ns)

    def request(self, name: str, mode: Mode) -> str:
        """Ask for a policy; :return: why it is refused, with no change, or ''."""
        refusal = self.refusal(name, mode)
        if not refusal:
            self.ask(name)
        return refusal

    def ask(self, name: str) -> None:
        """Ask for a policy for which there is no refusal, or for which there was none."""
        self.goal = '' if name == self.running else name
        self._add_event(ASKED.format(name))

    def begin_session(self, adopt: Callable[[BoundPolicy], None]) -> None:
        """Begin with the first policy; `adopt` takes over what else belongs to it."""
        self.goal = ''
        if self._runner.bound is not self.entry:
            self._runner.replace(self.entry)
            adopt(self.entry)

    def put(self, bound: BoundPolicy) -> None:
        """Put another version of a policy in the place of the one of the same name."""
        self.members[bound.name] = bound
        if bound is not self._runner.bound:
            self._add_event(f'{describe_load(bound)}{IN_PLACE}')

    def forget(self) -> None:
        """Drop what the operator asked for."""
        self.goal = ''

    def follow(self, swap: PolicySwap, via: Way, now_ns: int) -> None:
        """Begin the transition that is due in this tick of mode run, or go on with one."""
        self._now_ns = now_ns
        if self.running == ALONE:
            return
        if via.active:
            via.follow(now_ns)
            return
        if self._runner.swapping or self.goal:
            self._automatic.restart()  # nobody looks meanwhile
        transition = None if self._runner.swapping else self._due()
        if transition is None:
            return
        entered = self.members[transition.target]
        if transition.via is not None:
            goal = self._poses[transition.source, transition.target]
            via.begin(entered, transition.via, goal, now_ns)
            return
        blend_ns = round(transition.blend_s * 1e9)
        done = partial(self._ended, transition)
        swap.request(Takeover(entered, blend_ns, done, f'policy {entered.name}'))

    def _ended(self, transition: Transition, refusal: str) -> None:
        """Note how a transition ended: one that was rolled back is not tried again."""
        if refusal:
            self._automatic.note_refused(transition)
            self.goal = ''
            self._automatic.restart()

    def _due(self) -> Transition | None:
        if self.goal == self.running:
            self.goal = ''
        if self.goal:
            route = self._set.route(self.running, self.goal)
            if not route:  # an automatic transition has led elsewhere
                self.goal = ''
                return None
            return None if self._unmet(route[0]) else route[0]
        ended = self._runner.bound.policy.motion_ended()
        name, found = self.running, self._set.automatic.get(self.running, ())
        return self._automatic.due(name, found, self._unmet, self._now_ns, ended=ended)

    def _unmet(self, transition: Transition) -> str:
        pose = self.members[transition.target].start_pose
        running = self._runner.bound.policy
        return self._check.unmet(transition.conditions, running, pose, self._now_ns)
