"""Run a trained policy on a robot in ROS 2.

This package itself needs no ROS: `load_model` works with numpy and onnxruntime alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

from kinfer_ros.errors import KinferRosError

if TYPE_CHECKING:
    from kinfer_ros.policy.contract import Contract
    from kinfer_ros.policy.policy import Policy
    from kinfer_ros.policy.policy import load_model

__version__ = '0.1.0'

__all__ = ['Contract', 'KinferRosError', 'Policy', '__version__', 'load_model']

_HOMES = {
    'Contract': 'kinfer_ros.policy.contract',
    'Policy': 'kinfer_ros.policy.policy',
    'load_model': 'kinfer_ros.policy.policy',
}


def __getattr__(name: str) -> Any:
    """Import on first use: a bridge or recorder process never needs ONNX Runtime."""
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_HOMES[name]), name)
