"""What the nodes share of ROS 2: executor, messages, parameters, clocks."""
