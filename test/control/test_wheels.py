"""A policy with wheels from sensors to command: modes, limits, guards, start, record, replay."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.policies.cart import JOINTS
from helpers.policies.cart import WHEELS
from helpers.policies.cart import write_cart
from helpers.recorded import record_run
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.analysis.series import all_series
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.assembly import check_fit
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

PERIOD_NS = 20_000_000
ANGLE = 700.0
"""rad of every wheel: it has rolled 70 m."""


def rig(folder, settings=None, live=None, wheel=None, **spec) -> Rig:
    """A controller of the cart, its wheels at ANGLE."""
    cart = write_cart(folder, wheel=wheel, **spec)
    robot = load_robot(cart.robot)
    made = Rig(load_model(cart.model, spec=cart.spec), robot, settings, live)
    made.frame.position[1:] = ANGLE
    return made


def sent(made: Rig) -> tuple[list[float], list[float]]:
    """Positions and velocities of the newest command."""
    assert made.outcome is not None
    assert made.outcome.velocity is not None
    return made.outcome.position.tolist(), made.outcome.velocity.tolist()


def roll(made: Rig, x: float, ticks: int = 1) -> None:
    """Drive on with this command."""
    for _ in range(ticks):
        made.command(x)
        made.tick()


# Modes -----------------------------------------------------------------------------------


def test_ramp_and_hold_keep_a_wheel_at_rest(tmp_path):
    """0 rad/s, whatever its angle; the ramp is as long as the mast needs, 0.3 rad at 0.5 rad/s."""
    made = rig(tmp_path, SessionSettings(period_ns=PERIOD_NS))
    made.frame.position[0] = 0.3
    made.frame.velocity[1:] = 2.0
    assert made.controller.checks.refusal(made.now, made.now, max_ramp=0.5) == ''
    made.activate()
    ticks = 0
    while made.tick() is Mode.RAMP:
        ticks += 1
        assert sent(made)[1] == [0.0] * 5
        assert sent(made)[0][1:] == [ANGLE] * 4
    assert ticks == 29
    assert made.controller.mode is Mode.HOLD
    made.frame.position[1] = ANGLE + 3.0
    made.tick()
    assert sent(made) == ([0.0, ANGLE + 3.0, ANGLE, ANGLE, ANGLE], [0.0] * 5)


def test_run_sends_the_velocities_of_the_policy(tmp_path):
    """Forward at 0.5 m/s are 5 rad/s of wheels of 0.1 m; the mast goes by position."""
    made = rig(tmp_path)
    made.run()
    roll(made, 0.5)
    assert made.outcome.send is Send.POSITION
    position, velocity = sent(made)
    assert velocity == pytest.approx([0.0, 5.0, 5.0, 5.0, 5.0])
    assert position[1:] == [ANGLE] * 4
    assert made.outcome.target.tolist() == pytest.approx([position[0], 5.0, 5.0, 5.0, 5.0])


def test_stop_and_fault_are_damping(tmp_path):
    """No velocity is left in force."""
    made = rig(tmp_path)
    made.run()
    roll(made, 0.5)
    made.controller.request_stop('test')
    made.tick()
    assert made.outcome.send is Send.DAMPING
    made = rig(tmp_path)
    made.run()
    made.controller.request_fault('test')
    made.tick()
    assert made.outcome.send is Send.DAMPING


def test_the_fade_brings_a_wheel_down_softly(tmp_path):
    """In a straight line from the last target to 0 rad/s, where the damping goes on."""
    made = rig(tmp_path, SessionSettings(period_ns=PERIOD_NS, fade_ns=10 * PERIOD_NS))
    made.run()
    roll(made, 0.5)
    made.controller.request_fade()
    speeds = []
    for _ in range(10):
        made.tick()
        speeds.append(sent(made)[1][1])
    assert speeds == pytest.approx([5.0 - 0.5 * tick for tick in range(10)])
    made.tick()
    assert made.outcome.send is Send.DAMPING


def test_the_action_scale_scales_about_rest(tmp_path):
    """Half of the offset from the start pose is half of the speed."""
    made = rig(tmp_path, live=LiveSettings(action_scale=0.5))
    made.run()
    roll(made, 0.6)
    assert sent(made)[1][1:] == pytest.approx([3.0] * 4)


# Limits and guards -----------------------------------------------------------------------


def test_slew_and_velocity_limit(tmp_path):
    """200 rad/s^2 are 4 rad/s a tick; 8 rad/s is what the robot file allows."""
    made = rig(tmp_path, live=LiveSettings(wheel_slew=200.0), wheel={'velocity_limit': 8.0})
    made.run()
    speeds = []
    for _ in range(4):
        roll(made, 1.0)
        speeds.append(sent(made)[1][1])
    assert speeds == [4.0, 8.0, 8.0, 8.0]
    assert made.count('slew', Level.LIMIT) > 0
    assert made.count('limit', Level.LIMIT) > 0
    made.tune(wheel_slew=100.0)
    made.tick()
    roll(made, -1.0)
    assert sent(made)[1][1] in (4.0, 6.0)


def test_a_wheel_has_no_angle_to_be_off(tmp_path):
    """Position, tracking and distance from the start pose judge the mast alone."""
    made = rig(
        tmp_path, live=LiveSettings(tracking_error=0.5, tracking_time=0.1, frozen_timeout=0.0)
    )
    made.run()
    for k in range(50):
        made.frame.position[1:] = 1000.0 + k
        roll(made, 0.5)
    assert made.controller.mode is Mode.RUN
    made.frame.position[0] = 0.9
    roll(made, 0.5, ticks=10)
    assert made.controller.mode is Mode.FAULT
    assert made.controller.reason.startswith('mast does not follow')


def test_a_wheel_that_is_too_fast_is_a_fault(tmp_path):
    """1.5 times the velocity limit of the robot file, as of every joint."""
    made = rig(tmp_path, wheel={'velocity_limit': 8.0})
    made.run()
    for _ in range(4):
        made.frame.update_joints(
            list(JOINTS), np.array([0.0, *[ANGLE] * 4]), np.array([0, 12.5, 0, 0, 0]), made.now + 1
        )
        made.command(0.1)
        made.now += PERIOD_NS
        made.frame.imu_stamp_ns = made.now
        made.controller.tick(made.now, made.now)
    assert made.controller.mode is Mode.FAULT
    assert 'front_left moves at 12.5 rad/s' in made.controller.reason


def test_a_wheel_with_limits_keeps_them(tmp_path):
    """The robot file says that it has an end: beyond is a fault."""
    limits = {'continuous': None, 'lower': -3.0, 'upper': 3.0, 'home': 0.0}
    made = rig(tmp_path, wheel=limits)
    refusal = made.controller.checks.refusal(made.now, made.now, max_ramp=0.5)
    assert refusal.startswith('front_left is measured at 700.000 rad')
    made.frame.position[1:] = 0.0
    made.run()
    made.frame.position[2] = 3.5
    roll(made, 0.1)
    assert made.controller.mode is Mode.FAULT
    assert made.controller.reason.startswith('front_right is measured at 3.500 rad')


@pytest.mark.parametrize(
    ('scale', 'refused'), [(400.0, ''), (600.0, 'rad/s, at most 500 (10 max_action)')]
)
def test_an_implausible_speed_is_refused(tmp_path, scale, refused):
    """Ten times max_action: 50 rad/s, which 50 rad means for a joint, is no speed for a wheel."""
    action = [
        {'joints': ['mast'], 'relative_to': 'default_pose', 'scale': 0.1},
        {'joints': list(WHEELS), 'target': 'velocity', 'scale': scale},
    ]
    made = rig(tmp_path, wheel={'velocity_limit': 2000.0}, action=action)
    made.run()
    roll(made, 0.5)
    assert any(refused in event for event in made.controller.events) or not refused
    assert made.outcome.ran is not bool(refused)


# Load ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('wheel', 'said'),
    [
        ({'kp': 5.0, 'kp_max': 9.0}, 'kp of front_left: found 5, expected 0'),
        ({'kd': 0.0}, 'kd of front_left: found 0, expected more'),
    ],
)
def test_gains_of_the_robot_file_are_checked(tmp_path, wheel, said):
    """Where the spec has none, those of the robot file turn the wheel."""
    cart = write_cart(tmp_path, wheel=wheel)
    text = cart.spec.read_text()
    start, end = text.index('gains:'), text.index('commands:')
    cart.spec.write_text(text[:start] + text[end:])
    policy = load_model(cart.model, spec=cart.spec)
    with pytest.raises(ContractError, match=said):
        check_fit(policy.contract, load_robot(cart.robot))


def test_a_policy_without_wheels_sends_no_velocity(tmp_path):
    """Its position is the target itself, its state for a replay as it was."""
    made = Rig(leaky_policy(tmp_path), small_robot(tmp_path))
    made.run()
    made.tick()
    assert made.outcome.velocity is None
    assert made.outcome.position is made.outcome.target
    assert 'wheel_slew' not in made.controller.resume_state()['settings']


# The whole way ---------------------------------------------------------------------------


@pytest.mark.parametrize('actuator', ['motor', 'velocity', 'position'])
@pytest.mark.parametrize(
    ('command', 'way'),
    [
        ((0.5, 0.0, 0.0), (2.0, 0.0)),
        ((-0.4, 0.0, 0.0), (-1.6, 0.0)),
        ((0.0, 0.0, 0.5), (0.0, 2.0)),
    ],
)
def test_the_cart_goes_as_commanded(tmp_path, actuator, command, way):
    """4 s in MuJoCo: metres forward, and the angle that it turns; what the way is not, is 0."""
    cart = write_cart(tmp_path, actuator)
    robot = load_robot(cart.robot)
    policy = load_model(cart.model, spec=cart.spec)
    settings = SessionSettings(period_ns=PERIOD_NS, auto_run=True, default_command=command)
    simulation = Simulation(assemble(policy, robot, settings), MujocoRobot(robot))
    simulation.run(4.0)
    assert simulation.controller.mode is Mode.RUN, simulation.controller.reason
    robot_state = np.zeros(3), np.zeros(4), np.zeros(3), np.zeros(3)
    simulation.robot.base(*robot_state)
    if way[0]:
        assert robot_state[0][0] == pytest.approx(way[0], abs=0.1)
        assert abs(simulation.odometer.heading) < 0.02
    else:
        assert simulation.odometer.heading == pytest.approx(way[1], abs=0.3)


def changes(step, simulation):
    """New settings on the way, which a replay has to follow."""
    live = simulation.controller.live.copy()
    for at, change in (
        (30, {'wheel_slew': 20.0, 'action_scale': 0.6}),
        (60, {'wheel_slew': 500.0, 'target_lowpass': 4.0}),
    ):
        if step == at:
            simulation.controller.request_live_settings(replace(live, **change))
    if step % 25 == 0:
        assert simulation.controller.inputs.command.set_twist(
            0.8 if step % 50 else -0.8, 0.0, 0.4, simulation.now_ns
        )


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A recorded run of the cart, with its files."""
    folder = tmp_path_factory.mktemp('cart')
    cart = write_cart(folder, 'velocity')
    files = {'model': str(cart.model), 'spec': str(cart.spec), 'robot': str(cart.robot)}
    return cart, record_run(folder, 2.0, changes, carry_every=20, command_timeout=0.5, **files)


