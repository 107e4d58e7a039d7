"""What the KOS bridge decides, against a KOS server that moves and misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import time

import numpy as np
import pytest

from helpers.optional import HAS_KOS
from helpers.optional import needs_kos
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.loop import ReadSchedule
from kinfer_ros.bridges.kos.options import BACKENDS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import Timeouts
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.sample import ImuSample
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.session import Command
from kinfer_ros.robot.robot import load_robot

if HAS_KOS:
    from helpers.kos_server import KosServer

pytestmark = needs_kos

KBOT = load_robot('kbot')
IDS = JointUnits(KBOT).ids
SECOND = 1_000_000_000
TIMEOUT = Timeouts(command_timeout_ns=SECOND // 5, lost_timeout_ns=SECOND // 5, ramp_time=0.1)


class Rig:
    """A robot on a server, read by the test itself."""

    def __init__(self, server: KosServer, backend: str = 'kos-kbot', gyro: float = 1.0) -> None:
        self.server = server
        self.said: list[str] = []
        client = KosClient(Connection('127.0.0.1', server.port, 0.25, 0.5), IDS)
        self.robot = KosRobot(
            KBOT, client, BACKENDS[backend], gyro, TIMEOUT, self.said.append, lambda: None
        )
        self.sample = None
        self.imu: ImuSample | str = ''

    async def read(self, times: int = 1) -> None:
        """Read as the bridge's loop does."""
        for _ in range(times):
            reading = await self.robot.client.read()
            self.sample, self.imu = self.robot.took(reading, time.monotonic_ns())
            await asyncio.sleep(0.005)

    async def until(self, condition, patience: float = 5.0) -> None:
        """Read on until a condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, (self.robot.state_text, self.said)
            await self.read()

    def send(self, position, mode: str = 'run', session: str = 'aaaa', age_ns: int = 0) -> None:
        """Command as a policy node does; None asks for damping."""
        names = KBOT.joint_names
        command = Command(session, mode, 0, names, position)
        self.robot.command(command, time.monotonic_ns(), age_ns)

    async def enable(self) -> None:
        """Switch the torque on once there is a sample."""
        await self.until(lambda: self.robot.watch.connected and not self.robot.watch.problem)
        done, text = await self.robot.enable(True)
        assert done, text


def on(server: KosServer, work, **options) -> None:
    """Run a test's coroutine with a rig, and close its connection."""

    async def run() -> None:
        rig = Rig(server, **options)
        try:
            await work(rig)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await rig.robot.client.close()

    asyncio.run(run())


@pytest.fixture
def server():
    with KosServer(IDS) as made:
        for i, actuator in enumerate(made.actuators.values()):
            actuator.position = np.degrees(KBOT.home[i])
        yield made


def test_enabling_holds_still(server):
    """Gains and limits are in force before the torque, and the present pose before both."""

    async def work(rig):
        await rig.enable()
        assert rig.robot.state_text == 'enabled'
        for i, actuator in enumerate(server.actuators.values()):
            first, last = actuator.configured[0], actuator.configured[-1]
            assert 'torque_enabled' not in first
            assert first['kp'] == KBOT.kp[i]
            assert first['max_torque'] == pytest.approx(KBOT.torque_limit[i])
            assert last['torque_enabled'] is True
            assert last['kp'] == KBOT.kp[i], 'kos-kbot sets what is left out to 0'
            assert actuator.torque_on
        torque_at = len(server.calls) - 1 - server.calls[::-1].index('configure')
        assert 'command' in server.calls[:torque_at], 'the target comes before the torque'
        np.testing.assert_allclose(list(server.commands[0].values()), np.degrees(KBOT.home))

    on(server, work)


def test_nothing_is_touched_before_enable(server):
    """The robot may be in the hands of somebody else."""

    async def work(rig):
        await rig.until(lambda: rig.robot.watch.connected)
        assert rig.robot.state_text == 'disabled not enabled yet (call ~/enable)'
        rig.robot.set_gains(KBOT.joint_names, (KBOT.kp, KBOT.kd, KBOT.torque_limit))
        rig.send(KBOT.home + 0.1)
        await rig.read(10)
        assert not {'command', 'configure'} & set(server.calls)
        assert rig.robot.in_force is None

    on(server, work)


def test_targets_arrive_in_degrees_and_within_limits(server):
    """A target beyond the limits of the robot YAML is brought back, and counted."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home + 0.1)
        await rig.read(3)
        sent = np.array(list(server.commands[-1].values()))
        np.testing.assert_allclose(sent, np.degrees(KBOT.home + 0.1), atol=1e-6)
        rig.send(np.full(20, 9.0))
        await rig.read(3)
        np.testing.assert_allclose(list(server.commands[-1].values()), np.degrees(KBOT.upper))
        assert rig.robot.counts['clamped'] == 1
        assert all(None not in command.values() for command in server.commands)

    on(server, work)


def test_silence_damps_and_a_command_takes_up_again(server):
    """KOS has no watchdog: the bridge has to let go of the last target by itself."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home + 0.05)
        await rig.until(lambda: rig.robot.state == 'damping')
        assert rig.robot.state_text == 'damping no command for 0.2 s'
        await rig.until(lambda: all(a.kp == 0.0 for a in server.actuators.values()))
        assert all(a.kd > 0.0 for a in server.actuators.values())
        assert rig.robot.holder == ''
        rig.send(KBOT.home, session='bbbb')
        await rig.until(lambda: all(a.kp > 0.0 for a in server.actuators.values()))
        assert rig.robot.state == 'enabled'

    on(server, work)


