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
        # Under a debugger or a shell the launch is not the parent, and is not followed.
        self._pid = os.getppid()
        self._launched = os.environ.get(LAUNCH_PID) == str(self._pid)

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._launched and os.getppid() != self._pid
