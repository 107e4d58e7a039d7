"""Writes files that a reader sees whole, or not at all."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, *parts: bytes) -> None:
    """
    Write a file atomically: there is always either the old content or the new, synced to the disk.

    :param parts: of the new content; they are not joined in memory.
    :raises OSError: the file cannot be written; the old one is unchanged.
    """
    partial = path.with_name(f'.{secrets.token_hex(8)}.partial')
    try:
        with partial.open('xb') as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