def test_damping_on_request_follows_the_measured_pose(server):
    """A joint that is moved by hand while damped must not leap back when the gains return."""

    async def work(rig):
        await rig.enable()
        rig.send(None, 'damp')
        await rig.until(lambda: server.actuators[34].kp == 0.0)
        server.actuators[34].position = 80.0
        await rig.until(lambda: abs(server.commands[-1][34] - 80.0) < 1e-6)

    on(server, work)


def test_zbot_damps_by_following(server):
    """kos-zbot is slow to take gains: they stay, and the target goes with the joint."""

    async def work(rig):
        server.moods.online_is_torque = True
        await rig.enable()
        configured = server.calls.count('configure')
        rig.send(None, 'damp')
        server.actuators[34].position = 80.0
        await rig.until(lambda: server.commands[-1][34] > 60.0)  # the old target was 50
        assert server.calls.count('configure') == configured

    on(server, work, backend='kos-zbot')


def test_disable_ramps_down_first(server):
    """The stiffness goes in steps, the torque last."""

    async def work(rig):
        await rig.enable()
        before = len(server.actuators[34].configured)
        done, text = await rig.robot.enable(False)
        assert done
        assert text == 'disabled by request'
        steps = server.actuators[34].configured[before:]
        kp = [step['kp'] for step in steps]
        assert kp == sorted(kp, reverse=True)
        assert len(set(kp)) >= 3
        assert steps[-1]['torque_enabled'] is False
        assert not any(a.torque_on for a in server.actuators.values())
        sent = len(server.commands)
        rig.send(KBOT.home)
        await rig.read(5)
        assert len(server.commands) == sent

    on(server, work)


def test_gains_are_limited_and_read_back(server):
    """No policy gets past the hard limits; what the robot has instead is what is echoed."""

    async def work(rig):
        await rig.enable()
        rig.robot.set_gains(('dof_left_knee_04',), (np.array([1e6]), np.empty(0), np.empty(0)))
        await rig.until(lambda: server.actuators[34].kp == 300.0)
        assert rig.robot.in_force.kp[KBOT.joint_names.index('dof_left_knee_04')] == 300.0
        server.actuators[34].kp = 120.0
        knee = KBOT.joint_names.index('dof_left_knee_04')
        await rig.until(lambda: rig.robot.in_force.kp[knee] == 120.0)
        assert any('other gains' in text for text in rig.said)

    on(server, work)


def test_bad_gains_are_refused_whole(server):
    """Negative, not finite, of a joint that is not there."""

    async def work(rig):
        none = np.empty(0)
        for names, kp in (
            (('dof_left_knee_04',), [-1.0]),
            (('dof_left_knee_04',), [np.nan]),
            (('knee',), [1.0]),
        ):
            assert not rig.robot.set_gains(names, (np.array(kp), none, none))
        assert rig.robot.counts['refused'] == 3

    on(server, work)


def test_one_session_at_a_time(server):
    """Two policies on one robot would tear at its joints in turn."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home)
        rig.send(KBOT.home + 0.2, session='bbbb')
        assert rig.robot.counts['rejected'] == 1
        rig.send(KBOT.home, age_ns=SECOND)
        assert rig.robot.counts['late'] == 1
        rig.send(np.full(20, np.nan))
        assert rig.robot.counts['refused'] == 2

    on(server, work)


def test_an_unplugged_joint_damps_by_name(server):
    """kos-kbot leaves a silent actuator out; a policy must not see the last known angle."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home)
        server.moods.dropped = {34}
        await rig.read()
        assert rig.sample is None
        await rig.until(lambda: rig.robot.state == 'damping')
        assert 'dof_left_knee_04 (id 34)' in rig.robot.state_text
        rig.send(KBOT.home)
        assert rig.robot.state == 'damping', 'no targets while a joint is missing'
        server.moods.dropped = set()
        await rig.until(lambda: rig.sample is not None)

    on(server, work)


@pytest.mark.parametrize(
    ('mood', 'said'),
    [
        ({'empty': True}, 'no actuator answers'),
        ({'offline': {34}}, r'no feedback from dof_left_knee_04 (id 34)'),
        ({'nan': True}, 'no finite position and velocity'),
        ({'fail': 'Joint ID 36 not found'}, 'failed (INTERNAL): Joint ID 36 not found'),
        ({'hang': True}, 'no answer from 127.0.0.1'),
    ],
)
def test_a_reading_that_is_not_whole_is_withheld(server, mood, said):
    """Position 0 of a silent joint would be taken for a measurement."""

    async def work(rig):
        vars(server.moods).update(mood)
        await rig.read()
        assert rig.sample is None
        assert said in rig.robot.watch.problem
        done, text = await rig.robot.enable(True)
        assert not done
        assert said in text
        server.moods.hang = False

    on(server, work)


