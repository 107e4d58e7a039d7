"""Many lockstep runs of one policy, measured and summarised: `python -m kinfer_ros eval`."""
