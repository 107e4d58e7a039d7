"""The graph that is launched: its arguments, its nodes, and the actions of ROS 2 launch."""
