"""Whatever another node sends, targets are finite, within the limits, and as fast as the slew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings

JOINTS = ('joint_0', 'joint_1', 'left_wrist')
OVERRIDES = OverrideSettings(('left_wrist', 'joint_1'), time_s=0.1, return_speed=2.0)
SLEW = 8.0
NUMBERS = st.one_of(st.floats(-2.0, 2.0), st.floats())
MESSAGES = st.tuples(
    st.integers(1, 2),
    st.lists(st.sampled_from([*JOINTS, 'tail']), max_size=3),
    st.lists(NUMBERS, max_size=3),
    st.integers(-200, 200),
)


@pytest.fixture(scope='module')
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp('overrides')
    return level_policy(folder, 0.3), small_robot(folder, JOINTS)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(MESSAGES, max_size=2), min_size=1, max_size=30))
def test_any_messages(parts, ticks):
    """And in the end, after silence, all is the policy's again, to the bit."""
    session = SessionSettings(period_ns=PERIOD_NS, overrides=OVERRIDES)
    rig = Rig(*parts, session, LiveSettings(target_slew=SLEW, frozen_timeout=0.0))
    rig.run()
    for _ in range(5):
        rig.tick()
    own = rig.outcome.target.copy()
    before = own.copy()
    inbox = rig.controller.inputs.overrides.inbox
    for messages in [*ticks, *([[]] * 90)]:
        now = rig.now + PERIOD_NS
        for sender, names, target, stamp in messages:
            inbox.take(
                Sender(sender, f'/{sender}'), names, np.array(target, float),
                now + stamp * 1_000_000, now, now,
            )  # fmt: skip
        rig.tick()
        assert rig.outcome.ran
        sent = rig.outcome.target
        assert np.isfinite(sent).all()
        assert (np.abs(sent) <= 1.0).all()
        assert (np.abs(sent - before) <= SLEW * PERIOD_NS / 1e9 + 1e-9).all()
        assert sent[0] == own[0], 'nobody may move joint_0'
        before = sent.copy()
    np.testing.assert_array_equal(rig.outcome.target, own)
