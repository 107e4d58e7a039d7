"""A step in two halves must be the step that MuJoCo makes, for every kind of model."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from helpers.policies.flat_policies import FLAT
from kinfer_ros.bridges.mujoco.stepper import Stepper
from kinfer_ros.robot.robot import load_robot

INTEGRATORS = ('Euler', 'implicit', 'implicitfast', 'RK4')
CONES = ('pyramidal', 'elliptic')
SOLVERS = ('PGS', 'CG', 'Newton')
SCENE = """<mujoco>
  <option integrator="{integrator}" cone="{cone}" solver="{solver}" {more}/>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body name="base" pos="0 0 0.5">
      <freejoint/>
      <geom type="box" size="0.2 0.1 0.05" mass="3"/>
      <site name="imu"/>
      <body pos="0.2 0 0">
        <joint name="hip" axis="0 1 0" damping="0.5" armature="0.01" range="-60 60"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.03" mass="1"/>
        <body pos="0 0 -0.3">
          <joint name="knee" axis="0 1 0" frictionloss="0.1"/>
          <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.03" mass="0.5"/>
        </body>
      </body>
    </body>
  </worldbody>
  <tendon><fixed name="cord"><joint joint="hip" coef="1"/><joint joint="knee" coef="-1"/></fixed>
  </tendon>
  <equality><weld body1="base" active="false"/></equality>
  <actuator>
    <position joint="hip" kp="40" kv="1"/>
    <motor joint="knee"/>
    <general tendon="cord" dyntype="filter" dynprm="0.05" gainprm="2"/>
  </actuator>
  <sensor><accelerometer site="imu"/><gyro site="imu"/></sensor>
</mujoco>"""


def scene(integrator: str = 'Euler', cone: str = 'pyramidal', solver: str = 'Newton', more=''):
    """A jumping leg with joints, a tendon, a filter, friction and limits."""
    text = SCENE.format(integrator=integrator, cone=cone, solver=solver, more=more)
    return mujoco.MjModel.from_xml_string(text)


def states(model, *, halves: bool, refresh_every: int = 3) -> np.ndarray:
    """Drive a model at random; :return: every state and reading."""
    data = mujoco.MjData(model)
    stepper = Stepper(model, data)
    rng = np.random.default_rng(0)
    found = []
    for tick in range(120):
        data.ctrl[:] = rng.normal(size=model.nu)
        if tick % 17 == 5:
            data.qvel[:2] += 0.2  # a push
        if model.neq and tick % 40 in (20, 30):
            data.eq_active[0] = tick % 40 == 20
        for _ in range(refresh_every):
            stepper.step() if halves else mujoco.mj_step(model, data)
        if halves:
            stepper.refresh()
        else:
            mujoco.mj_forward(model, data)
        kinds = data.qpos, data.qvel, data.act, data.qacc, data.qacc_warmstart, data.sensordata
        found.append(np.concatenate(kinds))
    assert np.isfinite(found).all()
    return np.array(found)


@pytest.mark.parametrize('solver', SOLVERS)
@pytest.mark.parametrize('cone', CONES)
@pytest.mark.parametrize('integrator', INTEGRATORS)
def test_equals_plain_steps_to_the_bit(integrator, cone, solver):
    """Walks were tuned, and runs recorded, with plain steps."""
    model = scene(integrator, cone, solver)
    np.testing.assert_array_equal(states(model, halves=True), states(model, halves=False))


@pytest.mark.parametrize('more', ['noslip_iterations="3"', 'impratio="10"', 'viscosity="0.1"'])
def test_equals_plain_steps_with_options(more):
    """Options of an MJCF add their own parts to a step."""
    model = scene(more=more)
    np.testing.assert_array_equal(states(model, halves=True), states(model, halves=False))


@pytest.mark.parametrize('flat', [*FLAT, None], ids=lambda each: each.name if each else 'biped')
def test_equals_plain_steps_of_real_robots(flat, tmp_path):
    """Meshes, many contacts, equality constraints: what real models have."""
    if flat is not None and flat.path is None:
        pytest.skip('its MJCF is not part of the repository')
    robot = load_robot('biped' if flat is None else flat.robot_yaml(tmp_path))
    model = mujoco.MjModel.from_xml_path(str(robot.mjcf))
    np.testing.assert_array_equal(states(model, halves=True), states(model, halves=False))


def test_the_second_half_is_used(monkeypatch):
    """Else this test file proves nothing, and every tick pays for a kinematics more."""
    calls = []
    real = mujoco.mj_step2
    monkeypatch.setattr(mujoco, 'mj_step2', lambda *args: (calls.append(1), real(*args)))
    states(scene('RK4'), halves=True)
    assert not calls, 'Runge-Kutta steps are no two halves'
    states(scene(), halves=True)
    assert len(calls) == 119 - 7 - 6, 'all but the first, and those after a push or a weld'


def test_what_is_written_into_the_data_counts():
    """A test, a film or a tool moves the robot between two steps without asking."""
    model = scene()
    ours, plain = mujoco.MjData(model), mujoco.MjData(model)
    stepper = Stepper(model, ours)
    stepper.refresh()
    for data in (ours, plain):
        data.qpos[2] += 1.0
    stepper.step()
    mujoco.mj_step(model, plain)
    np.testing.assert_array_equal(ours.qpos, plain.qpos)


def test_no_step_moves_nothing():
    """The half of a step that `refresh` has made must not become a whole one."""
    model = scene()
    data = mujoco.MjData(model)
    stepper = Stepper(model, data)
    stepper.refresh()
    before = data.qvel.copy()
    stepper.step(0)
    np.testing.assert_array_equal(data.qvel, before)
    assert (stepper.steps, data.time) == (0, 0.0)


def test_a_state_that_is_not_plausible_is_found():
    """MuJoCo looks at positions and speeds at the beginning of a whole step only."""
    model = scene()
    data = mujoco.MjData(model)
    stepper = Stepper(model, data)
    stepper.refresh()
    data.qvel[0] = np.nan
    stepper.refresh()
    assert stepper.unstable
