"""Replays a run from its bag alone, with the node's own sensor and control code.

A recorded command has the stamp of the joint sample it was computed from. The controller gets that
sample, those of the other sensors with the same stamp, and the commands and parameter changes
received before.

Requests of policies and motions come from ~/events, which has the stamp of the command of their
tick. Not in a bag: the control clock (in lockstep it equals the stamp; in real time the stamp
replaces it, and the ramp is not repeated), which IMU sample a real-time tick read (it may have
come before the one with the stamp of its joint sample), other service calls (modes come from the
commands), model swaps, and who published a message.
"""

import math
import re
from bisect import bisect_left
from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log
from rcl_interfaces.msg import ParameterEvent
from rclpy.parameter import parameter_value_to_python
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.analysis.differences import Comparison
from kinfer_ros.analysis.differences import Difference
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.bridges.command import parse_sender
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.motion import WORDS
from kinfer_ros.control.overrides.inbox import TOPIC as OVERRIDES
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.policy.transitions import ASKED
from kinfer_ros.control.sensors import MAX_SPREAD_NS
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import live_settings_from
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import RunError
from kinfer_ros.recording.mcap_scan import Scan
from kinfer_ros.ros.cdr import JointSample
from kinfer_ros.ros.cdr_check import read_message
from kinfer_ros.ros.messages import joint_sample
from kinfer_ros.ros.messages import read_imu
from kinfer_ros.ros.messages import read_joints
from kinfer_ros.ros.messages import read_odometry
from kinfer_ros.ros.messages import read_scan
from kinfer_ros.ros.messages import stamp_ns
from kinfer_ros.ros.messages import values
from kinfer_ros.run.setup import PolicySetup
from kinfer_ros.run.setup import load_setup

SENSORS = {'joint_states': JointState, 'imu/data': Imu, 'odom': Odometry, 'height_scan': Image}
"""Selected by stamp; all other topics by time of reception."""

COMMANDS = {'cmd_vel': Twist, 'policy_command': JointState}
_TYPES = {'geometry_msgs/msg/TwistStamped': TwistStamped}

_POLICY = re.compile(ASKED.format('(.+)'))
_MOTION = re.compile(f'motion ({"|".join(WORDS)})')
_RECORDED = Sender(None, 'the recorded node')
_LONG_AGO_NS = 3600 * 10**9
"""Longer than any ramp."""

Received = tuple[int, Any]
"""ns since the Unix epoch, and the message."""


@dataclass
class Bag:
    """
    The recorded input and output messages of a policy node.

    :ivar commands: its joint_commands, in order.
    :ivar samples: sensor messages by topic and stamp; several nodes may publish with one stamp.
    :ivar overrides: targets of the node that moves joints, in order.
    :ivar events: by stamp, those of policies and motions, in order.
    :ivar others: (received, topic, message) of commands and parameter events, in order.
    """

    commands: list[Received] = field(default_factory=list)
    samples: dict[str, dict[int, list[Any]]] = field(default_factory=dict)
    overrides: list[Received] = field(default_factory=list)
    events: dict[int, list[Received]] = field(default_factory=dict)
    others: list[tuple[int, str, Any]] = field(default_factory=list)


@dataclass
class BagOutcome:
    """
    Result of a replay from the bag.

    :ivar ticks: replayed commands; `without_sample`: those whose sample is not in the bag.
    :ivar target: targets in mode run; `other_target` in the other modes.
    :ivar modes: commands whose replayed mode differs.
    """

    target: Comparison
    other_target: Comparison
    ticks: int = 0
    without_sample: int = 0
    modes: int = 0


def read_bag(path: Path) -> Bag:
    """
    Read a bag, also one that was not closed.

    :raises RunError: it cannot be read, or holds no joint_commands.
    """
    bag = Bag(samples={name: {} for name in SENSORS})
    messages = []
    for file in sorted(path.glob('*.mcap')):
        try:
            messages += list(Scan().messages(file.read_bytes()))
        except OSError as error:
            raise RunError(f'{file}: cannot be read ({error.strerror})') from error
    messages.sort(key=lambda each: each.stamp_ns)
    topics = {each.channel.topic for each in messages}
    found = sorted(topic for topic in topics if topic.endswith('/joint_commands'))
    if len(found) != 1:
        raise RunError(
            f'{path}: found the topics {found}, expected one joint_commands: without recorded '
            'commands (dry_run, or no bag) there is nothing to compare with'
        )
    prefix = found[0].removesuffix('joint_commands')
    for each in messages:
        topic = each.channel.topic.removeprefix(prefix)
        try:
            _store(bag, topic, each.channel.msgtype, each.stamp_ns, each.data)
        except Exception as error:  # rclpy's decoder has no exception class of its own
            raise RunError(f'{path}: a message on {each.channel.topic}: {error}') from error
    return bag


