"""A motion and transitions at once: nothing that waits or is paused begins by itself."""

from __future__ import annotations

import pytest

from helpers.falls import SetRig
from helpers.policies import flat_models
from helpers.policies.motions import JOINTS
from helpers.policies.motions import spec_of
from helpers.policies.motions import write_csv
from helpers.robots import small_robot
from kinfer_ros.control.modes import Mode

SET = """enter: dance
policies:
  dance: {model: dance.onnx, spec: dance.yaml}
  still: {model: still.onnx, spec: still.yaml}
transitions:
  - {from: dance, to: still%s}
  - {from: still, to: dance, via_pose: {duration_s: 0.2}}
"""


def rig_of(folder, more: str = '', **motion) -> SetRig:
    """A rig in mode run: a dance, and a policy without a motion."""
    write_csv(folder / 'motion.csv')
    still = flat_models.spec([{'source': 'joint_velocities'}], commands={})
    for name, size, content in (('dance', 13, spec_of(**motion)), ('still', 3, still)):
        (folder / f'{name}.onnx').write_bytes(flat_models.linear(size)[0])
        flat_models.write_spec(folder / f'{name}.yaml', content)
    rig = SetRig(folder, SET % more, robot=small_robot(folder, tuple(JOINTS), home=0.0))
    rig.run()
    return rig


def break_still(rig: SetRig, monkeypatch) -> None:
    policy = rig.controller.policies.members['still'].policy
    monkeypatch.setattr(policy, 'outputs_finite', lambda: False)


@pytest.mark.parametrize('wait', [True, False])
def test_a_motion_that_does_not_play_does_not_begin_by_a_roll_back(tmp_path, monkeypatch, wait):
    """The policy that was asked for is refused; the dance was not started, or is paused."""
    rig = rig_of(tmp_path, wait=wait)
    rig.tick(3)
    if not wait:
        assert rig.controller.request_motion('pause') == ''
    rig.tick(3)
    dance = rig.controller.policies.members['dance'].policy
    before = dance.carry[-3]
    break_still(rig, monkeypatch)
    assert rig.ask('still') == ''
    rig.tick()
    assert any('swap rolled back' in event for event in rig.outcome.events)
    rig.tick(5)
    assert rig.running == 'dance'
    assert dance.carry[-3] == before


def test_a_motion_that_has_ended_tries_its_transition_once(tmp_path, monkeypatch):
    """What was refused is not tried again; it may be asked for."""
    rig = rig_of(tmp_path, ', automatic: motion_ended', duration=0.1)
    break_still(rig, monkeypatch)
    said: list[str] = []
    for _ in range(20):
        rig.tick()
        said += rig.outcome.events
    assert sum('begins to take over' in event for event in said) == 1
    assert rig.running == 'dance'
    monkeypatch.undo()
    assert rig.ask('still') == ''
    rig.tick()
    assert rig.running == 'still'


def test_a_motion_cannot_be_led_before_its_policy_runs(tmp_path):
    """On the way through a pose: a pause that was granted would be forgotten."""
    rig = rig_of(tmp_path)
    assert rig.ask('still') == ''
    rig.tick()
    assert rig.ask('dance') == ''
    rig.tick(3)
    assert rig.mode == 'run: policy dance: moving to its pose'
    assert 'on its way through a pose' in rig.controller.request_motion('pause')
    assert rig.controller.mode is Mode.RUN
