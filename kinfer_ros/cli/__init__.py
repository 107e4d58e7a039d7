"""The commands of python -m kinfer_ros."""
