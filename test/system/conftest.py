"""Where runs in real time share a busy machine with other work, a late sample is not the point."""

from __future__ import annotations

from pathlib import Path

import pytest

PATIENT = """\
/**:
  policy_node:
    ros__parameters: {stale_timeout: 2.0}
  mujoco_bridge:
    ros__parameters: {command_timeout: 2.0}
"""


@pytest.fixture
def patient(tmp_path: Path) -> str:
    """`params_file:=...` with guards on time that a loaded machine does not trip."""
    path = tmp_path / 'patient.yaml'
    path.write_text(PATIENT)
    return f'params_file:={path}'
