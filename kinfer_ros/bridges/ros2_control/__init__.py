"""A robot behind ros2_control: its broadcasters, and a controller that forwards positions."""
