"""One argument of a launch file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Argument:
    """One argument of walk.launch.py and of `walk`; `name:=value`, the value as YAML."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


def switch(name: str, default: str, description: str) -> Argument:
    """:return: an argument that is true or false."""
    return Argument(name, default, description, ('true', 'false'))
