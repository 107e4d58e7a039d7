"""A robot behind ros2_control as a node."""
