"""Starts Rerun's viewer on this machine alone, and waits until it listens.

The SDK's own way listens on every network, looks for the viewer on PATH alone, and waits for ever
for one that has no display.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kinfer_ros.errors import RunError

HOST, PORT = '127.0.0.1', 9876
URL = f'rerun+http://{HOST}:{PORT}/proxy'
TIMEOUT = 20.0
"""s that the viewer has to start."""


def open_viewer() -> str:
    """
    Return the address of a viewer: of the one that is open, else of a new one, which stays.

    :raises RunError: there is none, or it does not start.
    """
    if _listens():
        return URL
    beside = Path(sys.executable).parent
    viewer = shutil.which('rerun', path=f'{beside}{os.pathsep}{os.environ.get("PATH", "")}')
    if viewer is None:
        raise RunError(f'no program rerun in {beside} or on PATH; --save FILE.rrd needs none')
    words = [viewer, '--bind', HOST, '--port', str(PORT), '--expect-data-soon']
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 no shell, and no word of it is a user's
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            # One without a display listens for a moment before it finds that out.
            if process.poll() is not None:
                said.seek(0)
                raise RunError(f"Rerun's viewer ended at once: {_reason(said.read())}")
            if _listens() and time.monotonic() > deadline - TIMEOUT + 1.0:
                return URL
            time.sleep(0.1)
    process.kill()
    raise RunError(f"Rerun's viewer did not start within {TIMEOUT:g} s; --save writes a file")


def _listens() -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, PORT)) == 0


def _reason(said: bytes) -> str:
    """Take what a program said last that looks like a reason."""
    lines = said.decode(errors='replace').strip().splitlines()
    last = next((line for line in reversed(lines) if 'rror' in line), ' '.join(lines[-1:]))
    if 'DISPLAY' in last:
        return 'there is no display here; --save FILE.rrd writes what it would show'
    return last[:300] or 'without a word'
