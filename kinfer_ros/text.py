"""Text for people: safe to show, no control characters, no endless lines; tables."""

import re
from collections.abc import Sequence

MAX_SHOWN = 4000
"""Characters of an error; the rest is counted."""

_ROS_NAME = re.compile(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
ROS_NAME_RULE = 'names of letters, digits and _, with / between them'
"""What `is_ros_name` expects, in words."""


def is_ros_name(text: str) -> bool:
    """Return whether a text is a ROS namespace, or the name of a node."""
    return _ROS_NAME.fullmatch(text) is not None


def printable(text: str) -> str:
    """
    Escape what could control a terminal or turn the reading direction; newlines and tabs stay.

    Escape sequences, bidirectional marks and lone surrogates are shown by their number.
    """
    if text.isprintable():
        return text
    return ''.join(
        each if each.isprintable() or each in '\n\t' else ascii(each)[1:-1] for each in text
    )


def shortened(text: str, limit: int = MAX_SHOWN) -> str:
    """Cut a text after `limit` characters, and say how many follow."""
    if len(text) <= limit:
        return text
    return f'{text[:limit]} ... ({len(text) - limit} more characters)'


def told_apart(found: float, limit: float, least: int = 0) -> tuple[str, str]:
    """
    Return two numbers as texts, with as many decimals as tell their sizes apart.

    Nobody understands "tilted by 57 deg, at most 57 deg".

    :param least: decimals; there are three more at most.
    """
    for decimals in range(least, least + 4):
        texts = f'{found:.{decimals}f}', f'{limit:.{decimals}f}'
        if texts[0].lstrip('-') != texts[1].lstrip('-'):
            break
    return texts


def aligned(rows: Sequence[Sequence[str]], indent: str = '') -> list[str]:
    """Return a table as lines: columns aligned to the left, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f'{indent}{"  ".join(map(str.ljust, row, widths))}'.rstrip() for row in rows]


def is_name(value: object, limit: int = 256) -> bool:
    """Whether a value can be a name of a joint, robot or command: one printable line."""
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable()
