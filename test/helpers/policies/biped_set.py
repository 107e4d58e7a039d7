"""A set of the biped that ships: its walk, and the same with other gains."""

from __future__ import annotations

from pathlib import Path

from helpers.walking import MODEL

SET = """enter: walk
policies:
  walk: {{model: {model}, button: 4}}
  soft: {{model: {model}, kp_factor: 0.95, button: 5}}
transitions:
  - {{from: walk, to: soft{conditions}}}
"""


def biped_set(folder: Path, conditions: str = '') -> Path:
    """
    Write it; there is no way back to the walk.

    :param conditions: of the transition, such as `max_tilt: 0.3`.
    """
    more = f', conditions: {{{conditions}}}' if conditions else ''
    path = folder / 'set.yaml'
    path.write_text(SET.format(model=MODEL, conditions=more))
    return path
