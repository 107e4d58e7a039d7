"""Unitree robots: their DDS messages, a process that speaks DDS, and what the bridge obeys."""
