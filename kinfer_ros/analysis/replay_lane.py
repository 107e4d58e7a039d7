"""What a replay keeps of one policy of a run: its joints, its limits and its inputs."""

from dataclasses import dataclass

import numpy as np

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.recorded_run import override_joints
from kinfer_ros.analysis.replay_inputs import RecordedInputs
from kinfer_ros.analysis.replay_inputs import RecordedObservation
from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy

_GAINS = ('kp', 'kd', 'torque_limit')


@dataclass(frozen=True)
class _Joints:
    """The limiter's view of a robot, with the policy's joints only."""

    joint_names: tuple[str, ...]
    lower: Float64
    upper: Float64
    velocity_limit: Float64


class Lane:
    """
    The joints of one policy of the run, in the order of its records.

    :ivar name: of the policy in its set, or ''.
    :ivar start: [P] rad, its start pose.
    :ivar action: [P] replayed action of the last replayed record, rad.
    :ivar target: [P] its replayed target, rad.
    """

    def __init__(self, run: RecordedRun, name: str, live: LiveSettings) -> None:
        """:raises RunError: an entry is missing in run.json."""
        run = run.of_policy(name) if name else run
        self.name = name
        self.order = tuple(run.fact('joint_order'))
        self.inputs = RecordedInputs(self.order, tuple(run.fact('command_names')))
        self.start = run.joint_numbers('limits', 'start_pose', self.order)
        self._gains = Gains(*(run.joint_numbers('gains', key, self.order) for key in _GAINS))
        self._action_scale = float(run.facts.get('action_scale', 1.0))
        wheels = run.velocity_joints
        limits = _Joints(
            self.order,
            run.joint_numbers('limits', 'lower', self.order),
            run.joint_numbers('limits', 'upper', self.order),
            run.joint_numbers('limits', 'velocity', self.order)
            if wheels
            else np.zeros(len(self.order)),
        )
        mask = np.array([name in wheels for name in self.order]) if wheels else None
        period_s = round(1e9 / float(run.fact('control_rate_hz'))) / 1e9
        gains = self._gains.kp, self._gains.kd, self._gains.torque_limit
        self.limiter = TargetLimiter(limits, gains, period_s, live, mask)
        self._sent = self.start.copy()
        names = override_joints(run.facts)
        self._overridden = len(names)
        known = [(i, self.order.index(n)) for i, n in enumerate(names) if n in self.order]
        self._moved = np.array(known, np.intp).reshape(-1, 2)
        self.action: Float32 = np.zeros(len(self.order), np.float32)
        self.target: Float32 = np.zeros(len(self.order), np.float32)

    def bind(self, policy: Policy, run: RecordedRun | None) -> BoundPolicy:
        """
        Bind a policy to this lane's inputs.

        :param run: has the gains of each policy that was loaded in it; None: those of the lane.
        :raises ContractError: its joints or commands are not those of the lane.
        """
        observation = RecordedObservation(self.inputs, policy)
        joints = observation.joints  # the targets are in the records' joint order
        gains = self._gains
        if run is not None:
            gains = Gains(*run.gains_of(policy.contract.sha256[:12], self.order))
        return BoundPolicy(
            policy, observation, joints, self.start, gains, self.name, self._action_scale
        )

    def send(
        self,
        runner: PolicyRunner,
        ramp: GainRamp,
        measured: Float64,
        override: Float32 | None,
    ) -> None:
        """
        Compute `target` as the tick did, from the runner's action.

        :param measured: [2 P] positions, then velocities.
        :param override: what another node made of the targets, in the order of the run's
            override_joints; NaN where it made nothing.
        :raises RunError: it has another size.
        """
        gains = runner.bound.gains
        if gains is not self._gains:
            self._gains = gains
            self.limiter.set_gains(gains.kp, gains.kd, gains.torque_limit)
            self.limiter.retune(ramp.kp_factor, ramp.kd_factor)
        runner.write_target(self._sent, ramp.action_scale)
        self._override(override)
        self.limiter.apply(self._sent, measured)
        self.target[:] = self._sent

    def _override(self, row: Float32 | None) -> None:
        """Put what another node made of the targets in their place."""
        if row is None:
            return
        if row.size != self._overridden:
            raise RunError(f'override: found {row.size} numbers, expected {self._overridden}')
        values, places = row[self._moved[:, 0]], self._moved[:, 1]
        moved = np.isfinite(values)
        self._sent[places[moved]] = values[moved]

    def continue_from(self, other: 'Lane') -> None:
        """Take over what was sent to the joints that both have."""
        for place, name in enumerate(self.order):
            if name in other.order:
                self.limiter.state[:, place] = other.limiter.state[:, other.order.index(name)]
