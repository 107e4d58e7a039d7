"""Policies, networks, motions and other exports that tests make."""