def test_the_imu(server):
    """Degrees are converted, an orientation of zeros is withheld, an error is told."""

    async def work(rig):
        server.moods.degrees = True
        await rig.read()
        assert rig.imu.gyro[2] == pytest.approx(0.1, abs=1e-6)
        assert rig.imu.quaternion == (0.0, 0.0, 0.0, 1.0)
        server.moods.zero_quaternion = True
        await rig.read()
        assert 'all zero' in rig.imu
        server.moods.imu_error = 'no sensor'
        await rig.read()
        assert rig.imu == 'the IMU reports: timed out on the bus: no sensor'
        assert rig.sample is not None

    on(server, work, gyro=np.pi / 180)


def test_faults_are_told_and_keep_the_torque_off(server):
    """An actuator that reports a fault is named; nothing is enabled over its head."""

    async def work(rig):
        server.actuators[34].faults = ['overtemperature']
        await rig.until(lambda: rig.robot.watch.connected)
        assert any('dof_left_knee_04 (id 34) reports overtemperature' in t for t in rig.said)
        done, text = await rig.robot.enable(True)
        assert not done
        assert 'overtemperature' in text

    on(server, work)


@pytest.mark.parametrize('mood', [{'refused': {34}}, {'stuck_off': {34}}])
def test_what_fails_half_way_is_switched_off_again(server, mood):
    """One joint without torque would be dragged along by the others."""

    async def work(rig):
        await rig.until(lambda: rig.robot.watch.connected)
        vars(server.moods).update(mood)
        done, text = await rig.robot.enable(True)
        assert not done
        assert 'dof_left_knee_04 (id 34)' in text
        assert not any(a.torque_on for a in server.actuators.values())
        assert rig.robot.state == 'disabled'

    on(server, work)


def test_a_lost_robot_is_switched_off_when_it_is_back(server):
    """A hung server holds the last target; once it answers, it is let down and stays off."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home)
        await rig.read(2)
        server.moods.hang = True
        await rig.until(lambda: rig.robot.state == 'disabled')
        assert 'it holds its last target' in rig.robot.state_text
        assert rig.robot.holder == ''
        server.moods.hang = False
        await rig.until(lambda: not any(a.torque_on for a in server.actuators.values()))
        await rig.until(lambda: rig.robot.state == 'disabled')
        rig.send(KBOT.home)
        await rig.read(20)
        assert not any(a.torque_on for a in server.actuators.values())
        await rig.enable()

    on(server, work)


def test_a_server_that_restarts_is_found_again(server):
    """Back-off and the channel's own reconnection: no new bridge is needed."""

    async def work(rig):
        await rig.enable()
        server.stop()
        await rig.until(lambda: rig.robot.state == 'disabled')
        assert 'nothing listens at' in rig.robot.state_text
        server.start()
        await rig.until(lambda: rig.robot.watch.connected, 10.0)
        await rig.until(lambda: not any(a.torque_on for a in server.actuators.values()))

    on(server, work)


def test_a_command_does_not_wait_for_a_read(server):
    """A slow read must not hold up a target."""

    async def work(rig):
        await rig.enable()
        server.moods.delay = 0.2
        reading = asyncio.get_running_loop().create_task(rig.robot.client.read())
        await asyncio.sleep(0.02)
        sent = len(server.commands)
        rig.send(KBOT.home + 0.1)
        await asyncio.sleep(0.08)
        assert len(server.commands) > sent
        assert not reading.done()
        await reading

    on(server, work)


def test_a_far_pose_is_not_held(server):
    """Holding a joint that is measured far outside its limits would move it."""

    async def work(rig):
        server.actuators[34].position = -90.0
        await rig.until(lambda: rig.robot.watch.connected)
        done, text = await rig.robot.enable(True)
        assert not done
        assert 'dof_left_knee_04 at -1.57 rad' in text

    on(server, work)


def test_stop_switches_off(server):
    """A bridge that ends leaves nothing that holds a target."""

    async def work(rig):
        await rig.enable()
        await rig.robot.stop()
        assert rig.robot.state_text == 'disabled the bridge has ended'
        assert not any(a.torque_on for a in server.actuators.values())

    on(server, work)


def test_schedule_skips_and_steers():
    """Late reads are skipped and counted; the phase goes where commands want it."""
    schedule = ReadSchedule(5_000_000, lead_ns=1_000_000)
    assert schedule.after(0) == 5_000_000
    assert schedule.after(21_000_000) == 25_000_000
    assert schedule.skipped == 3
    due = 25_000_000
    for k in range(200):
        schedule.heard(20_000_000 * k + 13_000_000)  # wants reads at 12 ms, modulo 5: 2 ms
        due = schedule.after(due)
    assert abs(due % 5_000_000 - 2_000_000) < 50_000
