"""The layout for a robot in a namespace: its topics, its node, its frames, and nothing else."""

from __future__ import annotations

import json

from helpers.foxglove_layout import paths_of
from helpers.foxglove_layout import topics_of
from kinfer_ros.viewers.foxglove_layout import SHIPPED
from kinfer_ros.viewers.foxglove_layout import layout_for


def test_without_a_namespace_it_is_the_shipped_one():
    """Or the two would differ."""
    assert layout_for('/') == json.loads(SHIPPED.read_text())


def test_topics_nodes_and_frames_move():
    """A topic that all robots share does not; in it, the status is that of the robot's node."""
    moved = layout_for('/left')
    shared = {'/diagnostics', '/rosout'}
    expected = topics_of(layout_for('/')) - shared
    assert topics_of(moved) == shared | {f'/left{topic}' for topic in expected}
    timing = [path for path in paths_of(moved) if path.startswith('/diagnostics')]
    assert timing
    assert all('{name=="/left/policy_node: policy"}' in path for path in timing)
    scene = moved['configById']['3D!robot']
    assert scene['followTf'] == 'left/odom'
    assert scene['layers']['robot']['framePrefix'] == 'left/'
    assert moved['layout'] == layout_for('/')['layout']
