"""One tick: robot, sensors, command, guards, modes, timing. Pure Python, no ROS."""
