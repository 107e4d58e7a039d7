"""Records the bag of a run: rosbag2 directories with MCAP storage. No ROS."""
