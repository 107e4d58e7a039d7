"""A tiny robot for tests: a floating box with two joints, one servo and one motor."""

from __future__ import annotations

from pathlib import Path

MJCF = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.002"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 0.05"/>
    <body name="box" pos="0 0 1">
      <freejoint/>
      <geom type="box" size="0.1 0.1 0.1" mass="5"/>
      <site name="imu"/>
      <body name="upper" pos="0 0.2 0">
        <joint name="hip" axis="0 1 0" damping="0.1" armature="0.01"/>
        <geom type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2" mass="0.5"/>
        <body name="lower" pos="0 0 -0.2">
          <joint name="knee" axis="0 1 0" damping="0.1" armature="0.01"/>
          <geom type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2" mass="0.5"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="knee_motor" joint="knee" gear="4"/>
    <position name="hip_servo" joint="hip" kp="1" kv="0.1"/>
  </actuator>
</mujoco>
"""

YAML = """
name: pendulum
mjcf: robot.xml
base_frame: base_link
imu: {frame: imu_link, mounting: [1, 0, 0, 0]}
joints:
  hip: {lower: -1, upper: 1, home: 0.2, kp: 30, kd: 1, kp_max: 60, kd_max: 3,
        torque_limit: 10, velocity_limit: 10}
  knee: {lower: -2, upper: 2, home: -0.4, kp: 20, kd: 0.5, kp_max: 40, kd_max: 2,
         torque_limit: 8, velocity_limit: 10}
"""


def write_robot(folder: Path, mjcf: str = MJCF, yaml: str = YAML) -> Path:
    """Write both files; return the path of the YAML."""
    (folder / 'robot.xml').write_text(mjcf)
    path = folder / 'robot.yaml'
    path.write_text(yaml)
    return path
