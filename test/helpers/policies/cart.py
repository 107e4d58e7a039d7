"""A cart on four wheels with a mast, and a network that drives it by the command.

The mast is driven by position, the wheels by velocity: what a robot with wheels for feet has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from helpers.policies import models

RADIUS, HALF_TRACK = 0.1, 0.2
"""m, of a wheel; between the middle and the wheels of a side."""
WHEELS = ('front_left', 'front_right', 'rear_left', 'rear_right')
JOINTS = ('mast', *WHEELS)
SCALE = 5.0
"""rad/s of a wheel for an output of 1."""
KD = 1.0

_WHEEL = """
      <body name="{name}" pos="{x} {y} 0">
        <joint name="{name}" axis="0 1 0" armature="0.005"/>
        <geom type="ellipsoid" size="0.1 0.03 0.1" mass="0.5" friction="{grip} 0.005 0.0001"/>
      </body>"""
# The rear wheels slip sideways, as casters do: the front ones steer.
_PLACES = ((0.2, HALF_TRACK), (0.2, -HALF_TRACK), (-0.2, HALF_TRACK), (-0.2, -HALF_TRACK))
_BODIES = ''.join(
    _WHEEL.format(name=name, x=x, y=y, grip=1.0 if x > 0.0 else 0.02)
    for name, (x, y) in zip(WHEELS, _PLACES, strict=True)
)
_ACTUATORS = {
    'motor': '<motor joint="{name}"/>',
    'velocity': '<velocity joint="{name}" kv="3"/>',
    'position': '<position joint="{name}" kp="3"/>',
}
"""Kinds of actuators, in the MJCF's words."""


def mjcf(actuator: str = 'motor') -> str:
    """Return the MJCF of a cart whose wheels have this kind of actuator."""
    driven = ''.join(_ACTUATORS[actuator].format(name=name) for name in WHEELS)
    return f"""
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 0.05" friction="0.02 0.005 0.0001"/>
    <body name="cart" pos="0 0 0.15">
      <freejoint/>
      <geom type="box" size="0.25 0.12 0.04" mass="6"/>
      <site name="imu"/>
      <body name="pole" pos="0 0 0.04">
        <joint name="mast" axis="0 1 0" damping="0.1" armature="0.02"/>
        <geom type="capsule" size="0.02" fromto="0 0 0 0 0 0.2" mass="0.3"/>
      </body>{_BODIES}
    </body>
  </worldbody>
  <actuator><position joint="mast" kp="20" kv="1"/>{driven}</actuator>
</mujoco>
"""


def robot_content(**wheel: Any) -> dict[str, Any]:
    """Return the robot file; `wheel` changes the entry of each wheel, None takes a key out."""
    entry = {
        'continuous': True, 'kp': 0.0, 'kd': KD, 'kp_max': 0.0, 'kd_max': 4.0,
        'torque_limit': 8.0, 'velocity_limit': 20.0,
    } | wheel  # fmt: skip
    entry = {key: value for key, value in entry.items() if value is not None}
    mast = {
        'lower': -1.0, 'upper': 1.0, 'home': 0.0, 'kp': 20.0, 'kd': 1.0, 'kp_max': 40.0,
        'kd_max': 4.0, 'torque_limit': 20.0, 'velocity_limit': 10.0,
    }  # fmt: skip
    return {
        'name': 'cart',
        'mjcf': 'cart.xml',
        'base_frame': 'base_link',
        'imu': {'frame': 'imu_link', 'mounting': [1, 0, 0, 0], 'site': 'imu'},
        'joints': {'mast': mast} | {name: dict(entry) for name in WHEELS},
    }


def spec_content(**more: Any) -> dict[str, Any]:
    """Return the policy spec; `more` replaces and adds keys."""
    return {
        'name': 'cart',
        'control_rate': 50.0,
        'joints': list(JOINTS),
        'default_pose': 0.0,
        'gains': {
            'kp': {'mast': 20.0} | dict.fromkeys(WHEELS, 0.0),
            'kd': KD,
            'torque_limit': {'mast': 20.0} | dict.fromkeys(WHEELS, 8.0),
        },
        'commands': {'xvel': [-1.0, 1.0], 'yawrate': [-2.0, 2.0]},
        'observation': {
            'terms': [
                {'source': 'command'},
                {'source': 'gyroscope'},
                {'source': 'joint_positions', 'joints': ['mast'], 'relative': True},
                {'source': 'joint_velocities'},
                {'source': 'last_action', 'which': 'target'},
            ]
        },
        'action': [
            {'joints': ['mast'], 'relative_to': 'default_pose', 'scale': 0.1},
            {'joints': list(WHEELS), 'target': 'velocity', 'scale': SCALE},
        ],
    } | more


def network() -> bytes:
    """Return a network that rolls as commanded, and leans the mast against the yaw rate."""
    weights = np.zeros((16, 5), np.float32)
    weights[0, 1:] = 1.0 / RADIUS / SCALE
    weights[1, 1:] = np.array([-1.0, 1.0, -1.0, 1.0]) * HALF_TRACK / RADIUS / SCALE
    weights[4, 0] = -0.5  # gyroscope z
    weights[7:11, 0] = 0.01  # some feedback of the joint velocities, for bits that matter
    graph = models.Builder()
    action = graph.op('MatMul', 'obs', graph.const(weights))
    graph.add(models.helper.make_node('Identity', [action], ['actions']))
    return graph.build({'obs': (1, 16)}, {'actions': (1, 5)})


@dataclass(frozen=True)
class Cart:
    """The files of a cart."""

    robot: Path
    model: Path
    spec: Path


def write_cart(
    folder: Path,
    actuator: str = 'motor',
    wheel: dict[str, Any] | None = None,
    **spec: Any,
) -> Cart:
    """Write the files of a cart; `wheel` and `spec` as in `robot_content` and `spec_content`."""
    (folder / 'cart.xml').write_text(mjcf(actuator))
    cart = Cart(folder / 'cart.yaml', folder / 'cart.onnx', folder / 'cart.spec.yaml')
    cart.robot.write_text(yaml.safe_dump(robot_content(**(wheel or {})), sort_keys=False))
    cart.model.write_bytes(network())
    cart.spec.write_text(yaml.safe_dump(spec_content(**spec), sort_keys=False))
    return cart
