"""Robots of others, played by this project."""
