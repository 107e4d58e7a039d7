"""Reads names, vectors and bounds of a YAML section.

A vector is one number for all entries (`0.25`), a list, or a mapping (`{hip: 0.1, ...}`).
"""

import math
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_file import is_number

Vector = tuple[float, ...]
Bounds = tuple[Vector, Vector]

MAX_COUNT = 4096
"""Entries of any list."""
MAX_VALUE = 3.4e38
"""Largest value of a float32."""


def read_names(
    section: Section, key: str, known: Sequence[str] | None = None, *, required: bool = True
) -> tuple[str, ...]:
    """
    Read a list of distinct names.

    :param known: the allowed names; also the result where the key is absent.
    """
    value = section.plain(key)
    if value is None:
        if known is not None and not section.has(key):
            return tuple(known)
        if required:
            section.problem(f"missing key '{key}'" if not section.has(key) else 'is empty', key)
        return ()
    if not isinstance(value, list) or not value or len(value) > MAX_COUNT:
        section.problem(f'found {format_value(value)}, expected a list of names', key)
        return ()
    wrong = [name for name in value if not isinstance(name, str) or not name.strip()]
    if wrong:
        section.problem(f'found {format_value(wrong[0])}, expected names', key)
        return ()
    duplicates = sorted({name for name in value if value.count(name) > 1})
    if duplicates:
        listed = ', '.join(duplicates)
        section.problem(f'found {listed} more than once, expected each name once', key)
    unknown = [name for name in value if known is not None and name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known or ())
        listed = ', '.join(known or ())
        section.problem(f'found {", ".join(unknown)}{hint}, expected names of: {listed}', key)
        return ()
    return tuple(value)


def read_vector(
    section: Section,
    key: str,
    names: Sequence[str],
    unit: str,
    *,
    minimum: float = -math.inf,
    default: float | None = None,
) -> Vector | None:
    """
    Read one number for each of `names`: one for all, a list in their order, or a mapping.

    :param default: used for all where the key is absent; with None the result is then None.
    """
    value = section.plain(key)
    count = len(names)
    if value is None and not section.has(key):
        return None if default is None else (default,) * count
    if not names:
        return ()  # the names are wrong, which is noted already
    if isinstance(value, dict):
        value = _by_name(section, key, value, names)
        if value is None:
            return (0.0,) * count
    if _is_value(value, minimum):
        return (float(value),) * count
    if not isinstance(value, list) or not all(_is_value(entry, minimum) for entry in value):
        bound = '' if minimum == -math.inf else f' of at least {minimum:g}'
        expected = f'a number{bound} ({unit}), {count} of them, or {{name: number}}'
        section.problem(f'found {format_value(value)}, expected {expected}', key)
        return (0.0,) * count
    if len(value) != count:
        section.problem(
            f'found {len(value)} numbers, expected {count} ({unit}), one for each of: '
            f'{", ".join(names)}',
            key,
        )
        return (0.0,) * count
    return tuple(float(entry) for entry in value)


def read_bounds(section: Section, key: str, names: Sequence[str], unit: str) -> Bounds | None:
    """Read [lowest, highest] for all of `names`, or one pair for each; None where absent."""
    value = section.plain(key)
    if value is None:
        return None
    count = len(names)
    if isinstance(value, dict):
        value = _by_name(section, key, value, names)
        if value is None:
            return None
    if _is_pair(value):
        value = [value] * count
    if not isinstance(value, list) or len(value) != count or not all(map(_is_pair, value)):
        expected = f'[lowest, highest] ({unit}), or {count} such pairs'
        section.problem(f'found {format_value(value)}, expected {expected}', key)
        return None
    return tuple(float(low) for low, _ in value), tuple(float(high) for _, high in value)


def join_bounds(parts: Iterable[tuple[Bounds | None, int]]) -> Bounds | None:
    """Return the bounds of vectors in sequence, given with their sizes; None if none has any."""
    known = list(parts)
    if all(bounds is None for bounds, _ in known):
        return None
    spread = [bounds or ((-math.inf,) * n, (math.inf,) * n) for bounds, n in known]
    lows, highs = (tuple(v for pair in spread for v in pair[end]) for end in (0, 1))
    return lows, highs


def format_value(value: Any) -> str:
    """Format a value for an error message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _by_name(
    section: Section, key: str, value: dict[Any, Any], names: Sequence[str]
) -> list[Any] | None:
    missing = [name for name in names if name not in value]
    unknown = [str(name) for name in value if name not in names]
    if missing or unknown:
        hint = did_you_mean(unknown[0], names) if unknown else ''
        section.problem(
            f'lacks {", ".join(missing) or "none"}, has unknown {", ".join(unknown) or "none"}'
            f'{hint}, expected each of: {", ".join(names)}',
            key,
        )
        return None
    return [value[name] for name in names]


def is_float32(value: Any) -> bool:
    """Whether a value is a finite number in the range of float32."""
    return is_number(value) and abs(value) < MAX_VALUE


def _is_value(value: Any, minimum: float) -> bool:
    return is_float32(value) and minimum <= value


def _is_pair(value: Any) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2 and all(map(is_float32, value))
    return is_pair and bool(value[0] <= value[1])
