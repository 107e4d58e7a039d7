"""Notices in a node's process that the launch that started it is gone.

A `ros2 launch` that gets SIGTERM alone, as from `docker stop` or a supervisor, leaves its nodes
behind. Nodes of our launch files then end as after Ctrl-C; nodes started otherwise do not.
"""

import os

LAUNCH_PID = 'KINFER_ROS_LAUNCH_PID'
"""Environment variable that the launch files set for their nodes."""


class LaunchParent:
    """The launch that started this process, if one of our launch files did."""

    def __init__(self) -> None:
        told = os.environ.get(LAUNCH_PID, '')
        self._pid = int(told) if told.isdecimal() and len(told) < 10 else 0
        # Under a debugger or a shell the launch is not the parent, and is not followed; one that
        # ended while this process started is not, either.
        self._launched = self._pid > 0 and (self._pid == os.getppid() or not _exists(self._pid))

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._launched and os.getppid() != self._pid


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