def test_a_run_with_wheels_replays_to_the_bit(recorded):
    """Output, target and carry, through changes of the limits."""
    cart, path = recorded
    run = RecordedRun.open(path)
    replay = Replay(run, load_model(cart.model, spec=cart.spec), lambda name: pytest.fail(name))
    records = list(run.records())
    for record in records:
        replay.feed(record)
    assert replay.outcome.identical
    assert replay.outcome.unchecked_targets == 0
    assert replay.outcome.tensors['target'].compared == replay.outcome.replayed == 100
    targets = np.array([record['target'] for record in records if record['mode'] == 'run'])
    assert np.ptp(targets[:, 1]) > 4.0
    resumes = [record['resume'] for record in records if record.get('resume')]
    assert {'wheel_slew'} < set(resumes[0]['settings'])


def test_a_replay_finds_another_speed(recorded):
    """A change of one target is a difference, in rad/s."""
    cart, path = recorded
    run = RecordedRun.open(path)
    replay = Replay(run, load_model(cart.model, spec=cart.spec), lambda name: pytest.fail(name))
    for record in run.records():
        if record['target'] is not None and record['mode'] == 'run':
            record['target'][2] += 0.5
        replay.feed(record)
    assert replay.outcome.tensors['target'].differing == replay.outcome.replayed
    assert replay.outcome.tensors['output'].differing == 0


def test_what_run_json_says(recorded):
    """The names; without wheels the key is not there."""
    assert json.loads((recorded[1] / 'run.json').read_text())['velocity_joints'] == list(WHEELS)


def test_plots_know_the_unit(recorded):
    """Target and output of a wheel are rad/s beside its velocity, and its error that of speed."""
    run = RecordedRun.open(recorded[1])
    columns = read_columns(run)
    found = {each.name: each for each in all_series(run, columns)}
    assert (found['target/front_left'].unit, found['target/mast'].unit) == ('rad/s', 'rad')
    assert found['target/front_left'].panel != found['joint_angles/mast'].panel
    error = tracking_error(columns)
    assert error is not None
    speed = columns.row('joint_vels')[1:, 1] - columns.row('target')[:-1, 1]
    np.testing.assert_array_equal(error[1:, 1], speed)
    angle = columns.row('measured_position', 'joint_angles')[1:, 0] - columns.row('target')[:-1, 0]
    np.testing.assert_array_equal(error[1:, 0], angle)
