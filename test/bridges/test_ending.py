"""A bridge after a signal: it waits for the fade of a session, and for nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kinfer_ros.bridges.ending import FADE_BEGINS_COMMANDS
from kinfer_ros.bridges.ending import FADE_BEGINS_NS
from kinfer_ros.bridges.ending import MAX_LINGER_NS
from kinfer_ros.bridges.ending import MAX_SILENCE_NS
from kinfer_ros.bridges.ending import BridgeEnd
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED


@pytest.fixture
def core():
    return SimpleNamespace(holder='abc', state=ENABLED, mode='run', counts={'commands': 5})


def test_a_session_that_fades_is_obeyed_to_its_end(core):
    """Ctrl-C of a launch: bridge and policy node get the signal at one moment."""
    end = BridgeEnd(core, 0)
    assert end.goes_on(0)
    core.mode = 'fade'
    assert end.goes_on(MAX_LINGER_NS)
    core.holder = ''
    assert not end.goes_on(MAX_LINGER_NS)


def test_a_fade_without_end_is_not_waited_for(core):
    """The process has to end."""
    core.mode = 'fade'
    assert not BridgeEnd(core, 0).goes_on(MAX_LINGER_NS + 1)


@pytest.mark.parametrize('mode', ['run', 'hold', 'ramp', 'damp'])
def test_ended_alone_it_damps_within_some_ticks(core, mode):
    """The policy does not know of it."""
    core.mode = mode
    end = BridgeEnd(core, 0)
    core.counts['commands'] += FADE_BEGINS_COMMANDS + 1
    assert end.goes_on(FADE_BEGINS_NS)
    assert not end.goes_on(FADE_BEGINS_NS + 1)


def test_a_policy_that_was_not_run_meanwhile_may_still_fade(core):
    """On an overloaded machine its signal is served late."""
    end = BridgeEnd(core, 0)
    assert end.goes_on(FADE_BEGINS_NS + 1)
    assert not end.goes_on(MAX_SILENCE_NS + 1)


@pytest.mark.parametrize('state', [DAMPING, DISABLED])
def test_a_robot_that_is_not_moved_is_not_waited_for(core, state):
    """There is nothing to fade."""
    core.state = state
    assert not BridgeEnd(core, 0).goes_on(0)
