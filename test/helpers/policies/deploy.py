"""A deploy.yaml of unitree_rl_lab with two joints, as plain data."""

from __future__ import annotations

from typing import Any

DEPLOY: dict[str, Any] = {
    'joint_ids_map': [1, 0],
    'step_dt': 0.02,
    'stiffness': [10.0, 20.0],
    'damping': [1.0, 2.0],
    'default_joint_pos': [0.5, -0.5],
    'commands': {'base_velocity': {'ranges': {'lin_vel_x': [-0.5, 1.0], 'heading': None}}},
    'actions': {
        'JointPositionAction': {
            'clip': None, 'joint_names': ['.*'], 'scale': [0.25, 0.25], 'offset': [0.5, -0.5],
            'joint_ids': None,
        }
    },
    'observations': {
        'base_ang_vel': {'params': {}, 'clip': None, 'scale': [0.2] * 3, 'history_length': 2},
        'gait_phase': {'params': {'period': 0.8}, 'clip': None, 'history_length': 1},
        'joint_pos_rel': {'params': {}, 'clip': [-1, 1], 'scale': [1.0, 1.0], 'history_length': 2},
    },
}  # fmt: skip
