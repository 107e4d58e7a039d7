"""Runs the script of kinfer's kind, policy/kinfer_peer.py, with its import changed to ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / 'test' / 'policy' / 'kinfer_peer.py'


def changed_script() -> str:
    """:return: the script; nothing but its import differs."""
    text = SCRIPT.read_text()
    assert text.count('from kinfer.rust_bindings import') == 2
    return text.replace('kinfer.rust_bindings', 'kinfer_ros.kinfer')


def script_actions(model: Path, inputs: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    """:return: the actions that it saves."""
    script = folder / 'changed_script.py'
    script.write_text(changed_script())
    np.savez(folder / 'script_inputs.npz', **inputs)
    words = [str(model), str(folder / 'script_inputs.npz'), str(folder / 'script_out.npz')]
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, timeout=60,
        check=False, env={'PYTHONPATH': str(REPOSITORY), 'PATH': '/usr/bin:/bin'},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(folder / 'script_out.npz') as file:
        return file['actions']
