"""A viewer that cannot start is a one-line error and does not block."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from kinfer_ros.errors import RunError
from kinfer_ros.viewers import rerun_viewer

LISTENS = """
import socket, sys, time
assert '127.0.0.1' in sys.argv
with socket.create_server(('127.0.0.1', int(sys.argv[-2]))) as server:
    server.settimeout(3)
    server.accept()
    time.sleep(1.5)
"""


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free port."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        monkeypatch.setattr(rerun_viewer, 'PORT', server.getsockname()[1])


def program(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """A fake viewer program."""
    path = folder / 'rerun'
    path.write_text(f'#!{sys.executable}\n{text}')
    path.chmod(0o755)
    monkeypatch.setattr(rerun_viewer.shutil, 'which', lambda *_, **__: str(path))


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (
            "import sys; sys.exit('Error: neither WAYLAND_DISPLAY nor DISPLAY is set.')",
            'no display here; --out FILE.rrd writes',
        ),
        ("import sys; sys.exit('Error: no graphics')", 'ended at once: Error: no graphics; --out'),
        ('', 'without any output'),
    ],
)
@pytest.mark.usefixtures('free')
def test_one_that_ends_says_why(monkeypatch, tmp_path, text, said):
    """For example over ssh, or in a container."""
    program(monkeypatch, tmp_path, text)
    with pytest.raises(RunError, match=said):
        rerun_viewer.open_viewer()


@pytest.mark.usefixtures('free')
def test_none_is_there(monkeypatch):
    """The Python module without its program."""
    monkeypatch.setattr(rerun_viewer.shutil, 'which', lambda *_, **__: None)
    with pytest.raises(RunError, match='no program rerun'):
        rerun_viewer.open_viewer()


@pytest.mark.usefixtures('free')
def test_it_is_started_on_this_machine_alone_and_then_used_again(monkeypatch, tmp_path):
    """It listens on localhost only, and a running viewer is reused."""
    program(monkeypatch, tmp_path, LISTENS)
    assert rerun_viewer.open_viewer() == rerun_viewer.URL
    monkeypatch.setattr(rerun_viewer.shutil, 'which', lambda *_, **__: None)
    assert rerun_viewer.open_viewer() == rerun_viewer.URL
