"""What the KOS bridge sends, and when it damps, against a KOS server that moves."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from kos_rig import KBOT
from kos_rig import SECOND
from kos_rig import on

from helpers.optional import needs_kos
from kinfer_ros.bridges.command import Command

pytestmark = needs_kos


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


def test_wheels_are_refused_in_words(server):
    """KOS has no watchdog; even zeros are refused, before anything turns."""

    async def work(rig):
        await rig.enable()
        sent = len(server.commands)
        speeds = np.zeros(len(KBOT.joints))
        command = Command('aaaa', 'ramp', 0, KBOT.joint_names, KBOT.home + 0.2, velocity=speeds)
        rig.robot.command(command, time.monotonic_ns())
        assert rig.robot.state_text.startswith('damping found target velocities (wheels)')
        await rig.read(5)
        assert sent <= len(server.commands)
        for command in server.commands[sent:]:
            assert np.abs(np.radians(list(command.values())) - KBOT.home).max() < 0.1

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
        assert rig.robot.state_text == 'damping no command for 1 s'
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

        def follows() -> bool:
            server.actuators[34].position = 80.0  # a hand that does not let go: the joint pulls
            return server.commands[-1][34] > 60.0  # the old target was 50

        await rig.until(follows)
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

    on(server, work, ramp_time=1.0)


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
        rig.send(KBOT.home, age_ns=2 * SECOND)
        assert rig.robot.counts['late'] == 1
        rig.send(np.full(20, np.nan))
        assert rig.robot.counts['refused'] == 2

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


def test_a_command_does_not_wait_for_a_read(server):
    """A slow read must not hold up a target."""

    async def work(rig):
        await rig.enable()
        server.moods.delay = 1.0
        reading = asyncio.get_running_loop().create_task(rig.robot.client.read())
        await asyncio.sleep(0.02)
        sent = len(server.commands)
        rig.send(KBOT.home + 0.1)
        while len(server.commands) == sent:
            await asyncio.sleep(0.005)
            assert not reading.done()
        await reading

    on(server, work, timeout=5.0)


def test_stop_switches_off(server):
    """A bridge that ends leaves nothing that holds a target."""

    async def work(rig):
        await rig.enable()
        await rig.robot.stop()
        assert rig.robot.state_text == 'disabled the bridge has ended'
        assert not any(a.torque_on for a in server.actuators.values())

    on(server, work)


def test_gains_of_another_policy_come_with_its_first_command(server):
    """The last target is held until every actuator has them; then the newest command acts."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home + 0.05)
        await rig.until(lambda: bool(server.commands))
        softer = (KBOT.kp * 0.5, KBOT.kd, KBOT.torque_limit)
        assert rig.robot.set_gains(KBOT.joint_names, softer, 'aaaa', 1)
        await rig.read(3)
        assert server.actuators[34].kp == KBOT.kp[KBOT.joint_names.index('dof_left_knee_04')]
        rig.send(KBOT.home + 0.1, version=1)
        await rig.until(lambda: rig.robot.in_force_frame_id == 'aaaa 1')
        await rig.until(
            lambda: (
                abs(
                    server.commands[-1][34]
                    - np.degrees((KBOT.home + 0.1)[KBOT.joint_names.index('dof_left_knee_04')])
                )
                < 1e-6
            )
        )
        assert rig.robot.state == 'enabled'
        np.testing.assert_array_equal(rig.robot.in_force.kp, KBOT.kp * 0.5)

    on(server, work)


def test_gains_that_an_actuator_does_not_take_damp(server):
    """Its old gains and the new policy's targets do not belong together."""

    async def work(rig):
        await rig.enable()
        rig.send(KBOT.home)
        softer = (KBOT.kp * 0.5, KBOT.kd, KBOT.torque_limit)
        rig.robot.set_gains(KBOT.joint_names, softer, 'aaaa', 1)
        server.moods.refused.add(34)
        rig.send(KBOT.home + 0.1, version=1)
        await rig.until(lambda: rig.robot.state == 'damping')
        expected = 'damping gains of version 1 are not in force 0.1 s after their command'
        assert rig.robot.state_text == expected
        assert rig.robot.in_force_frame_id != 'aaaa 1'

    on(server, work)
