"""Recognises the ONNX files that kinfer wrote before 0.4, in which nothing names the joints."""

from collections.abc import Iterable

MARKS = {'x_vel', 'y_vel', 'rot', 't', 'dof_pos', 'dof_vel', 'prev_actions', 'buffer'}
"""Inputs that each of them has; torch writes a number behind a name: `x_vel.1`."""


def plain_name(name: str) -> str:
    """Return an input's name without torch's number."""
    stem, dot, number = name.rpartition('.')
    return stem if dot and number.isdecimal() else name


def is_early_kinfer(inputs: Iterable[str]) -> bool:
    """Whether a network has their inputs."""
    return {plain_name(name) for name in inputs} >= MARKS
