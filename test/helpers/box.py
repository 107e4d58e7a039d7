"""The plainest thing that touches the ground, for measures of contact."""

from __future__ import annotations

BOX = """
<mujoco>
  <worldbody>
    <geom type="plane" size="0 0 1"/>
    <body name="box" pos="0 0 0.1">
      <freejoint/>
      <geom type="box" size="0.1 0.1 0.1" mass="2"/>
    </body>
  </worldbody>
</mujoco>
"""
"""A box of 2 kg on a floor."""
