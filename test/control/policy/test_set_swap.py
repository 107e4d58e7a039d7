"""~/load_model with a policy set while the robot runs: an edit is taken as a whole, or not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import breakable_step
from helpers.policies.models import init_fn
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.processes import wait_until
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.model_swap import ModelSwap
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run.setup import PolicySetup

SET = """enter: low
policies:
  low: {model: low.kinfer, kp_factor: 0.5}
  high: {model: high.kinfer, max_tilt: 0.5}
transitions:
  - {from: low, to: high, conditions: {max_tilt: 0.5}}
  - {from: high, to: low}
"""


def write(path: Path, level: float, *, breakable: bool = False, **more: Any) -> None:
    """A policy that asks for `level` rad."""
    commands = more.pop('commands', COMMANDS_3)
    meta = metadata(2, commands, carry_size=[1], **more)
    write_kinfer(path, init_fn([0]), breakable_step(level, breakable=breakable), meta)


class Swaps(list):
    """In place of run.json."""

    def begin_swap(self, policy, bound) -> int:
        self.append((bound.name, policy.contract.sha256))
        return len(self)

    def take_over(self, numbers) -> None:
        self.taken = list(numbers)


@pytest.fixture
def made(tmp_path) -> SimpleNamespace:
    """A robot that runs `low`, asking for 0.1 rad; `high` asks for 0.5 rad."""
    write(tmp_path / 'low.kinfer', 0.1)
    write(tmp_path / 'high.kinfer', 0.5)
    path = tmp_path / 'set.yaml'
    path.write_text(SET)
    loaded, robot = load_set(path), small_robot(tmp_path)
    live = LiveSettings(frozen_timeout=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    settings = SessionSettings(20_000_000, blend_ns=100_000_000)
    controller = rig.controller = assemble_set(loaded, robot, settings, live)
    rig.frame = controller.inputs.frame
    rig.set_pose(0.0)
    rig.sense()
    rig.run()
    setup = PolicySetup(
        loaded.entry, robot, controller, controller.gains.policy, 50.0, [], policy_set=loaded
    )
    made = SimpleNamespace(
        rig=rig, setup=setup, path=path, folder=tmp_path, swaps=Swaps(), events=[]
    )

    def taken_over(setup: PolicySetup) -> None:
        made.setup = setup

    def load() -> str:
        """Call it and tick until it answers; :return: the refusal, or ''."""
        answers: list[str] = []
        swap = ModelSwap(
            lambda: load_set(path), made.setup, made.swaps, taken_over, answers.append
        )

        def poll() -> bool:
            swap.poll()
            if swap.done:
                return True
            rig.tick()
            made.events += rig.outcome.events
            return False

        assert wait_until(poll, 20.0)
        assert len(answers) == 1
        made.taken = swap.taken
        rig.tick()
        made.events += rig.outcome.events
        return answers[0]

    made.load = load
    made.ask = lambda name: controller.policies.request(name, controller.mode)
    return made


def target(made) -> float:
    return float(made.rig.controller.target[0])


def test_another_policy_is_put_in_place(made):
    """The running one goes on as if nothing had been; the next switch enters the new one."""
    old = made.setup.policies['low']
    write(made.folder / 'high.kinfer', 0.3)
    assert made.load() == ''
    assert made.taken == ['high']
    assert made.setup.policies['low'] is old
    assert target(made) == pytest.approx(0.1)
    assert 'swap: policy high, load 1 is in place' in made.events
    assert not any('take over' in event for event in made.events)
    assert made.swaps == [('high', made.setup.policies['high'].contract.sha256)]
    assert made.swaps.taken == [1]
    assert made.ask('high') == ''
    made.rig.tick()
    assert target(made) == pytest.approx(0.3)
    assert made.rig.controller.live.max_tilt == 0.5


def test_the_running_policy_is_blended_over_like_one_alone(made):
    """With the gains and the factors of the set; later it is entered again as the new one."""
    write(made.folder / 'low.kinfer', 0.2, joint_kp=[30.0, 30.0])
    assert made.load() == ''
    assert made.taken == ['low']
    assert target(made) == pytest.approx(0.2)
    assert 'swap: policy low, load 1 begins to take over' in made.events
    assert 'swap: policy low, load 1 has taken over' in made.events
    assert made.rig.controller.gains.policy.kp.tolist() == [15.0, 15.0]
    assert made.setup.gains.kp.tolist() == [15.0, 15.0]
    assert made.rig.controller.policies.running == 'low'
    for name, level in (('high', 0.5), ('low', 0.2)):
        assert made.ask(name) == ''
        made.rig.tick()
        assert target(made) == pytest.approx(level)
    made.rig.controller.request_fade()
    made.rig.tick_until(Mode.INACTIVE)
    made.rig.run()
    assert target(made) == pytest.approx(0.2)


def test_both_at_once_and_again(made):
    """In one tick; a second edit has numbers of its own."""
    write(made.folder / 'low.kinfer', 0.2)
    write(made.folder / 'high.kinfer', 0.3)
    assert made.load() == ''
    assert made.taken == ['low', 'high']
    at = made.events.index('swap: policy low, load 1 has taken over')
    assert made.events[at + 1] == 'swap: policy high, load 2 is in place'
    write(made.folder / 'high.kinfer', 0.4)
    assert made.load() == ''
    assert made.taken == ['high']
    assert 'swap: policy high, load 3 is in place' in made.events
    assert made.ask('high') == ''
    made.rig.tick()
    assert target(made) == pytest.approx(0.4)


def test_where_nothing_has_changed_nothing_happens(made):
    """Another path to the same bytes is no change either."""
    (made.folder / 'high.kinfer').rename(made.folder / 'moved.kinfer')
    made.path.write_text(SET.replace('high.kinfer', 'moved.kinfer'))
    assert made.load() == ''
    assert (made.taken, made.swaps, made.events) == ([], [], [])


def test_a_policy_that_breaks_in_the_blend_changes_nothing(made):
    """Not even the other one, which was all right: half an edit is no edit."""
    before = made.setup
    made.rig.command(-1.0)
    write(made.folder / 'low.kinfer', 0.2, breakable=True)
    write(made.folder / 'high.kinfer', 0.3)
    assert 'rolled back: the policy gave a non-finite target' in made.load()
    assert made.setup is before
    assert not any('in place' in event for event in made.events)
    made.rig.command(0.0)
    assert made.ask('high') == ''
    made.rig.tick()
    assert target(made) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('high', 'top', 'policies: found low, top, expected low, high'),
        ('enter: low', 'enter: high', 'enter: found high, expected low'),
        ('max_tilt: 0.5}}', 'max_tilt: 0.6}}', 'transitions: low to high differ'),
        ('  - {from: high, to: low}\n', '', 'transitions: high to low differ'),
        ('kp_factor: 0.5', 'kp_factor: 0.6', 'policies.low.kp_factor: found 0.6, expected 0.5'),
        (', kp_factor: 0.5', '', 'policies.low.kp_factor: found none, expected 0.5'),
        ('max_tilt: 0.5}\ntr', 'button: 2}\ntr', 'policies.high.button: found 2, expected none'),
        ('high.kinfer', 'gone.kinfer', 'gone.kinfer: no such file'),
        ('enter: low', 'enter: lwo', "found lwo (did you mean 'low'?)"),
    ],
)
def test_what_cannot_change_while_active_is_refused_in_words(made, old, new, expected):
    """Names, transitions and settings; nothing has changed after it, though a file has as well."""
    before = made.setup
    write(made.folder / 'low.kinfer', 0.2)
    assert old in SET
    write(made.folder / 'top.kinfer', 0.5)
    made.path.write_text(SET.replace(old, new))
    assert expected in made.load()
    assert made.setup is before
    assert (made.swaps, made.events) == ([], [])
    assert target(made) == pytest.approx(0.1)
    made.path.write_text(SET)
    assert made.load() == ''


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'joint_names': ['joint_1', 'joint_0']}, 'joints: found'),
        ({'commands': ('yvel', 'xvel', 'yawrate')}, 'commands: found'),
        ({'control_rate_hz': 25.0}, 'control rate'),
        ({'joint_biases': [['joint_0', 0.3, 1.0], ['joint_1', 0.1, 1.0]]}, 'start pose of'),
        ({'joint_kp': [50.0, 50.0]}, 'the robot YAML allows 0 to 40'),
    ],
)
@pytest.mark.parametrize('name', ['low', 'high'])
def test_a_policy_that_does_not_fit_is_refused(made, name, changes, expected):
    """The running one or another: a later switch to it would be no better."""
    if name == 'low' and 'joint_kp' in changes:
        changes = {'joint_kp': [90.0, 90.0]}  # times 0.5
    before = made.setup
    write(made.folder / f'{name}.kinfer', 0.2, **changes)
    assert expected in made.load()
    assert made.setup is before
    assert made.events == []


def test_gains_that_the_operators_factor_makes_too_high_are_refused(made):
    """Also of a policy that does not run."""
    made.rig.tune(kp_factor=1.5)
    made.rig.tick(50)
    made.events.clear()
    write(made.folder / 'high.kinfer', 0.3, joint_kp=[30.0, 30.0])
    assert 'kp_factor: found 1.5, which makes kp of joint_0 45' in made.load()
    assert made.events == []


def test_a_load_waits_for_the_end_of_a_blend(made):
    """Rolled back, the old version would go on though another one is said to be in place."""
    made.path.write_text(SET.replace('from: low, to: high,', 'from: low, to: high, blend_s: 0.3,'))
    made.rig.controller.policies._set = load_set(made.path).policy_set
    assert made.ask('high') == ''
    made.rig.tick()
    made.path.write_text(SET)
    write(made.folder / 'low.kinfer', 0.2)
    answers: list[str] = []
    swap = ModelSwap(
        lambda: load_set(made.path), made.setup, made.swaps, lambda setup: None, answers.append
    )
    assert wait_until(lambda: not swap._thread.is_alive(), 20.0)
    swap.poll()
    swap.poll()
    assert answers == []
    made.rig.tick(20)
    swap.poll()
    swap.poll()
    assert answers == ['']


def test_a_session_begins_with_the_version_that_is_in_place(made):
    """Also where the old one ran last."""
    policies = made.rig.controller.policies
    old = policies.members['low']
    write(made.folder / 'low.kinfer', 0.2)
    assert made.load() == ''
    new = policies.members['low']
    made.rig.runner = made.rig.controller._parts.runner
    made.rig.runner.replace(old)
    made.rig.controller.request_fade()
    made.rig.tick_until(Mode.INACTIVE)
    made.rig.run()
    assert made.rig.runner.bound is new
