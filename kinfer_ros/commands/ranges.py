"""Names and ranges of a policy's command, as its node publishes them on /diagnostics."""

import json
import math
from collections.abc import Mapping

from kinfer_ros.untrusted import json_text

Range = tuple[float, float] | None
Ranges = Mapping[str, Range]
"""The range of each entry, in the policy's order; None for an entry without one."""

MAX_LENGTH = 1 << 16
MAX_ENTRIES = 256


def parse_ranges(text: str) -> Ranges:
    """
    Read the value `commands` of a policy node's diagnostics.

    :raises ValueError: invalid text.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError('too long')
    found = json.loads(json_text(text))
    if not isinstance(found, dict) or len(found) > MAX_ENTRIES:
        raise ValueError('no commands')
    return {str(name): _range(bounds) for name, bounds in found.items()}


def neutral(bounds: Range) -> float:
    """Return 0, or the nearest value in the range."""
    return clip(0.0, bounds)


def clip(value: float, bounds: Range) -> float:
    """Limit a value to the range of its entry."""
    return value if bounds is None else min(max(value, bounds[0]), bounds[1])


def _range(bounds: object) -> Range:
    if bounds is None:
        return None
    if isinstance(bounds, list) and len(bounds) == 2:
        low, high = float(bounds[0]), float(bounds[1])
        if math.isfinite(low) and math.isfinite(high) and low <= high:
            return low, high
    raise ValueError(f'{bounds!r} is no range')
