"""A file is replaced whole or not at all, with the permissions that any new file has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kinfer_ros.atomic_file import replace_file


def test_parts_are_one_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    """Also under the longest name that a file may have."""
    path = tmp_path / ('n' * 255)
    path.write_bytes(b'old')
    replace_file(path, b'new ', b'content')
    assert path.read_bytes() == b'new content'
    assert list(tmp_path.iterdir()) == [path]


def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    """Those of a temporary file let nobody else read a report."""
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / 'file', b'content')
    finally:
        os.umask(before)
    assert (tmp_path / 'file').stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_leaves_the_old_content(tmp_path: Path) -> None:
    """The second part is no bytes: the first has been written by then."""
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    with pytest.raises(TypeError):
        replace_file(path, b'new', None)  # type: ignore[arg-type]
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]
