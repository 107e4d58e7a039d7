"""Moves the joints to a pose between two policies of a set: `via_pose` of a transition.

Within mode run: damping where the set says so, then a straight line from the measured pose with
the gains of the policy that follows, which takes over at its end with fresh state.
"""

from collections.abc import Callable
from collections.abc import Mapping

from kinfer_ros.arrays import Float64
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.pose_ramp import PoseRamp
from kinfer_ros.control.wheels import with_rest
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.sets.policy_set import PolicySet
from kinfer_ros.policy.sets.via import Via
from kinfer_ros.robot.robot import Robot

VIA = 'is entered via a pose'
TAKEN_OVER = 'has taken over'
"""Ends of the events that enclose the way: no policy runs in between."""


class ViaPose:
    """
    The way to a policy, while it lasts. The guards of the policy that was left hold on it.

    :ivar active: no policy runs: the robot is on its way.
    :ivar damping: it is damped.
    """

    def __init__(
        self, parts: Parts, begin_here: Callable[[], None], start_run: Callable[[int], None]
    ) -> None:
        """
        :param begin_here: begins the targets at the measured pose, after damping.
        :param start_run: starts the policy of the runner, at a time.
        """
        self.active = self.damping = False
        self._parts = parts
        self._begin_here = begin_here
        self._start_run = start_run
        self._ramp = PoseRamp(len(parts.start_pose))
        self._goal = parts.start_pose
        self._duration_ns = self._damp_ns = self._since_ns = 0

    def begin(self, entered: BoundPolicy, via: Via, goal: Float64, now_ns: int) -> None:
        """Leave the running policy; :param goal: [N] rad, robot joint order."""
        runner = self._parts.runner
        runner.replace(entered)
        runner.began_ns = self._since_ns = now_ns
        self._goal = goal
        self._damp_ns, self._duration_ns = round(via.damp_s * 1e9), round(via.duration_s * 1e9)
        self.active, self.damping = True, self._damp_ns > 0
        self._say(VIA)
        if self.damping:
            self._say(f'follows damping of {via.damp_s:g} s')
        else:
            self._begin_line(now_ns)

    def follow(self, now_ns: int) -> None:
        """Go on as far as time has passed; at the end the policy runs in this tick."""
        elapsed = now_ns - self._since_ns
        if self.damping and elapsed >= self._damp_ns:
            self.damping = False
            self._begin_here()
            self._begin_line(now_ns)
        elif self.active and not self.damping and elapsed >= self._duration_ns:
            self.active = False
            self._parts.adopt(self._parts.runner.bound)
            self._start_run(now_ns)
            self._say(TAKEN_OVER)

    def write(self, target: Float64, now_ns: int) -> None:
        """Write the target [N] rad on the line, before its limits."""
        self._ramp.write(target, self._goal, max(0, now_ns - self._since_ns))

    def cancel(self) -> None:
        """End with the run; the next session begins with the gains of its own first policy."""
        if self.active:
            self.active = self.damping = False
            self._parts.adopt(self._parts.runner.bound)

    def describe(self) -> str:
        """Say on ~/mode where the way stands, after the policy's name; '' where there is none."""
        if not self.active:
            return ''
        return ': damping before its pose' if self.damping else ': moving to its pose'

    def _begin_line(self, now_ns: int) -> None:
        """Move on from the measured pose with the gains of the policy, in this tick."""
        parts = self._parts
        parts.adopt_gains(parts.runner.bound)
        position = with_rest(parts.inputs.frame.position, parts.wheels)
        self._ramp.begin(position, self._duration_ns)
        self._since_ns = now_ns
        self._say(f'follows in {self._duration_ns / 1e9:g} s, from its pose')

    def _say(self, text: str) -> None:
        self._parts.guards.stats.say(f'policy {self._parts.runner.bound.name} {text}')


def via_poses(
    policy_set: PolicySet, members: Mapping[str, BoundPolicy], robot: Robot
) -> dict[tuple[str, str], Float64]:
    """
    Return the pose [N] rad, robot joint order, of each transition via one, by source and target.

    :raises ContractError: with every joint whose pose is beyond its limits.
    """
    found, problems = {}, []
    for each in policy_set.transitions:
        if each.via is None:
            continue
        pose = members[each.target].start_pose.copy()
        for name, angle in each.via.pose.items():
            joint = robot.joint_names.index(name)
            pose[joint] = angle
            if not robot.lower[joint] <= angle <= robot.upper[joint]:
                problems.append(
                    f'{each.source} to {each.target}: via_pose: {name}: found {angle:g} rad, '
                    f'expected {robot.lower[joint]:g} to {robot.upper[joint]:g} (the limits)'
                )
        found[each.source, each.target] = pose
    if problems:
        raise ContractError('\n  '.join([f'policy set {policy_set.path}:', *problems]))
    return found
