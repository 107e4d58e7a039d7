"""The Unitree bridge as a node."""
