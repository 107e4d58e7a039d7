"""Drafts a height scan: no file of an exporter says where its points are."""

from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in


def draft_scan(term: dict[str, Any], width: int) -> None:
    """Write what no file says of a height scan: where its points are, and what is subtracted."""
    many = f'{width} points' if width else 'points'
    term['grid'] = fill_in(
        f'{{size: [x, y], resolution: m, order: xy}} of the {many}; or, in place of grid, count'
    )
    term['offset'] = fill_in(
        "m, minus the training's offset: -0.5 by default in Isaac Lab, 0 in mjlab"
    )


def size_scans(
    where: str,
    terms: list[dict[str, Any]],
    sizes: list[int],
    stated: list[int] | None,
    width: int | None,
) -> None:
    """Give a height scan, whose points are not in the file, the rest of the network's input."""
    places = [at for at, term in enumerate(terms) if term['source'] == 'height_scan']
    if not places:
        return
    frames = stated or [1] * len(terms)
    scans = sum(frames[at] for at in places)
    rest = sum(sizes[at] * frames[at] for at in range(len(sizes)) if at not in places)
    each = 0 if width is None else (width - rest) // scans
    if each < 1 or width != rest + each * scans:
        raise ModelError(
            f'{where}: observation_names: found a height scan, whose size is not in the file '
            f'and does not follow from the input ({width}): the other terms take {rest} numbers. '
            'Write a policy spec by hand (docs/specs.md)'
        )
    for at in places:
        sizes[at] = each
        draft_scan(terms[at], each)
