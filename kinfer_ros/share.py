"""Finds the files that ship with the code, in a checkout and in an installed package."""

import os
from pathlib import Path

PACKAGE = 'kinfer_ros'


def share_dir() -> Path:
    """
    Folder that holds config/, launch/ and robots/.

    :return: the source tree when this code runs from one, else `share/kinfer_ros` of the first
        prefix in AMENT_PREFIX_PATH that has the package.
    """
    source = Path(__file__).resolve().parents[1]
    if (source / 'package.xml').is_file():
        return source
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        share = Path(prefix) / 'share' / PACKAGE
        if prefix and (share / 'package.xml').is_file():
            return share
    # lib/pythonX.Y/site-packages/kinfer_ros -> the install prefix, where nothing is sourced.
    return Path(__file__).resolve().parents[4] / 'share' / PACKAGE


def shipped_policy(robot: str) -> Path | None:
    """Return the policy that ships for a robot, by the name or the path of its file, or None."""
    path = share_dir() / 'robots' / Path(robot).stem / 'walk.kinfer'
    return path if path.is_file() else None
