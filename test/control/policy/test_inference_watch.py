"""An inference that does not end is abandoned, and no other."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import endless_step
from helpers.policies.models import init_fn
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.policy import inference_watch
from kinfer_ros.control.policy.inference_watch import InferenceWatch
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model

REAL_TIME = SessionSettings(period_ns=PERIOD_NS, real_time=True)
MS = 1_000_000


def endless_policy(folder: Path, above: float) -> Policy:
    """A policy of two joints whose inference does not end once it has run so often."""
    meta = metadata(2, COMMANDS_3, carry_size=[1])
    path = folder / f'endless_{above}.kinfer'
    return load_model(write_kinfer(path, init_fn([0]), endless_step(above), meta))


def test_a_loop_without_end_is_a_fault_at_once_and_the_carry_stays(tmp_path: Path) -> None:
    """The robot is damped in the same tick, and the policy can be run again."""
    settings = LiveSettings(max_missed_ticks=5)
    rig = Rig(endless_policy(tmp_path, 5.0), small_robot(tmp_path), REAL_TIME, settings)
    rig.run()
    assert rig.tick(4) is Mode.RUN
    before = rig.policy.carry.copy()
    begin = time.monotonic()
    assert rig.tick() is Mode.FAULT
    assert 0.09 < time.monotonic() - begin < 1.0
    assert rig.controller.send is Send.DAMPING
    assert 'did not end and was abandoned after 1' in rig.controller.reason
    assert 'at most 100 ms are borne (max_missed_ticks)' in rig.controller.reason
    assert rig.outcome is not None
    assert rig.outcome.step.abandoned
    np.testing.assert_array_equal(rig.policy.carry, before)
    assert rig.count('output', Level.FAULT) == rig.controller.counts['refused_outputs'] == 1
    rig.tick()
    assert not rig.outcome.step.abandoned
    rig.policy.target_at_rest()


def test_a_new_policy_that_does_not_end_is_rolled_back_and_a_fault(tmp_path: Path) -> None:
    """The old one does not act on inputs of so long ago."""
    settings = LiveSettings(max_missed_ticks=5)
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path), REAL_TIME, settings)
    rig.run()
    answers = rig.swap(endless_policy(tmp_path, 3.0))
    assert rig.tick(3) is Mode.RUN
    assert rig.tick() is Mode.FAULT
    assert 'was abandoned' in rig.controller.reason
    assert len(answers) == 1
    assert 'was abandoned' in answers[0]
    assert rig.runner.bound.policy is rig.policy


def test_the_limit_is_live_and_5_s_where_no_robot_waits() -> None:
    """What is simulated or replayed does not depend on how fast the machine is."""
    live = LiveSettings()
    assert REAL_TIME.longest_inference_ns(live) == 20 * PERIOD_NS
    live.adopt(LiveSettings(max_missed_ticks=0))
    assert REAL_TIME.longest_inference_ns(live) == PERIOD_NS
    offline = SessionSettings(period_ns=PERIOD_NS)
    assert offline.longest_inference_ns(live) == 5_000_000_000
    live.adopt(LiveSettings(max_missed_ticks=1000))
    assert offline.longest_inference_ns(live) == 1000 * PERIOD_NS


class Told:
    """A policy that notes what it is told."""

    def __init__(self) -> None:
        self.on: list[bool] = []

    def abandon(self, *, on: bool) -> None:
        self.on.append(on)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> InferenceWatch:
    """One whose thread only sleeps: the test looks."""
    monkeypatch.setattr(inference_watch, '_look_on', lambda reference: None)
    return InferenceWatch(lambda: 100 * MS)


def test_only_time_in_which_the_machine_ran_counts(watch: InferenceWatch) -> None:
    """Looks count, not a clock that went on while the process was stopped."""
    policy = Told()
    watch.begin(policy)
    for _ in range(10):
        watch.look(10 * MS)
    assert policy.on == []
    watch.look(10 * MS)
    assert policy.on == [True]
    assert watch.end()
    assert policy.on == [True, False]


def test_each_inference_counts_for_itself(watch: InferenceWatch) -> None:
    """A thousand short ones are never one long one."""
    policy = Told()
    for _ in range(1000):
        watch.begin(policy)
        watch.look(90 * MS)
        assert not watch.end()
        watch.look(90 * MS)
    assert policy.on == []


def test_a_look_that_comes_too_late_does_not_reach_the_next_inference() -> None:
    """The two threads meet again and again at the end of an inference: it is told and untold."""
    watch = InferenceWatch(lambda: 0)  # every inference that is seen twice is told to end
    policy = Told()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            watch.look(1)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20_000):
            watch.begin(policy)
            watch.end()
            assert not policy.on or policy.on[-1] is False
    finally:
        stop.set()
        thread.join()


def test_the_thread_ends_with_its_watch() -> None:
    """A process that makes many controllers keeps none of their threads."""
    before = set(threading.enumerate())
    watches = [InferenceWatch(lambda: 16 * MS) for _ in range(5)]
    threads = set(threading.enumerate()) - before
    assert len(threads) == 5
    del watches
    gc.collect()
    for thread in threads:
        thread.join(5.0)
        assert not thread.is_alive()
