"""What the robot's motion switcher answers is text of others."""

from __future__ import annotations

import pytest

from kinfer_ros.bridges.unitree.frames import Answer
from kinfer_ros.bridges.unitree.switcher import active_mode
from kinfer_ros.errors import BridgeError


def test_the_active_controller_by_its_name():
    """'' where none is; half a character in it can be printed."""
    assert active_mode(Answer(1, 0, '{"form":"0","name":"ai"}')) == 'ai'
    assert active_mode(Answer(1, 0, '{"name":""}')) == ''
    active_mode(Answer(1, 0, r'{"name":"\ud800"}')).encode()


@pytest.mark.parametrize(
    'answer', [None, Answer(1, 7, '{"name":""}'), Answer(1, 0, '[]'), Answer(1, 0, '{"name":1}')]
)
def test_what_is_no_answer(answer):
    """Nothing is enabled unless it says that no controller is active."""
    with pytest.raises(BridgeError):
        active_mode(answer)
