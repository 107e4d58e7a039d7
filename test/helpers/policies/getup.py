"""A set of the biped that ships with a scripted policy to get up with, and a way via a pose."""

from __future__ import annotations

from pathlib import Path

from helpers.policies.models import Builder
from helpers.policies.models import init_fn
from helpers.policies.models import write_kinfer
from helpers.walking import MODEL
from kinfer_ros.robot.robot import load_robot

SET = """enter: walk
policies:
  walk: {{model: {walk}}}
  getup: {{model: getup.kinfer, kp_factor: 0.9, kd_factor: 0.9}}
  again: {{model: {walk}, kp_factor: 0.95}}
transitions:
  - {{from: any, to: getup, automatic: fallen, timeout_s: 3.0}}
  - {{from: getup, to: walk, automatic: upright, conditions: {{max_tilt: 0.3}}}}
  - {{from: walk, to: again, via_pose: {via}}}
  - {{from: again, to: walk}}
"""
VIA = '{duration_s: 0.3, pose: {left_knee: 0.75, right_knee: 0.75}}'


def getup_set(folder: Path, via: str = VIA) -> Path:
    """
    Write the set; :return: its path.

    The get-up asks for the home pose and counts its steps: it lifts no robot that lies.
    """
    robot = load_robot('biped')
    graph = Builder()
    still = graph.op('Mul', 'joint_angles', graph.const(0.0))
    action = graph.op('Add', still, graph.const(robot.home))
    following = graph.op('Add', 'carry', graph.const([1.0]))
    size = len(robot.joint_names)
    step = graph.build(
        {'joint_angles': (size,), 'carry': (1,)}, {action: (size,), following: (1,)}
    )
    meta = {
        'joint_names': list(robot.joint_names), 'command_names': [], 'carry_size': [1],
        'control_rate_hz': 50.0,
    }  # fmt: skip
    write_kinfer(folder / 'getup.kinfer', init_fn([0]), step, meta)
    path = folder / 'set.yaml'
    path.write_text(SET.format(walk=MODEL, via=via))
    return path
