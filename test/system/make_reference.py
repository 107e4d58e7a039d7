"""Writes test/system/data/walk_targets.npz again: run it when the shipped policy has changed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.walking import MODEL
from helpers.walking import walk

REFERENCE = Path(__file__).parent / 'data' / 'walk_targets.npz'
COMMAND = (0.3, 0.0, 0.0)
TICKS = 150


if __name__ == '__main__':
    REFERENCE.parent.mkdir(exist_ok=True)
    _, targets = walk(TICKS * 0.02, COMMAND)
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    np.savez(REFERENCE, targets=targets[:TICKS], command=COMMAND, model_sha256=digest)
    print(f'{REFERENCE}: {targets[:TICKS].shape}')
