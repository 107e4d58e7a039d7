"""The motion switcher, which starts and ends the robot's own controllers."""

import json

from kinfer_ros.bridges.unitree.frames import Answer
from kinfer_ros.errors import BridgeError
from kinfer_ros.untrusted import json_text

CHECK_MODE, RELEASE_MODE = 1001, 1003
TIMEOUT = 3.0
"""s for an answer."""
SILENT = (
    'the motion switcher does not answer, so that nobody knows whether a controller of the robot '
    'is active. On a simulated robot that has none set check_motion_switcher:=false'
)


def active_mode(answer: Answer | None) -> str:
    """
    Return the robot's own controller that is active, by an answer to CHECK_MODE; '' for none.

    :raises BridgeError: there is no answer, an error, or one of another form.
    """
    if answer is None:
        raise BridgeError(SILENT)
    if answer.code:
        raise BridgeError(f'the motion switcher answers CheckMode with the error {answer.code}')
    try:
        name = json.loads(json_text(answer.data))['name']
    except (ValueError, TypeError, KeyError):
        name = None
    if not isinstance(name, str):
        raise BridgeError(
            f'the motion switcher answers CheckMode with {answer.data[:80]!r}, expected JSON with '
            'a name'
        )
    return name


def check_none_active(answer: Answer | None) -> None:
    """:raises BridgeError: a controller of the robot is active, or may be."""
    name = active_mode(answer)
    if name:
        raise BridgeError(
            f"the robot's own controller {name!r} is active and would fight: hang the robot up "
            'and end it with `python -m kinfer_ros unitree release`'
        )
