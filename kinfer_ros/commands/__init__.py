"""Commands of a policy from elsewhere, without ROS: names, ranges, K-Scale's UDP format."""
