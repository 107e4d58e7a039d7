"""The KOS bridge node."""
