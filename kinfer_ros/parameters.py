"""Declarations of node parameters, without ROS: name, default, unit, text and range.

`ros/parameters.py` declares them to a node; `tools/parameters_page.py` makes docs/parameters.md
and config/policy.yaml of them.
"""

from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from functools import partial
from typing import Any


@dataclass(frozen=True)
class Declared:
    """
    One parameter of a node.

    :ivar unit: unit of the value, '' if it has none.
    :ivar low, high: range of the value, None if it has none.
    :ivar read_only: it cannot be set after the start of the node.
    """

    name: str
    default: Any
    unit: str
    text: str
    low: float | None = None
    high: float | None = None
    read_only: bool = False

    @property
    def description(self) -> str:
        """Unit and text, as `ros2 param describe` shows them."""
        return f'{self.unit}. {self.text}' if self.unit else self.text


def setting(
    default: Any,
    unit: str,
    text: str,
    low: float | None = None,
    high: float | None = None,
    *,
    read_only: bool = False,
) -> Any:
    """Make a dataclass field that is also a parameter; see Declared."""
    metadata = {'unit': unit, 'text': text, 'low': low, 'high': high, 'read_only': read_only}
    return field(default=default, metadata=metadata)


fixed = partial(setting, read_only=True)
"""The same, of a parameter that cannot be set after the start of the node."""


def declared(cls: Any) -> tuple[Declared, ...]:
    """Read the parameters off a dataclass whose fields are made by `setting`."""
    return tuple(
        Declared(
            each.name,
            list(each.default) if isinstance(each.default, tuple) else each.default,
            **each.metadata,
        )
        for each in fields(cls)
    )
