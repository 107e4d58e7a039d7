"""What a layout for Foxglove shows."""

from __future__ import annotations

import re
from typing import Any


def paths_of(layout: dict[str, Any]) -> list[str]:
    """Every path of a plot or a panel of states, such as `/odom.twist.twist.linear.x`."""
    panels = layout['configById'].values()
    return [path['value'] for panel in panels for path in panel.get('paths', ())]


def topics_of(layout: dict[str, Any]) -> set[str]:
    """Every topic that a panel shows."""
    found = {re.split(r'[.\[{]', path)[0] for path in paths_of(layout)}
    for panel in layout['configById'].values():
        found |= {panel['topicToRender']} if 'topicToRender' in panel else set()
        found |= set(panel.get('topics', ()))
        layers = panel.get('layers', {}).values()
        found |= {layer['topic'] for layer in layers if 'topic' in layer}
    return found
