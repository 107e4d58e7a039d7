"""Policies and commands that go wrong, one run in lockstep each: known to the tick."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_lockstep import SINCE_NS
from fault_lockstep import LockstepRun
from fault_lockstep import events
from fault_lockstep import nothing
from fault_policies import broken_at
from fault_policies import forgetful_at
from fault_relay import Relay
from geometry_msgs.msg import Twist

from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.messages import stamp_ns

HELD = 3
"""Ticks for which the last good target is held (max_refused)."""


@pytest.mark.parametrize(
    ('broken', 'words'),
    [
        (lambda path: broken_at(path, 100, math.nan), 'non-finite target of its joints [0, 1,'),
        (lambda path: broken_at(path, 100, 1e6), 'asked its joint 0 for 1e+06 rad, at most 50'),
        (lambda path: forgetful_at(path, 100), 'non-finite number: model output next carry'),
    ],
    ids=['nan', 'exploding', 'nan-carry'],
)
def test_a_policy_that_breaks_at_tick_100(tmp_path: Path, broken: Any, words: str) -> None:
    """The last good target is held for 3 ticks, the carry stays, then it is a fault."""
    model = broken(tmp_path / 'broken.kinfer')
    run = LockstepRun(tmp_path, nothing, model=model, max_tilt=3.0, carry_every=1)
    fault = run.fault()
    assert words in fault.reason
    running = [step for step in fault.before if step['mode'] == 'run']
    assert len(running) == 99 + HELD
    good, held = running[98], running[99:]
    assert good['output'] is not None
    assert all(step['output'] is None for step in [*held, fault.step])
    assert all(np.array_equal(step['target'], good['target']) for step in held)
    assert good['carry'][0] == 98.0, 'the carry that went into step 99 counts the steps before'
    assert sum('last target held' in event for event in events(held)) == 1
    assert run.facts['counters']['refused_outputs'] == HELD + 1


def test_targets_beyond_every_limit(tmp_path: Path) -> None:
    """Slewed, kept to the torque band, and within the joint limits last; each is counted."""
    model = broken_at(tmp_path / 'wild.kinfer', 40, 3.0)
    run = LockstepRun(
        tmp_path, nothing, model=model, target_slew=8.0, torque_band=0.5, max_tilt=3.0
    )
    steps = [step for step in run.steps if step['target'] is not None]
    robot = load_robot('biped')
    order = [robot.joint_names.index(name) for name in steps[0]['joint_order']]
    targets = np.array([step['target'] for step in steps], dtype=np.float64)
    assert (targets <= robot.upper[order] + 1e-6).all()
    assert (targets >= robot.lower[order] - 1e-6).all()
    guards = run.facts['guards']
    for name in ('slew', 'torque', 'limit'):
        assert guards[name]['limits'] > 0, guards
    jumps = np.abs(np.diff(targets, axis=0)).max(axis=1)
    fast = int((jumps > 8.0 * 0.02 + 1e-5).sum())
    assert fast <= guards.get('slew_broken', {'limits': 0})['limits']


def test_a_wild_and_then_broken_and_then_lost_command(tmp_path: Path) -> None:
    """100 m/s is limited to what was trained; NaN is refused, and counts as no command at all."""

    def tamper(relay: Relay) -> None:
        publisher = relay.publisher(Twist, 'cmd_vel')
        wild, broken = Twist(), Twist()
        wild.linear.x, broken.linear.x = 100.0, math.nan

        def command(message: Any) -> Any:
            stamp = stamp_ns(message.header)
            if stamp < 2_000_000_000:
                publisher.publish(wild if stamp < 1_200_000_000 else broken)
            return message

        relay.joints.tamper(command, SINCE_NS)

    run = LockstepRun(
        tmp_path, tamper, default_command=[0.0, 0.0, 0.0], command_acceleration=[2.0, 2.0, 2.0]
    )
    steps = run.walked()
    found = {step['stamp_ns']: float(step['command'][0]) for step in steps}
    assert all(math.isfinite(value) for value in found.values())
    assert max(found.values()) == np.float32(0.45)
    assert found[SINCE_NS] < 0.1, 'the acceleration is limited'
    assert found[1_100_000_000] == np.float32(0.45)
    # Good until command_timeout (0.5 s) after the last that was accepted, then braked.
    assert found[1_600_000_000] == np.float32(0.45)
    assert found[2_900_000_000] == 0.0
    assert 'cmd_vel holds a value that is not finite: refused' in run.output
    said = events(steps)
    assert 'command limit' in said
    assert 'acceleration limit' in said
