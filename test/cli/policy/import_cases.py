"""Metadata, robots and the call of `import`, for its tests."""

from __future__ import annotations

import yaml

from helpers.policies import flat_models
from helpers.policies.deploy import DEPLOY
from kinfer_ros.__main__ import main

METADATA = {
    'run_path': 'velocity/2026',
    'joint_names': 'hip,knee,ankle',
    'default_joint_pos': '0.100,-0.200,0.300',
    'joint_stiffness': '20.000,30.000,40.000',
    'joint_damping': '1.000,1.500,2.000',
    'action_scale': '0.500,0.250,0.500',
    'observation_names': 'base_ang_vel,projected_gravity,command,joint_pos,joint_vel,actions',
    'command_names': 'twist',
}


def run_import(capsys, *words):
    code = main(['import', *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def deploy_file(folder, content=DEPLOY):
    path = folder / 'deploy.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


HOLOSOMA = {
    'dof_names': '["hip", "knee", "ankle"]',
    'kp': '[20.0, 30.0, 40.0]',
    'kd': '[1.0, 1.5, 2.0]',
    'command_ranges': '{"lin_vel_x": [-1.0, 0.5], "lin_vel_y": null, "ang_vel_yaw": [-2, 2]}',
}
"""As holosoma writes it: gains, and neither pose, scale nor terms."""


def holosoma(folder, **changed):
    """A network with such metadata; :return: its path."""
    path = folder / 'holo.onnx'
    path.write_bytes(flat_models.linear(18, custom=HOLOSOMA | changed)[0])
    return path


BARE_MJCF = """
<mujoco model="leg">
  <compiler angle="radian"/>
  <worldbody>
    <body name="torso" pos="0 0 2">
      <freejoint/>
      <geom type="box" size="0.3 0.3 0.1" mass="5"/>
      <site name="imu"/>
      <body name="thigh">
        <joint name="hip" axis="0 1 0" range="-1 2" actuatorfrcrange="-30 30"/>
        <geom type="capsule" size="0.04" fromto="0 0 0 0 0 -0.2" mass="1"/>
        <body name="shin" pos="0 0 -0.2">
          <joint name="knee" axis="0 1 0" range="-2 0"/>
          <geom type="capsule" size="0.03" fromto="0 0 0 0 0 -0.2" mass="1"/>
          <body name="foot" pos="0 0 -0.2">
            <joint name="ankle" axis="0 1 0"/>
            <geom type="box" size="0.2 0.2 0.02" mass="0.5"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


URDF = """
<robot name="leg"><link name="torso"/><link name="thigh"/><link name="shin"/><link name="foot"/>
<joint name="knee" type="revolute"><parent link="thigh"/><child link="shin"/>
  <limit lower="-2" upper="0" effort="60" velocity="12"/></joint>
<joint name="hip" type="revolute"><parent link="torso"/><child link="thigh"/>
  <limit lower="-1" upper="1.5" effort="25" velocity="11"/></joint>
<joint name="ankle" type="continuous"><parent link="shin"/><child link="foot"/></joint>
</robot>
"""
