"""Whether this machine is fit to run a robot: `python -m kinfer_ros doctor`."""
