"""A robot that KOS runs, without ROS."""
