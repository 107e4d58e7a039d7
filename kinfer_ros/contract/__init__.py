"""Checks of a policy against the robot, the live sensors and another policy, before it runs."""
