"""What configure and activate wait for, and what they refuse; a fake link, no ROS."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.fake_link import FakeClock
from helpers.fake_link import FakeLink
from helpers.fake_link import FakeOperator
from helpers.robots import START_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.contract.activation import Readiness
from kinfer_ros.control.gains.handshake import GainsEcho
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.run.setup import PolicySetup


class FakeGraph:
    """A ROS graph with as many publishers as the test says."""

    publishers = 1
    joint_publishers = 1

    def count_publishers(self, topic_name: str) -> int:
        return self.joint_publishers if topic_name == 'joint_states' else self.publishers

    def resolve_topic_name(self, topic: str) -> str:
        return f'/{topic}'


@pytest.fixture
def made(tmp_path):
    robot, policy = small_robot(tmp_path), level_policy(tmp_path, 0.1)
    rig = Rig(policy, robot)
    rig.controller.inputs.forget()
    asked = gains(policy.contract, robot)
    clock, operator, graph = FakeClock(START_NS), FakeOperator(), FakeGraph()
    link = FakeLink(clock)
    link.gains.set_target(robot.joint_names, rig.controller.gains)
    link.gains.in_force = GainsEcho(
        list(robot.joint_names), list(asked.kp), list(asked.kd), list(asked.torque_limit)
    )
    parameters = {
        'sensor_timeout': 0.05, 'wait_for_recorder': False, 'dry_run': False, 'lockstep': False,
        'max_ramp': 2.0,
    }  # fmt: skip
    logged: list[str] = []
    readiness = Readiness(graph, link, clock, operator, parameters.get, logged.append)
    setup = PolicySetup(policy, robot, rig.controller, asked, 50.0, [])
    return SimpleNamespace(**locals())


def test_a_robot_that_is_there_is_ready(made):
    """The opposite of every test below."""
    assert made.readiness.sensors_problem(made.setup) == ''
    assert made.readiness.activation_problem(made.setup) == ''
    made.readiness.refuse(made.setup)


def test_silent_sensors_are_named_with_their_publishers(made):
    """The first thing that a user gets wrong."""
    made.link.alive = False
    problem = made.readiness.sensors_problem(made.setup)
    assert '/joint_states (1 publishers)' in problem
    assert '/imu/data' in problem


def test_an_orientation_that_is_all_zeros_is_waited_for(made):
    """As many drivers send it until their filter has started."""
    frame = made.setup.controller.inputs.frame
    made.link.read_sensors(frame)
    made.link.alive = False
    stamp = frame.imu_stamp_ns
    frame.update_imu((0.0,) * 4, (0.0,) * 3, (0.0, 0.0, 9.81), stamp)
    assert 'all zeros' in made.readiness.sensors_problem(made.setup)
    frame.update_imu((1.0, 0.0, 0.0, 0.0), (0.0,) * 3, (0.0, 0.0, 9.81), stamp)
    assert made.readiness.sensors_problem(made.setup) == ''


def test_other_joints_are_refused_at_once(made):
    """Nothing that comes later can make it right."""
    made.setup.controller.inputs.frame.joint_problem = 'joint_states lacks knee'
    with pytest.raises(ContractError, match='lacks knee'):
        made.readiness.sensors_problem(made.setup)


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (lambda m: setattr(m.link, 'bridge_state', ''), 'the bridge is silent'),
        (lambda m: setattr(m.link, 'bridge_state', 'damping: x'), 'the bridge is damping: x'),
        (lambda m: setattr(m.graph, 'publishers', 2), '1 other publishers'),
        (lambda m: setattr(m.link.gains, 'in_force', None), 'joint_gains_in_force is silent'),
        (lambda m: m.link.gains.in_force.kp.__setitem__(0, 1.0), 'not those asked for'),
        (lambda m: setattr(m.link, 'alive', False), 'joint_states'),
    ],
)
def test_activation_waits_for(made, change, expected):
    """A robot that is not listening, or that another node moves, must not be activated."""
    change(made)
    assert expected in made.readiness.activation_problem(made.setup)


def test_a_joint_that_no_driver_sends_is_refused_once_the_others_have_had_time(made, monkeypatch):
    """Drivers of single limbs come one after the other; a misspelt joint never does."""
    made.link.alive = False
    frame, names = made.setup.controller.inputs.frame, made.robot.joint_names
    part = np.zeros(len(names) - 1)
    frame.update_joints(names[1:], part, part, START_NS)
    assert made.readiness.sensors_problem(made.setup)
    monkeypatch.setattr('kinfer_ros.contract.activation.PARTS_TIMEOUT', 0.0)
    with pytest.raises(ContractError, match=rf"lacks \['{names[0]}'\]: found joints"):
        made.readiness.sensors_problem(made.setup)


def test_two_publishers_of_the_same_joints_are_refused(made, monkeypatch):
    """The policy would see the joints of two robots in turns."""
    made.graph.joint_publishers = 2
    assert 'listening to what they send' in made.readiness.activation_problem(made.setup)
    monkeypatch.setattr('kinfer_ros.contract.activation.LISTEN_TIME', 0.0)
    assert made.readiness.activation_problem(made.setup) == ''
    made.setup.controller.inputs.frame.joint_conflict = 'two publishers of the same joints'
    assert 'two publishers' in made.readiness.activation_problem(made.setup)
    made.graph.joint_publishers = 1
    assert made.readiness.activation_problem(made.setup) == ''


def test_a_dry_run_needs_no_bridge(made):
    """It sends nothing."""
    made.link.bridge_state, made.parameters['dry_run'] = '', True
    assert made.readiness.activation_problem(made.setup) == ''


def test_a_recorder_is_waited_for_where_one_was_asked_for(made, monkeypatch):
    """In lockstep a bag that lacks the first samples cannot be replayed."""
    made.parameters['wait_for_recorder'] = True
    made.link.recorded = False
    assert 'no recorder' in made.readiness.activation_problem(made.setup)
    made.link.recorded, made.parameters['lockstep'] = True, True
    assert 'only just' in made.readiness.activation_problem(made.setup)
    monkeypatch.setattr('kinfer_ros.contract.activation.RECORDER_SETTLE_TIME', 0.0)
    assert made.readiness.activation_problem(made.setup) == ''


def test_an_operator_who_holds_a_button_is_not_waited_for(made):
    """It would start to move the moment somebody lets go."""
    made.operator.refused = 'the dead-man button is not pressed'
    made.readiness.sensors_problem(made.setup)
    with pytest.raises(Refused, match='dead-man'):
        made.readiness.refuse(made.setup)


def test_a_robot_far_from_its_start_pose_is_refused(made):
    """A ramp over a long way is a surprise for whoever stands beside."""
    made.parameters['max_ramp'] = 0.01
    made.readiness.sensors_problem(made.setup)
    made.setup.controller.inputs.frame.position[:] = 0.5
    with pytest.raises(Refused, match='max_ramp'):
        made.readiness.refuse(made.setup)


def test_a_wait_is_bounded_and_says_what_it_waits_for(made):
    """A node that waits without a word looks like one that hangs."""
    with pytest.raises(NotReady, match='no bridge'):
        made.readiness.wait(lambda: 'no bridge', block=True)
    assert made.logged == ['waiting for at most 0.05 s: no bridge']


@pytest.mark.parametrize('end', ['interrupted', 'stopped'])
def test_a_signal_and_a_stop_end_a_wait(made, end):
    """Ctrl-C and the stop button must not wait for a sensor."""
    made.parameters['sensor_timeout'] = 60.0
    made.readiness.interrupted = end == 'interrupted'
    made.operator.reason = 'stop requested' if end == 'stopped' else ''
    with pytest.raises(NotReady):
        made.readiness.wait(lambda: 'no bridge', block=True)


def test_a_robot_may_get_up_where_it_could_be_activated(made):
    """The opposite of the next test."""
    assert made.readiness.recovery_problem(made.setup) == ''


@pytest.mark.parametrize(
    ('spoil', 'expected'),
    [
        (lambda made: setattr(made.operator, 'refused', 'let go'), 'let go'),
        (lambda made: setattr(made.graph, 'publishers', 2), 'joint_commands'),
        (lambda made: setattr(made.link, 'bridge_state', 'damping x'), 'the bridge is damping x'),
        (
            lambda made: setattr(
                made.setup.controller.inputs.frame, 'joint_conflict', 'two publishers'
            ),
            'two publishers',
        ),
        (
            lambda made: (
                made.parameters.update(wait_for_recorder=True),
                setattr(made.link, 'recorded', False),
            ),
            'no recorder follows this node any more',
        ),
    ],
)
def test_what_keeps_a_robot_from_an_activation_keeps_it_from_getting_up(made, spoil, expected):
    """Nothing is waited for: somebody may stand beside it by then."""
    spoil(made)
    assert expected in made.readiness.recovery_problem(made.setup)


def test_other_gains_keep_a_robot_from_getting_up_once_they_had_time_to_come(made):
    """Those of the get-up were asked for 3 s ago."""
    link, clock = made.link, [100.0]
    link.gains._clock = lambda: clock[0]
    link.gains.begin_session()
    link.gains.in_force = GainsEcho(
        list(made.robot.joint_names), [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]
    )
    assert made.readiness.recovery_problem(made.setup) == ''
    clock[0] += 3.0
    assert 'the gains in force are not those' in made.readiness.recovery_problem(made.setup)
