"""Fail on tracked files that hardly anybody meant to commit: `make lint` runs this.

Prints each tracked file that is larger than 1 MB or of a kind that this repository does not hold.
Pictures, meshes, archives and arrays may stand in robots/, docs/images/ and test/ data folders.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

MAX_BYTES = 1_000_000

TEXT_KINDS = {
    '.c', '.cfg', '.css', '.html', '.ini', '.js', '.json', '.md', '.py', '.rst', '.sh', '.toml',
    '.txt', '.typed', '.xml', '.yaml',
}  # fmt: skip

NAMES = {'.gitignore', 'LICENSE', 'Makefile', 'run', 'kinfer_ros'}
"""Files without a suffix: .ci/run and resource/kinfer_ros are the last two."""

DATA_FOLDERS = ('robots/', 'docs/images/', 'test/data/', 'test/system/data/')


def problem(path: str, size: int) -> str:
    """Say what is odd about a tracked file, or ''."""
    if size > MAX_BYTES:
        return f'{path}: {size / 1e6:.1f} MB is more than {MAX_BYTES / 1e6:g} MB'
    if path.startswith(DATA_FOLDERS):
        return ''
    name = Path(path)
    if name.suffix not in TEXT_KINDS and name.name not in NAMES:
        return f'{path}: files of this kind are not kept outside {", ".join(DATA_FOLDERS)}'
    return ''


def main() -> int:
    """Print what is odd; return 1 if anything is."""
    listed = subprocess.run(('git', 'ls-files', '-z'), capture_output=True, check=False)  # noqa: S607
    if listed.returncode:
        print('not a git checkout: the tracked files were not looked at')
        return 0
    paths = [path for path in listed.stdout.decode().split('\0') if path]
    found = [problem(path, Path(path).stat().st_size) for path in paths if Path(path).is_file()]
    for line in filter(None, found):
        print(f'tracked by accident? {line}')
    return 1 if any(found) else 0


if __name__ == '__main__':
    raise SystemExit(main())
