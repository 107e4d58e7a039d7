"""Joints that another node moves: who may, by which messages, and what becomes of the targets."""