def _store(bag: Bag, topic: str, msgtype: str, received: int, data: bytes) -> None:
    if topic == 'joint_commands':
        bag.commands.append((received, read_message(data, JointState)))
    elif topic in SENSORS:
        message = read_message(data, SENSORS[topic])
        bag.samples[topic].setdefault(stamp_ns(message.header), []).append(message)
    elif topic in COMMANDS:
        kind = _TYPES.get(msgtype, COMMANDS[topic])
        bag.others.append((received, topic, read_message(data, kind)))
    elif topic.endswith('/events') and msgtype == 'rcl_interfaces/msg/Log':
        event = read_message(data, Log)
        bag.events.setdefault(stamp_ns(event), []).append((received, event.msg))
    elif topic == OVERRIDES:
        bag.overrides.append((received, read_message(data, JointState)))
    elif topic.endswith('parameter_events'):
        bag.others.append((received, 'parameters', read_message(data, ParameterEvent)))


class BagReplay:
    """One pass over the commands of a bag."""

    def __init__(self, run: RecordedRun, loaded: PolicySetup, bag: Bag, tolerance: float) -> None:
        self.outcome = BagOutcome(Comparison(tolerance), Comparison(tolerance))
        self._controller: Controller = loaded.controller
        self._joints = loaded.robot.joint_names
        self._values: dict[str, Any] = dict(run.fact('parameters'))
        self._bag = bag
        self._stamps = {name: sorted(found) for name, found in bag.samples.items()}
        self._next_other = self._next_override = 0
        self._session = ''
        self._last = ('', 0)
        self._lockstep = bool(self._values.get('lockstep'))

    def run(self, progress: Callable[[int], None]) -> BagOutcome:
        """Replay every recorded command; :param progress: called with its number."""
        commands = self._bag.commands
        for number, (received, command) in enumerate(commands):
            progress(number)
            until = math.inf if number + 1 == len(commands) else commands[number + 1][0]
            self._replay(received, command, until)
        return self.outcome

    def _replay(self, received: int, command: JointState, until: float) -> None:
        """:param until: when the next command came."""
        session, mode, _ = parse_sender(command.header.frame_id)
        now = stamp_ns(command.header)
        if self._lockstep and (session, now) == self._last:
            return  # the command was repeated for the simulation
        self._last = (session, now)
        if now not in self._bag.samples['joint_states'] or not bisect_right(
            self._stamps['imu/data'], now
        ):
            self.outcome.without_sample += 1
            return
        self._take_requests(now, until)
        self._take_sensors(now)
        if session != self._session:
            self._session = session
            self._activate(now)
        self._take_others(received, now)
        self._follow_mode(mode, now)
        self._take_overrides(received, now)
        self._controller.tick(now, now)
        self._compare(now, mode, command)

    def _take_requests(self, now: int, until: float) -> None:
        """Ask for what this tick obeyed; conditions were checked before it read its sensors."""
        waiting = self._bag.events.get(now, [])
        # Without new samples the next tick has the same stamp.
        while waiting and (self._lockstep or waiting[0][0] < until):
            _, text = waiting.pop(0)
            if found := _POLICY.fullmatch(text):
                self._controller.policies.ask(found[1])
            elif found := _MOTION.fullmatch(text):
                self._controller.request_motion(found[1])

    def _take_sensors(self, now: int) -> None:
        """Read the samples of this stamp; for a topic without one, the newest before it."""
        frame = self._controller.inputs.frame
        read_joints(self._joint_samples(now), frame)
        others = {'imu/data': read_imu, 'odom': read_odometry, 'height_scan': read_scan}
        for topic, read in others.items():
            at = bisect_right(self._stamps[topic], now)
            if at and (topic != 'height_scan' or frame.needs_scan):
                read(self._bag.samples[topic][self._stamps[topic][at - 1]][-1], frame)

    def _joint_samples(self, now: int) -> Iterator[JointSample]:
        """Yield those of this stamp, and the parts that were put together with them."""
        stamps, joints = self._stamps['joint_states'], self._bag.samples['joint_states']
        begin, end = bisect_left(stamps, now), bisect_right(stamps, now + MAX_SPREAD_NS)
        frame = self._controller.inputs.frame
        for stamp in stamps[begin:end]:
            if stamp == now or frame.joint_stamp_ns < now:
                yield from map(joint_sample, joints[stamp])

    def _take_others(self, received: int, now: int) -> None:
        command = self._controller.inputs.command
        while (
            self._next_other < len(self._bag.others)
            and self._bag.others[self._next_other][0] <= received
        ):
            _, topic, message = self._bag.others[self._next_other]
            self._next_other += 1
            if topic == 'parameters':
                self._set_parameters(message)
            elif topic == 'policy_command':
                command.set_named(message.name, message.position, now)
            else:
                twist = message.twist if isinstance(message, TwistStamped) else message
                command.set_twist(twist.linear.x, twist.linear.y, twist.angular.z, now)

    def _take_overrides(self, received: int, now: int) -> None:
        """Take those that the tick had; in lockstep it waited for the one with its own stamp."""
        overrides, waiting = self._controller.inputs.overrides, self._bag.overrides
        while overrides is not None and self._next_override < len(waiting):
            came, message = waiting[self._next_override]
            stamp = stamp_ns(message.header)
            if (stamp > now) if self._lockstep else (came > received):
                return
            self._next_override += 1
            target = values(message.position)
            overrides.inbox.take(_RECORDED, message.name, target, stamp, now, now)

    def _set_parameters(self, event: ParameterEvent) -> None:
        changed = {
            each.name: parameter_value_to_python(each.value)
            for each in event.changed_parameters
            if each.name in NAMES
        }
        if changed and event.node.endswith('policy_node'):
            self._values |= changed
            self._controller.request_live_settings(live_settings_from(self._values))

    def _follow_mode(self, mode: str, now: int) -> None:
        """Request the mode of the command: service calls and transitions are not in the bag."""
        controller = self._controller
        if not self._lockstep:
            self._follow_ramp(mode, now)
        if mode == Mode.RUN and controller.mode is Mode.HOLD:
            controller.request_run()
        elif mode == controller.mode:
            return
        elif mode == Mode.DAMP:
            controller.request_stop('as recorded')
        elif mode == Mode.FAULT:
            controller.request_fault('as recorded')
        elif mode == Mode.FADE:
            controller.request_fade()

    def _follow_ramp(self, mode: str, now: int) -> None:
        """In real time, end the ramp at the recorded tick."""
        if mode == Mode.RAMP:
            self._activate(now)
        elif self._controller.mode is Mode.RAMP:
            self._activate(now - _LONG_AGO_NS)

    def _activate(self, now: int) -> None:
        self._controller.abandon()
        self._controller.activate(now)

    def _compare(self, now: int, mode: str, command: JointState) -> None:
        outcome, controller = self.outcome, self._controller
        outcome.ticks += 1
        if mode != Mode.RUN and not self._lockstep:
            return
        tensor = outcome.target if mode == Mode.RUN else outcome.other_target
        if mode != controller.mode:
            outcome.modes += 1
            note = f'mode: recorded {mode}, replayed {controller.mode}: {controller.reason}'
            tensor.add_difference(Difference(now, 'mode', 0, float('nan'), float('nan'), note))
            return
        recorded = np.array(command.position)
        if not recorded.size or controller.send is not Send.POSITION:
            return
        names = list(command.name)
        order = [names.index(name) for name in self._joints]
        recorded = recorded[order]
        wheels = controller.wheels
        if wheels is not None and len(command.velocity) == len(names):
            recorded = np.where(wheels, np.array(command.velocity)[order], recorded)
        tensor.compare(now, 'target', recorded, controller.target)


def load_for_bag(run: RecordedRun, bags: list[Path]) -> tuple[PolicySetup, Bag]:
    """
    Load the policy and robot of a run, with its parameters, and its newest bag.

    :raises KinferRosError: model or robot are missing or changed, or there is no bag.
    """
    parameters: Mapping[str, Any] = run.fact('parameters')
    if not bags:
        raise RunError(f'{run.path}: no bag in it')
    try:
        # The run ends with its commands, and nothing waits for a tick.
        loaded = load_setup({**parameters, 'duration': 0.0, 'lockstep': True})
    except KeyError as error:
        raise RunError(f'{run.path}/run.json: parameter {error} is missing') from error
    for name, policy in loaded.policies.items():
        own = run.of_policy(name) if name else run
        found, recorded = policy.contract.sha256, own.fact('model_sha256')
        if found != recorded:
            raise RunError(
                f'{policy.contract.path}: changed since this run (sha256 {found[:12]}, '
                f'recorded {recorded[:12]})'
            )
    if run.facts.get('swaps'):
        raise KinferRosError(f'{run.path}: the model was swapped in this run; replay its step log')
    return loaded, read_bag(bags[-1])
