"""Writes the YAML files that `import` and `robot` make, all or none, and says what to fill in."""

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import Place
from kinfer_ros.fill_in import places_in
from kinfer_ros.policy.archive import write_atomically

DRAFT = 1
"""Exit code: written, with places to fill in."""


def as_yaml(
    content: dict[str, Any], title: str, assumptions: Sequence[str], warnings: Sequence[str] = ()
) -> str:
    """Return the text of a file, with what is assumed at its top."""
    lines = [f'# {title}.', *(f'# Warning: {line}' for line in warnings)]
    lines += ['# Assumed, not in the file:', *(f'#   {line}' for line in assumptions)]
    dumped = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    return '\n'.join(lines) + '\n' + str(dumped)


@contextlib.contextmanager
def written(texts: Mapping[Path, str], *, overwrite: bool) -> Iterator[dict[Path, list[Place]]]:
    """
    Write files, to be read back in the block; an error there leaves the folder as it was.

    :return: the places to fill in of each file.
    :raises ModelError: one is there already, or cannot be written.
    """
    before = {path: data for path in texts if (data := _content(path)) is not None}
    if before and not overwrite:
        raise ModelError(f'{next(iter(before))}: exists already; --force overwrites it')
    try:
        for path, text in texts.items():
            write_atomically(path, text.encode(), overwrite=overwrite)
        yield {path: places_in(text) for path, text in texts.items()}
    except BaseException:
        for path in texts:
            if path in before:
                write_atomically(path, before[path], overwrite=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _content(path: Path) -> bytes | None:
    """:return: what is there, None where nothing is; makes its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ModelError(f'{path}: cannot be written: {reason}') from None


def print_assumptions(assumptions: Sequence[str], warnings: Sequence[str] = ()) -> None:
    """Print what was assumed, and what is probably wrong."""
    print('assumed, not in the file:')
    for line in assumptions:
        print(f'  - {line}')
    for line in warnings:
        print(f'warning: {line}')


def print_places(places: Mapping[Path, Sequence[Place]]) -> None:
    """Print all places to fill in."""
    count = sum(map(len, places.values()))
    print(f'to fill in, {count} place{"s" if count > 1 else ""}:')
    for path, found in places.items():
        for place in found:
            print(f'  - {path}, {place}')
