"""Which IMU of several is taken: the one that is rigid with the base, and it is said."""

from __future__ import annotations

import mujoco
import pytest

from helpers.shared import shared_path
from kinfer_ros.bridges.mujoco.imu_site import find_imu_site
from kinfer_ros.robot.mjcf import read_mjcf

MJCF = """
<mujoco>
  <worldbody>
    <body name="pelvis">
      <freejoint/>
      <geom size="0.1"/>
      {pelvis}
      <body name="shell"><geom size="0.1"/>{shell}</body>
      <body name="waist">
        <joint name="waist_yaw"/>
        <geom size="0.1"/>
        <body name="torso"><joint name="waist_roll"/><geom size="0.1"/>{torso}</body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="waist_yaw"/><motor joint="waist_roll"/></actuator>
  <sensor>{sensors}</sensor>
</mujoco>
"""


def text(**where):
    """An MJCF with these sites, by body; `gyros` in the order of its sensors."""
    gyros = where.pop('gyros', ())
    parts = dict.fromkeys(('pelvis', 'shell', 'torso'), '')
    parts |= {body: f'<site name="{name}"/>' for body, name in where.items()}
    return MJCF.format(**parts, sensors=''.join(f'<gyro site="{name}"/>' for name in gyros))


def choose(asked=None, **where):
    spec = mujoco.MjSpec.from_string(text(**where))
    return find_imu_site(spec, spec.body('pelvis'), asked, ('imu', 'imu_link'))


@pytest.mark.parametrize(
    ('where', 'name', 'joints'),
    [
        ({'torso': 'up', 'pelvis': 'low', 'gyros': ('up', 'low')}, 'low', 0),
        ({'torso': 'up', 'shell': 'low', 'gyros': ('up', 'low')}, 'low', 0),
        ({'torso': 'imu', 'pelvis': 'low', 'gyros': ('imu', 'low')}, 'low', 0),
        ({'torso': 'imu_link', 'pelvis': 'imu'}, 'imu', 0),
        ({'shell': 'imu_link', 'pelvis': 'imu'}, 'imu', 0),
        ({'torso': 'up', 'gyros': ('up',)}, 'up', 2),
        ({'torso': 'imu', 'pelvis': 'other'}, 'imu', 2),
        ({'pelvis': 'other'}, None, 0),
    ],
)
def test_the_one_that_is_rigid_with_the_base(where, name, joints):
    """Not the first: the G1 lists the torso's sensors first; a fixed link is as good."""
    found = choose(**where)
    assert (found.name, found.joints) == (name, joints)
    assert bool(found.warning()) == bool(joints)


def test_what_else_there_is_is_said():
    """A user who knows better has to find the other's name."""
    found = choose(torso='up', pelvis='low', gyros=('up', 'low'))
    assert found.describe() == (
        'the site low, rigid with the base; also there: up (2 joints away from the base)'
    )


def test_a_site_that_was_asked_for_is_taken_with_a_warning():
    """The policy may have been trained with it; the warning names the other."""
    found = choose('up', torso='up', pelvis='low', gyros=('up', 'low'))
    assert found.name == 'up'
    assert '2 joints away from the base' in found.warning()
    assert 'imu.site: low' in found.warning()


@pytest.mark.parametrize('name', ['pelvis', ''])
def test_import_and_simulator_choose_alike(tmp_path, name):
    """The robot file that import writes is what the simulator reads; the base may have no name."""
    path = tmp_path / 'robot.xml'
    content = text(torso='up', pelvis='low', gyros=('up', 'low'))
    path.write_text(content.replace('name="pelvis"', f'name="{name}"' if name else ''))
    assert read_mjcf(path).imu.name == 'low'


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
def test_the_shared_case():
    """Two IMUs, the torso's first."""
    assert read_mjcf(shared_path('cases/two_imus/robot.xml')).imu.name == 'imu_in_pelvis'
