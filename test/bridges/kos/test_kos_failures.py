"""What the KOS bridge does when joints, readings or the server fail."""

from __future__ import annotations

import pytest
from kos_rig import KBOT
from kos_rig import on


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

    on(server, work, lost_timeout=0.2)


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

    on(server, work, lost_timeout=0.2)


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

    on(server, work, lost_timeout=0.2)


def test_a_far_pose_is_not_held(server):
    """Holding a joint that is measured far outside its limits would move it."""

    async def work(rig):
        server.actuators[34].position = -90.0
        await rig.until(lambda: rig.robot.watch.connected)
        done, text = await rig.robot.enable(True)
        assert not done
        assert 'dof_left_knee_04 at -1.57 rad' in text

    on(server, work)
