"""Slow motion and single steps of the MuJoCo bridge, over real DDS."""

from __future__ import annotations

import time

from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp

PERIOD = 20_000_000
SLOWDOWN = 5.0


def test_slow_motion_and_steps_of_a_pause():
    """Simulated time runs five times slower; in a pause each step is one control period."""
    parameters = ('robot:=biped', 'publish_clock:=true', f'slowdown:={SLOWDOWN}')
    with running_bridge('slow', *parameters) as (client, _):
        client.spin_until(lambda: '/clock' in client.newest)
        begin, first = time.monotonic(), stamp(client.newest['/clock'])
        client.spin_for(3.0)
        passed = (stamp(client.newest['/clock']) - first) / 1e9
        # A busy machine may lose time, and gains none.
        assert 0.1 < passed < 1.2 * (time.monotonic() - begin) / SLOWDOWN
        refused = client.call(Trigger, 'mujoco_bridge/step', Trigger.Request())
        assert not refused.success
        assert 'not paused' in refused.message
        assert client.call(SetBool, 'mujoco_bridge/pause', SetBool.Request(data=True)).success
        client.spin_for(0.3)
        paused = stamp(client.newest['/clock'])
        for k in (1, 2):
            assert client.call(Trigger, 'mujoco_bridge/step', Trigger.Request()).success
            client.spin_until(lambda k=k: stamp(client.newest['/clock']) == paused + k * PERIOD)
        client.spin_for(0.3)
        assert stamp(client.newest['/clock']) == paused + 2 * PERIOD
