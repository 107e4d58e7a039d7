"""Edits of plain YAML data, as people and other versions of an exporter make them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
"""Values of any type, many of them wrong anywhere."""


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and index of the content, as a path."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def edited(content: Any, *edits: tuple[tuple[Any, ...], Any]) -> Any:
    """A copy with values replaced at their paths; `...` removes one; lost places are skipped."""
    changed = copy.deepcopy(content)
    for path, value in edits:
        place = changed
        for key in path[:-1]:
            place = _inside(place, key)
        if value is ...:
            if _inside(place, path[-1]) is not None:
                place.pop(path[-1])
        elif isinstance(place, dict) or _inside(place, path[-1]) is not None:
            place[path[-1]] = value
    return changed


def _inside(place: Any, key: Any) -> Any:
    if isinstance(place, dict):
        return place.get(key)
    if isinstance(place, list) and isinstance(key, int) and key < len(place):
        return place[key]
    return None


def some_edits(content: Any) -> Any:
    """One to three edits of any places, some of which remove a key."""
    values = VALUES | st.just(...)
    return st.lists(
        st.tuples(st.sampled_from(list(places(content))), values), min_size=1, max_size=3
    )
