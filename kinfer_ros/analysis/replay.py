"""Runs the policy on the recorded inputs of a run and compares its outputs, to the bit.

It uses the code of the tick: control/policy/runner.py and control/guards/targets.py.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from kinfer_ros.analysis.differences import Comparison
from kinfer_ros.analysis.differences import Difference
from kinfer_ros.analysis.differences import Outcome
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay_lane import Lane
from kinfer_ros.analysis.replay_set import Loads
from kinfer_ros.analysis.replay_set import begun_load
from kinfer_ros.analysis.replay_set import blends
from kinfer_ros.arrays import Float32
from kinfer_ros.control.gains.ramp import FACTOR_SPEED
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.policy.via_pose import TAKEN_OVER
from kinfer_ros.control.policy.via_pose import VIA
from kinfer_ros.control.settings import REPLAYED
from kinfer_ros.control.settings import REPLAYED_WITH_WHEELS
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.record import OVERRIDE

TENSORS = ('carry', 'output', 'target')
"""In their order within a step."""

TOLERANCE = 1e-4
"""rad for output and target: accepted difference between builds of ONNX Runtime."""

_HUGE = 2**62

_SWAP = 'swap: model '
_POLICY = 'policy '
_BEGINS = ' begins to take over'
_BACK = 'swap rolled back'


class Replay:
    """
    One pass over the records of a run, given to `feed` one after the other.

    :ivar outcome: the result so far.
    :ivar lane: of the policy that ran last; it has the replayed action and target.
    """

    def __init__(
        self,
        run: RecordedRun,
        policy: Policy,
        find_model: Callable[[str | int], Policy],
        *,
        other: bool = False,
        tolerance: float = TOLERANCE,
    ) -> None:
        """
        :param policy: the run's policy, or another one.
        :param find_model: loads the policy of a swap by the first 12 digits of its sha256, a
            policy of the set by its name, or one of a set that was loaded while the node was
            active by its number in `swaps` of run.json, from 1.
        :param other: `policy` is another one, so recorded carries, refusals and swaps are ignored.
        :raises RunError: an entry is missing in run.json.
        :raises ContractError: another policy needs an input that was not recorded.
        """
        self.outcome = Outcome({name: Comparison(tolerance) for name in TENSORS})
        self._run = run
        self._other = other
        self._find = find_model
        self._live = LiveSettings()
        self._blends = blends(run)
        first = str(run.facts.get('policy') or '')
        self.lane = Lane(run, first, self._live)
        self._before = self.lane
        self._lanes = {first: self.lane}
        self._gain_ramp = GainRamp(1.0, 1.0, 1.0)
        period = 1.0 / float(run.fact('control_rate_hz'))
        self._period = FACTOR_SPEED * round(period * 1e9) / 1e9
        self._blend_ns = round(float(run.fact('parameters', 'blend_time')) * 1e9)
        self._bound: dict[str, BoundPolicy] = {}
        self._loads = Loads(run, self._find, self._lane_of)
        self._runner = PolicyRunner(self._bind(first or _short(policy), policy), self._live)
        self._expected: int | None = None
        self._running = False
        self._on_a_way = False
        self._limited = False

    def _bind(self, name: str, policy: Policy) -> BoundPolicy:
        """:param name: in the set, or the first digits of its sha256."""
        if name not in self._bound:
            lane = self._lane_of(name) if self.lane.name else self.lane
            own = None if self._other or self.lane.name else self._run
            self._bound[name] = lane.bind(policy, own)
        return self._bound[name]

    def _lane_of(self, name: str) -> Lane:
        if name not in self._lanes:
            self._lanes[name] = Lane(self._run, name, self._live)
        return self._lanes[name]

    def feed(self, record: Mapping[str, Any]) -> bool:
        """
        Replay the next record.

        :return: whether the policy ran on it and `action` and `target` are new.
        :raises RunError: the first records cannot be used, or a swap's model is not found.
        """
        outcome = self.outcome
        outcome.records += 1
        try:
            return self._replay_record(record)
        except KinferRosError as error:
            if not outcome.replayed:
                raise
            # Continue after a bad record; but such a run is not identical.
            outcome.unusable += 1
            outcome.first_unusable = outcome.first_unusable or str(error)
            self._leave_run()
            return False

    def _replay_record(self, record: Mapping[str, Any]) -> bool:
        outcome = self.outcome
        self._take_lane(str(record.get('policy') or ''))
        step_id, mode, events, now_ns = self._read_head(record)
        self._loads.follow(events)
        if self._expected is not None and step_id != self._expected:
            if step_id > self._expected:
                outcome.missing.append((self._expected, step_id - 1))
            self._running = self._on_a_way = False
        self._expected = step_id + 1
        begins = self._arrives(step_id, events) or 'mode run' in events
        if mode != 'run' or self._on_a_way:
            self._on_a_way = self._on_a_way and mode == 'run'
            self._leave_run()
            return False
        outcome.run_records += 1
        if self._running:
            self._follow(step_id, record, events, now_ns)
        elif not self._enter(step_id, record, now_ns, begins=begins):
            outcome.skipped += 1
            return False
        return self._step(step_id, record, now_ns)

    def _read_head(self, record: Mapping[str, Any]) -> tuple[int, str, list[str], int]:
        """
        Read step_id, mode, events and now_ns.

        :raises RunError: one is missing, or an array has the wrong size.
        """
        where = f'{self._run.path}: record {self.outcome.records} of the step log'
        try:
            head = int(record['step_id']), str(record['mode'])
            events = [str(event) for event in record['events']]
            now_ns = int(record.get('now_ns') or 0)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(
                f"{where} is not one of kinfer_ros ({error!r}); kinfer's own logs have no carry "
                'and cannot be replayed'
            ) from error
        if not all(abs(number) < _HUGE for number in (head[0], now_ns)):
            raise RunError(f'{where}: step_id or now_ns is not a 64-bit number')
        for key in ('output', 'target'):
            row = record.get(key)
            if row is not None and row.size != len(self.lane.order):
                raise RunError(
                    f'{where}: {key}: found {row.size} numbers, expected {len(self.lane.order)}'
                )
        return *head, events, now_ns

    # Between steps -----------------------------------------------------------------------

    def _take_lane(self, name: str) -> None:
        """Continue with the policy of this record: another one begins from its own carry."""
        if name == self.lane.name:
            return
        self._before, self.lane = self.lane, self._lane_of(name)
        self.lane.continue_from(self._before)
        self._retune()

    def _arrives(self, step_id: int, events: list[str]) -> bool:
        """Whether a policy begins that was entered via a pose; no policy ran on the way."""
        for event in events:
            if not event.startswith(_POLICY):
                continue
            if event.endswith(VIA):
                self._on_a_way = True
            elif self._on_a_way and event.endswith(TAKEN_OVER):
                self._on_a_way = False
                self.outcome.changes.append((step_id, event))
                return True
        return False

    def _leave_run(self) -> None:
        if self._runner.swapping:
            self._runner.roll_back('the run ended')
        self._running = False

    def _enter(
        self, step_id: int, record: Mapping[str, Any], now_ns: int, *, begins: bool
    ) -> bool:
        """Begin at this record; False where it has no carry."""
        carry, resume = record.get('carry'), record.get('resume')
        runner = self._runner
        if carry is None:
            return False
        if resume is not None and not isinstance(resume, Mapping):
            raise RunError(f'step {step_id}: resume: found a {type(resume).__name__}')
        if not self._other and resume is not None:
            self._loads.resume(self.lane.name, resume)
            runner.replace(self._find_policy(self.lane.name or str(resume.get('model'))))
        if begins or not self._other:
            runner.start(now_ns)
        if not self._other:
            if begins:
                self._compare_carry(step_id, carry)
            self._set_carry(carry)
        if resume is not None:
            self._restore(resume)
        self._limited = resume is not None
        self._running = True
        return True

    def _find_policy(self, name: str) -> BoundPolicy:
        """Return the policy of the set, or with these first 12 digits, bound to this run."""
        if load := self._loads.in_place(name):
            return self._loads.bound(load)
        return self._bound[name] if name in self._bound else self._bind(name, self._find(name))

    def _restore(self, resume: Mapping[str, Any]) -> None:
        """Restore the settings and the limiter's state from before this step."""
        try:
            for name in REPLAYED_WITH_WHEELS if self._run.velocity_joints else REPLAYED:
                setattr(self._live, name, float(resume['settings'][name]))
            self._gain_ramp = GainRamp(**{k: float(v) for k, v in resume['factors'].items()})
            before = np.array([resume['smooth'], resume['last']], dtype=np.float64)
            self.lane.limiter.resume(before)
            self._runner.began_ns = int(resume['began_ns'])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f'{self._run.path}: a resume that cannot be read ({error})') from error
        self._retune()

    def _set_carry(self, carry: Float32) -> None:
        policy = self._runner.bound.policy
        assert isinstance(policy, Policy)
        if carry.size != policy.carry.size:
            raise RunError(
                f'{self._run.path}: carry: found {carry.size} numbers, expected '
                f'{policy.carry.size}'
            )
        policy.set_carry(carry.reshape(policy.carry.shape))

    def _compare_carry(self, step_id: int, carry: Float32) -> None:
        replayed = self._runner.bound.policy.carry.ravel()
        if carry.size == replayed.size:  # else setting it is an error
            self.outcome.tensors['carry'].compare(step_id, 'carry', carry, replayed)

    def _follow(
        self, step_id: int, record: Mapping[str, Any], events: list[str], now_ns: int
    ) -> None:
        """Repeat what the tick did before its step: swaps, then settings."""
        changes = [event for event in events if event.startswith('set ')]
        for event in events:
            if event.startswith(_SWAP) and event.endswith(_BEGINS) and not self._other:
                self.outcome.changes.append((step_id, event))
                name = event.removeprefix(_SWAP).removesuffix(_BEGINS)
                self._runner.swap(self._find_policy(name), now_ns, self._blend_ns)
            elif load := begun_load(event):
                self.outcome.changes.append((step_id, event))
                self._runner.swap(self._loads.bound(load), now_ns, self._blend_ns)
            elif event.startswith(_POLICY) and event.endswith(_BEGINS):
                self.outcome.changes.append((step_id, event))
                name = event.removeprefix(_POLICY).removesuffix(_BEGINS)
                self._runner.swap(self._find_policy(name), now_ns, self._blend_of(name))
            elif event.startswith(_BACK) and self._runner.swapping:
                self.outcome.changes.append((step_id, event))
                self._runner.roll_back('as recorded')
        for event in changes:
            self._set(step_id, event)
        if self._gain_ramp.approach(self._live, self._period) or changes:
            self._retune()
        carry = record.get('carry')
        if carry is not None and not self._other:
            self._compare_carry(step_id, carry)
            self._set_carry(carry)

    def _set(self, step_id: int, event: str) -> None:
        self.outcome.changes.append((step_id, event))
        name, _, rest = event.removeprefix('set ').partition(' ')
        if name not in REPLAYED_WITH_WHEELS:
            return
        try:
            setattr(self._live, name, float(orjson.loads(rest.rpartition('-> ')[2])))
        except (ValueError, TypeError) as error:
            raise RunError(f'step {step_id}: the event {event!r} cannot be read') from error

    def _retune(self) -> None:
        self.lane.limiter.retune(self._gain_ramp.kp_factor, self._gain_ramp.kd_factor)

    def _blend_of(self, name: str) -> int:
        """Return the time of the blend of a transition to this policy, ns."""
        return self._blends.get((self._runner.bound.name, name), 0)

    # One step ----------------------------------------------------------------------------

    def _step(self, step_id: int, record: Mapping[str, Any], now_ns: int) -> bool:
        """Run the policy on one record in mode run, and compare."""
        runner, outcome = self._runner, self.outcome
        self.lane.inputs.take(record, runner.bound.policy)
        known = True
        if runner.swapping and self._before is not self.lane:
            known = self._before.inputs.share(self.lane.inputs)
        runner.observe(now_ns, running=True)
        if not runner.bound.policy.inputs_finite():
            return False
        refused = runner.step(now_ns)
        outcome.replayed += 1
        output = record.get('output')
        if refused or output is None:
            self._compare_refusal(step_id, refused, output)
            return False
        # Of two policies with other inputs the record has those of the one that takes over.
        self._compare(step_id, record, output, target_known=known or not runner.swapping)
        return True

    def _compare_refusal(self, step_id: int, refused: str, output: Float32 | None) -> None:
        if self._other or (refused and output is None):
            return
        note = f'replayed: {refused or "accepted"}; recorded: '
        note += 'refused' if output is None else 'accepted'
        self.outcome.tensors['output'].add_difference(
            Difference(step_id, 'output', 0, float('nan'), float('nan'), note)
        )

    def _compare(
        self, step_id: int, record: Mapping[str, Any], output: Float32, *, target_known: bool
    ) -> None:
        runner, outcome, lane = self._runner, self.outcome, self.lane
        lane.action[runner.bound.joints] = runner.action
        outcome.tensors['output'].compare(step_id, 'output', output, lane.action)
        target, measured = record.get('target'), lane.inputs.measured(record)
        if target is None or measured is None or not self._limited or not target_known:
            outcome.unchecked_targets += 1
            return
        lane.send(runner, self._gain_ramp, measured, record.get(OVERRIDE))
        outcome.tensors['target'].compare(step_id, 'target', target, lane.target)


def _short(policy: Policy) -> str:
    return policy.contract.sha256[:12]
