"""Makes text from files and messages safe to show: no control characters, no endless lines."""

MAX_SHOWN = 4000
"""Characters of an error; the rest is counted."""


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


def is_name(value: object, limit: int = 256) -> bool:
    """Whether a value can be a name of a joint, robot or command: one printable line."""
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable()
