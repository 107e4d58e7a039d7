"""A biped on uneven ground, and an untrained policy whose targets show what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from helpers.policies import flat_models
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.share import share_dir

GRID: dict[str, Any] = {'size': [0.8, 0.4], 'resolution': 0.1, 'order': 'xy'}
POINTS = 45
SCENE = """
<mujoco>
  <include file="{biped}"/>
  <worldbody>
    <geom name="step" type="box" pos="0.35 0.1 0.05" size="0.15 0.12 0.05"
          contype="1" conaffinity="0"/>
  </worldbody>
</mujoco>
"""


def scene_robot(folder: Path) -> Path:
    """Write the biped's robot file, and its scene with a box in front of it."""
    scene = folder / 'scene.xml'
    scene.write_text(SCENE.format(biped=share_dir() / 'robots' / 'biped' / 'biped.xml'))
    content = yaml.safe_load((share_dir() / 'config' / 'robots' / 'biped.yaml').read_text())
    path = folder / 'biped.yaml'
    path.write_text(yaml.safe_dump(content | {'mjcf': str(scene)}))
    return path


def scan_policy(folder: Path, **term: Any) -> tuple[Path, Path]:
    """Write a policy of the biped; :return: its model and its spec."""
    robot: Robot = load_robot('biped')
    names = list(robot.joint_names)
    scan = {'source': 'height_scan', 'grid': GRID, 'offset': -0.5, 'clip': [-1.0, 1.0]} | term
    scan = {key: value for key, value in scan.items() if value is not None}
    size = scan.get('count', POINTS) + 3 + len(names)
    terms = [scan, {'source': 'gyroscope'}, {'source': 'joint_positions', 'relative': True}]
    content = flat_models.spec(
        terms,
        joints=names,
        default_pose=robot.home.tolist(),
        action={'relative_to': 'default_pose', 'scale': 0.5},
    )
    model = folder / 'scan.onnx'
    model.write_bytes(flat_models.linear(size, len(names))[0])
    return model, flat_models.write_spec(folder / 'scan.spec.yaml', content)
