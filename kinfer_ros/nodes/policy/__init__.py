"""The policy node and its parts."""
