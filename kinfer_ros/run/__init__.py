"""What a run leaves: its directory, its step log, the black box. No ROS."""
