"""A robot in MuJoCo, without ROS."""
