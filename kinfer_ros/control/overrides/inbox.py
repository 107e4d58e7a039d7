"""Takes the messages of the node that moves joints: checks them, and keeps the newest targets.

One node owns the joints: the first with a valid message, until it has been silent for MAX_AGE_NS.
"""

from collections import Counter
from collections.abc import Hashable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.sensors import MAX_JOINTS
from kinfer_ros.control.sensors import MAX_LISTS
from kinfer_ros.text import printable

TOPIC = 'joint_overrides'
MAX_AGE_NS = 100_000_000
"""An older message counts as silence, by its stamp and by its arrival."""
MAX_AHEAD_NS = 100_000_000
"""A message that is stamped further in the future is refused: the clocks of the hosts differ."""
MAX_TARGET = 1e6
"""rad; larger targets are refused, whatever their unit."""
SHOWN = 5
"""Names in a text."""
MAX_NAME = 60
"""Characters of each."""
_NEVER = -(2**62)


class Sender(NamedTuple):
    """Who published a message."""

    id: Hashable
    name: str


class _NameList(NamedTuple):
    """A list of names that is published, matched once."""

    names: Sequence[str]
    joints: Indices
    """Where each name stands in the override joints."""
    problem: str


class OverrideInbox:
    """
    The newest target of each joint that another node may move; J joints.

    :ivar target: [J] rad, within the joint limits.
    :ivar beyond: [J] the target was beyond a joint limit.
    :ivar owner: who moves the joints, or did last; None before.
    :ivar newest_ns: newest stamp of a message of the owner, 0 before the first.
    :ivar refused: messages refused since the construction; `problem` says why the last one was.
    """

    def __init__(
        self, joints: Sequence[str], robot_joints: Sequence[str], limits: Float64
    ) -> None:
        """:param limits: [2, J] rad, lower and upper."""
        size = len(joints)
        self.joints = tuple(joints)
        self._robot_joints = frozenset(robot_joints)
        self._lower, self._upper = limits
        self.target: Float64 = np.zeros(size)
        self.beyond = np.zeros(size, bool)
        self._stamp_ns = np.zeros(size, np.int64)
        self._came_ns = np.zeros(size, np.int64)
        self._lists: list[_NameList] = []
        self.refused = 0
        self.problem = ''
        self.restart()

    def restart(self) -> None:
        """Forget owner and targets: a session begins, perhaps with another clock."""
        self.owner: Sender | None = None
        self.newest_ns = 0
        self.problem, self.problem_ns = '', _NEVER
        self._owner_ns = _NEVER
        self._stamp_ns.fill(_NEVER)
        self._came_ns.fill(_NEVER)

    def alive(self, now_ns: int, stamp_now_ns: int, out: NDArray[np.bool_]) -> None:
        """Write which joints [J] have a target that is not too old."""
        np.greater_equal(self._stamp_ns, stamp_now_ns - MAX_AGE_NS, out=out)
        out &= self._came_ns >= now_ns - MAX_AGE_NS

    def take(
        self,
        sender: Sender,
        names: Sequence[str],
        target: Float64,
        stamp_ns: int,
        now_ns: int,
        stamp_now_ns: int,
    ) -> str:
        """
        Take a message; one without names gives all joints back at once.

        :param target: rad, one for each name.
        :param now_ns: the control clock.
        :param stamp_now_ns: the clock of the stamps.
        :return: why it is refused as a whole, or ''.
        """
        owned = self.owner is not None and now_ns - self._owner_ns <= MAX_AGE_NS
        if owned and self.owner is not None and sender.id != self.owner.id:
            return self.refuse(
                sender, f'{self.owner.name} moves the joints, and only one node may', now_ns
            )
        known = self._match(names)
        problem = (
            known.problem
            or _problem_of_numbers(names, target)
            or self._problem_of_stamp(stamp_ns, stamp_now_ns)
        )
        if not owned or stamp_ns > self.newest_ns:
            self.newest_ns = min(stamp_ns, stamp_now_ns)
        if problem:
            return self.refuse(sender, problem, now_ns)
        self.owner, self._owner_ns = sender, now_ns
        if not len(names):
            self._stamp_ns.fill(_NEVER)
            return ''
        self._keep(known.joints, target, stamp_ns, now_ns)
        return ''

    def refuse(self, sender: Sender, problem: str, now_ns: int) -> str:
        """Count a message that cannot be used; :return: the text, with who sent it."""
        self.refused += 1
        self.problem_ns = now_ns
        self.problem = f'{TOPIC}: a message of {sender.name} is refused: {problem}'
        return self.problem

    def _keep(self, joints: Indices, target: Float64, stamp_ns: int, now_ns: int) -> None:
        newer = stamp_ns >= self._stamp_ns[joints]  # best effort: messages may change their order
        joints, target = joints[newer], target[newer]
        within = np.clip(target, self._lower[joints], self._upper[joints])
        self.target[joints] = within
        self.beyond[joints] = within != target
        self._stamp_ns[joints] = stamp_ns
        self._came_ns[joints] = now_ns

    def _match(self, names: Sequence[str]) -> _NameList:
        for known in self._lists:
            if names is known.names or names == known.names:
                return known
        problem = self._problem_of_names(names)
        joints = [] if problem else [self.joints.index(name) for name in names]
        known = _NameList(list(names), np.array(joints, np.intp), problem)
        self._lists = [*self._lists[1 - MAX_LISTS :], known]
        return known

    def _problem_of_names(self, names: Sequence[str]) -> str:
        if len(names) > MAX_JOINTS:
            return f'found {len(names)} joints, expected at most {MAX_JOINTS}'
        unknown = [name for name in names if name not in self._robot_joints]
        if unknown:
            return f'the robot has no joints {listed(unknown)}'
        allowed = set(self.joints)
        others = [name for name in names if name not in allowed]
        if others:
            return (
                f'{listed(others)} may not be moved, only {listed(self.joints)} (override_joints)'
            )
        if len(set(names)) < len(names):
            twice = sorted(name for name, count in Counter(names).items() if count > 1)
            return f'it names {listed(twice)} twice'
        return ''

    def _problem_of_stamp(self, stamp_ns: int, stamp_now_ns: int) -> str:
        if not stamp_ns:
            return 'its header.stamp is 0: fill in the time'
        if stamp_ns < stamp_now_ns - MAX_AGE_NS:
            return f'its stamp is older than {MAX_AGE_NS / 1e9:g} s: that counts as silence'
        if stamp_ns > stamp_now_ns + MAX_AHEAD_NS:
            return 'its stamp is in the future: do clocks, and use_sim_time, agree?'
        return ''


def _problem_of_numbers(names: Sequence[str], target: Float64) -> str:
    if len(target) != len(names):
        return f'found {len(names)} names with {len(target)} positions, expected as many of each'
    # Not finite fails this comparison, too.
    wrong = [
        name for name, value in zip(names, target, strict=True) if not abs(value) < MAX_TARGET
    ]
    return f'the position of {listed(wrong)} is not finite, or absurd' if wrong else ''


def listed(names: Sequence[str]) -> str:
    """List some names."""
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(printable(name[:MAX_NAME]) for name in names[:SHOWN]) + more
