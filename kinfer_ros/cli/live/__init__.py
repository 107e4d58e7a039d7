"""Commands on a running robot."""
