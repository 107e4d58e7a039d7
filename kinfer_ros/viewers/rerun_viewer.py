"""Starts Rerun's viewer on localhost and waits until it listens.

The SDK's own function listens on every network, searches for the viewer only on PATH, and waits
forever where there is no display.
"""

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
START_TIMEOUT = 20.0
"""s"""


def open_viewer() -> str:
    """
    Return the address of the running viewer, else of a new one, which stays open.

    :raises RunError: there is no viewer, or it does not start.
    """
    if _listens():
        return URL
    folder = Path(sys.executable).parent
    viewer = shutil.which('rerun', path=f'{folder}{os.pathsep}{os.environ.get("PATH", "")}')
    if viewer is None:
        raise RunError(f'no program rerun in {folder} or on PATH; --out FILE.rrd needs none')
    command = [viewer, '--bind', HOST, '--port', str(PORT), '--expect-data-soon']
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 no shell, and no input of a user
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            # Without a display it listens for a moment before it fails.
            if process.poll() is not None:
                output.seek(0)
                reason = _reason(output.read())
                raise RunError(
                    f"Rerun's viewer ended at once: {reason}; --out FILE.rrd writes what it would "
                    'show'
                )
            if _listens() and time.monotonic() > deadline - START_TIMEOUT + 1.0:
                return URL
            time.sleep(0.1)
    process.kill()
    raise RunError(f"Rerun's viewer did not start within {START_TIMEOUT:g} s; --out writes a file")


def _listens() -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, PORT)) == 0


def _reason(output: bytes) -> str:
    """Return the last line of a program's output that looks like an error."""
    lines = output.decode(errors='replace').strip().splitlines()
    last = next((line for line in reversed(lines) if 'rror' in line), ' '.join(lines[-1:]))
    if 'DISPLAY' in last:
        return 'there is no display here'
    return last[:300] or 'without any output'
