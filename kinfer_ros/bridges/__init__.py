"""Robot sides without ROS: what each obeys, what it sends, when it damps."""

SECOND = 1_000_000_000
"""ns."""
