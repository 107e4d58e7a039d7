"""What bridge and DDS process say to each other."""

from __future__ import annotations

from kinfer_ros.bridges.unitree import frames


def test_frames_come_back_as_they_were():
    """Both ends are one file, and still two processes."""
    assert frames.read_state(frames.state_frame(2**40, b'abc')) == (2**40, b'abc')
    assert frames.read_damp(frames.damp_frame(20_000_000, b'abc')) == (20_000_000, b'abc')
    assert frames.read_ask(frames.ask_frame(2**60, 1001)) == (2**60, 1001)
    rows = [['rt/lowcmd', 'type', 'key']]
    found = frames.read_publishers(frames.json_frame(frames.PUBLISHERS, rows))
    assert found == [frames.Publisher('rt/lowcmd', 'type', 'key')]
    answer = frames.read_answer(frames.json_frame(frames.ANSWER, [7, 0, '{}']))
    assert answer == frames.Answer(7, 0, '{}')


def test_a_backlog_is_caught_up():
    """Else samples grow older and older on a machine that is too slow for all of them."""
    states = [frames.state_frame(time, b'') for time in range(6)]
    assert frames.without_old_states(states[:4]) == states[:4]
    mixed = [*states[:3], frames.DAMPED, *states[3:]]
    assert frames.without_old_states(mixed) == [frames.DAMPED, states[5]]
