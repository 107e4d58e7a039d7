"""The robot side, without ROS."""
