"""Finds files that are not part of the repository; tests that need them skip where they are not.

`KINFER_ROS_SHARED` names the folder; without it, `shared` beside the checkout is used.
"""

from __future__ import annotations

import os
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def shared_path(relative: str) -> Path | None:
    """:return: the file or folder of that name among the shared files; None where it is not."""
    root = os.environ.get('KINFER_ROS_SHARED')
    path = (Path(root) if root else _REPOSITORY.parent / 'shared') / relative
    return path if path.exists() else None


def kinfer_archives() -> list[Path]:
    """Real archives of the kinfer-unit-tests repository, by name; empty where there are none."""
    folder = shared_path('policies/kinfer_unit_tests')
    return sorted(folder.glob('*.kinfer')) if folder else []
