"""Reads names, vectors and bounds of a YAML section: one number for all, a list, or by name.

A scale written as `0.25`, as twelve numbers, or as `{hip: 0.1, ...}` is the same thing three ways.
Without this module each reader of a vector would accept its own subset of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_file import is_number

Vector = tuple[float, ...]
Bounds = tuple[Vector, Vector]

MAX_COUNT = 4096
"""Entries of any list; no robot has as many joints."""
MAX_VALUE = 3.4e38
"""Beyond this a float32 is infinite."""


def read_names(
    section: Section, key: str, known: Sequence[str] | None = None, *, required: bool = True
) -> tuple[str, ...]:
    """
    Read a list of distinct names.

    :param known: the names there are; all of them, in their order, where the key is absent.
    """
    value = section.plain(key)
    if value is None:
        if known is not None and not section.has(key):
            return tuple(known)
        if required:
            section.problem(f"missing key '{key}'" if not section.has(key) else 'is empty', key)
        return ()
    if not isinstance(value, list) or not value or len(value) > MAX_COUNT:
        section.problem(f'found {shown(value)}, expected a list of names', key)
        return ()
    wrong = [name for name in value if not isinstance(name, str) or not name.strip()]
    if wrong:
        section.problem(f'found {shown(wrong[0])}, expected names', key)
        return ()
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        section.problem(f'found {", ".join(twice)} more than once, expected each name once', key)
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
    Read one number for each of `names`: a number for all, a list in their order, or by name.

    :param default: for all of them, where the key is absent; None where it then is None.
    """
    value = section.plain(key)
    count = len(names)
    if value is None and not section.has(key):
        return None if default is None else (default,) * count
    if not names:
        return ()  # the names themselves are wrong, which is noted already
    if isinstance(value, dict):
        value = _by_name(section, key, value, names)
        if value is None:
            return (0.0,) * count
    if _is_value(value, minimum):
        return (float(value),) * count
    if not isinstance(value, list) or not all(_is_value(entry, minimum) for entry in value):
        least = '' if minimum == -math.inf else f' of at least {minimum:g}'
        wanted = f'a number{least} ({unit}), {count} of them, or {{name: number}}'
        section.problem(f'found {shown(value)}, expected {wanted}', key)
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
    """Read [lowest, highest] for all of `names`, or one such pair for each; None where absent."""
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
        wanted = f'[lowest, highest] ({unit}), or {count} such pairs'
        section.problem(f'found {shown(value)}, expected {wanted}', key)
        return None
    return tuple(float(low) for low, _ in value), tuple(float(high) for _, high in value)


def shown(value: Any) -> str:
    """Write a plain value as it stands in the file, cut to a readable length."""
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


def fits(value: Any) -> bool:
    """Whether a value is a finite number that float32 can hold."""
    return is_number(value) and abs(value) < MAX_VALUE


def _is_value(value: Any, minimum: float) -> bool:
    return fits(value) and minimum <= value


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(fits(entry) for entry in value)
        and value[0] <= value[1]
    )
