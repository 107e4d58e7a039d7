"""The files of a run: directory, step log, black box. No ROS."""
