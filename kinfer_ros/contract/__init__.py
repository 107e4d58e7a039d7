"""Does the policy fit the robot, the live sensors, another policy? One report."""
