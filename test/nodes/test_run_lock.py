"""Two recorders in one graph: a run has one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.ros


def test_a_run_has_one_recorder(tmp_path: Path) -> None:
    """Two launches in one graph wrote into one run; after the first has ended, another may."""
    from kinfer_ros.nodes.recorder import RunLock

    first = RunLock(tmp_path)
    with pytest.raises(BlockingIOError):
        RunLock(tmp_path)
    first.release()
    first.release()
    RunLock(tmp_path).release()
    with pytest.raises(OSError, match='No such file'):
        RunLock(tmp_path / 'gone')
