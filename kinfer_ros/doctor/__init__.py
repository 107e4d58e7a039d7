"""Checks of this machine for running a robot: `python -m kinfer_ros doctor`."""
