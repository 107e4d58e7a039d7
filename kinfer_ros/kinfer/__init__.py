"""A runner for providers in the style of kinfer: a script for kinfer runs by changing its import.

`from kinfer_ros.kinfer import ModelProviderABC, PyModelRunner` in place of `kinfer.rust_bindings`.
It is kinfer's bare loop: no guards, limits or fades, which the policy node has. See
docs/coming_from_kinfer.md.
"""

from kinfer_ros import __version__
from kinfer_ros.kinfer.metadata import PyInputType
from kinfer_ros.kinfer.metadata import PyModelMetadata
from kinfer_ros.kinfer.metadata import metadata_from_json
from kinfer_ros.kinfer.provider import ModelProviderABC
from kinfer_ros.kinfer.runner import PyModelRunner

__all__ = [
    'ModelProviderABC',
    'PyInputType',
    'PyModelMetadata',
    'PyModelRunner',
    'get_version',
    'metadata_from_json',
]


def get_version() -> str:
    """Return the version of this package."""
    return __version__
