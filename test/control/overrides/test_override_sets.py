"""Joints that another node moves, while policies of a set follow each other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import init_fn
from helpers.policies.models import leaky_step
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import load_policy_set
from kinfer_ros.run.step_log import PolicyRows

SET = """enter: plain
policies:
  plain: {model: leaky.kinfer}
  sees: {model: leaky.kinfer, override_observation: measured}
  blind: {model: leaky.kinfer, override_observation: default}
transitions:
  - {from: any, to: blind}
  - {from: any, to: sees}
"""
HOME, MOVED = 0.1, 0.4


def write(folder: Path) -> Path:
    meta = metadata(2, COMMANDS_3, carry_size=[2])
    write_kinfer(folder / 'leaky.kinfer', init_fn([0, 0]), leaky_step(), meta)
    path = folder / 'set.yaml'
    path.write_text(SET)
    return path


def moved_rig(folder: Path, *, hidden: bool) -> SimpleNamespace:
    """A robot whose joint_1 another node moves to MOVED, where it is measured."""
    loaded, robot = load_set(write(folder)), small_robot(folder, home=HOME)
    live = LiveSettings(frozen_timeout=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    overrides = OverrideSettings(('joint_1',), time_s=0.1, hidden=hidden)
    settings = SessionSettings(PERIOD_NS, overrides=overrides)
    rig.controller = assemble_set(loaded, robot, settings, live)
    rig.frame = rig.controller.inputs.frame
    rig.set_pose(HOME)
    rig.sense()
    rig.run()
    rig.frame.position[:] = HOME, MOVED
    rig.loaded = loaded

    def tick(count: int = 10) -> None:
        for _ in range(count):
            now = rig.now + PERIOD_NS
            inbox = rig.controller.inputs.overrides.inbox
            inbox.take(Sender(1, '/wave'), ['joint_1'], np.array([MOVED]), now, now, now)
            rig.tick()

    rig.move = tick
    return rig


def seen(rig, name: str) -> float:
    """Run a policy, and return the angle of joint_1 that it sees."""
    policies = rig.controller.policies
    if policies.running != name:
        assert policies.request(name, rig.controller.mode) == ''
    rig.move()
    assert policies.running == name
    return float(policies.members[name].policy.inputs['joint_angles'][1])


@pytest.mark.parametrize(('hidden', 'plain'), [(False, MOVED), (True, HOME)])
def test_each_policy_sees_what_the_set_says(tmp_path, hidden, plain):
    """One was trained with arms that others move, another has never seen them elsewhere."""
    rig = moved_rig(tmp_path, hidden=hidden)
    assert seen(rig, 'plain') == pytest.approx(plain)
    assert seen(rig, 'blind') == pytest.approx(HOME)
    assert seen(rig, 'sees') == pytest.approx(MOVED)
    assert seen(rig, 'blind') == pytest.approx(HOME)
    # What was measured is recorded beside it.
    overrides = rig.controller.inputs.overrides
    rows = PolicyRows('blind', 0, rig.loaded.policies['blind'], overrides, battery=False)
    assert 'measured_position' in rows.layout.measured


def test_the_mode_names_who_moves_what_while_it_does(tmp_path):
    """A person in front of the robot wants to know why the arm moves."""
    rig = moved_rig(tmp_path, hidden=False)
    rig.move()
    assert str(rig.outcome) == 'run: policy plain; /wave moves joint_1'
    rig.tick(6)
    assert str(rig.outcome) == 'run: policy plain; /wave is silent: its joints go back'
    rig.tick(50)
    assert str(rig.outcome) == 'run: policy plain'
    rig.move()
    rig.controller.request_stop('enough')
    rig.tick()
    assert str(rig.outcome) == 'damp: enough'


def test_another_word_is_refused(tmp_path):
    """With its line."""
    path = write(tmp_path)
    path.write_text(SET.replace('override_observation: default', 'override_observation: hidden'))
    with pytest.raises(ConfigError, match=r'line 5.*found .*hidden.*one of measured, default'):
        load_policy_set(path)
