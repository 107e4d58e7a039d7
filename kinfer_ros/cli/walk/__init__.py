"""The walk command."""
