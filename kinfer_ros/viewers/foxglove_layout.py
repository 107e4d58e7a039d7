"""The layout for Foxglove, made for a robot in a namespace."""

import json
from typing import Any

from kinfer_ros.share import share_dir

SHIPPED = share_dir() / 'config' / 'layouts' / 'foxglove.json'
"""For a robot without a namespace."""

GLOBAL_TOPICS = ('clock', 'diagnostics', 'parameter_events', 'rosout', 'tf', 'tf_static')
"""Topics outside a robot's namespace that belong to every robot."""

_STATUS = 'name=="/'
"""In a path into /diagnostics, before the full name of a node."""


def layout_for(namespace: str) -> dict[str, Any]:
    """
    Return the shipped layout with the topics, nodes and frames of a robot.

    :param namespace: such as `/robot1`; `/`: none.
    """
    layout: dict[str, Any] = json.loads(SHIPPED.read_text())
    prefix = namespace.rstrip('/')
    panels = layout['configById']
    layout['configById'] = {name: _moved(panel, prefix) for name, panel in panels.items()}
    return layout


def _moved(part: Any, prefix: str) -> Any:
    """Move each topic and frame of a part of the layout into the namespace."""
    if isinstance(part, list):
        return [_moved(each, prefix) for each in part]
    if isinstance(part, dict):
        moved = {_topic(key, prefix): _moved(value, prefix) for key, value in part.items()}
        for key in ('followTf', 'framePrefix'):
            if key in part and prefix:
                moved[key] = f'{prefix[1:]}/{part[key]}'  # as robot_state names its frames
        return moved
    return _topic(part, prefix) if isinstance(part, str) else part


def _topic(text: str, prefix: str) -> str:
    """Return a topic, or a path into one, of the namespace; any other text as it is."""
    if not text.startswith('/'):
        return text
    text = text.replace(_STATUS, f'name=="{prefix}/')
    if text[1:].split('.')[0] in GLOBAL_TOPICS:
        return text
    return prefix + text
