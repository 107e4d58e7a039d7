"""Sphinx's settings: `make docs` builds the pages of this folder into build/docs."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sphinx.ext.autodoc.mock import _MockObject  # noqa: E402

import kinfer_ros  # noqa: E402

# `Context | None` is evaluated where a module is imported; Sphinx's stand-ins know no `|`.
_MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self

project = 'kinfer_ros'
author = 'The kinfer_ros authors'
version = release = kinfer_ros.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc']
myst_heading_anchors = 3
suppress_warnings = ['myst.header']  # CONTRIBUTING.md and others begin with their own title
html_theme = 'furo'
html_show_copyright = False  # the license says it
html_title = f'kinfer_ros {release}'
html_static_path = ['_static']
html_css_files = ['style.css']

# The API is read from the docstrings; what it runs on need not be installed for that.
autodoc_mock_imports = [
    'builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'google', 'grpc', 'imageio_ffmpeg',
    'kos_protos', 'lifecycle_msgs', 'mcap', 'nav_msgs', 'onnxruntime', 'rcl_interfaces',
    'rclpy', 'rosbags', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs',
    'visualization_msgs',
]  # fmt: skip
autodoc_typehints = 'description'
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
