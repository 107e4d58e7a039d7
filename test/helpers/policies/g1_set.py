"""A G1 that walks, dances and walks, of policies trained by others, where they are at hand."""

from __future__ import annotations

from pathlib import Path

from helpers.policies.flat_policies import FLAT
from helpers.policies.motions import dance

WALK = next(each for each in FLAT if each.name == 'g1')
WALK_S, DANCE_S, AFTER_S = 3.0, 24.02, 5.0
TICK_S = 0.02


def g1_set(folder: Path) -> Path | None:
    """Write the set and what it needs; :return: its path, or None where the files are not here."""
    found = dance(folder, 'g1_dance_102')
    if found is None or WALK.path is None:
        return None
    model, spec, _ = found
    path = folder / 'set.yaml'
    path.write_text(
        f"""enter: walk
policies:
  walk: {{model: {WALK.path}, spec: {WALK.spec}}}
  dance: {{model: {model}, spec: {spec}}}
transitions:
  - {{from: walk, to: dance, conditions: {{max_tilt: 0.3}}}}
  - {{from: dance, to: walk, automatic: motion_ended}}
"""
    )
    return path
