"""`import`: the robot file, from an MJCF with and without actuators and from a URDF."""

from __future__ import annotations

import json

from import_cases import BARE_MJCF
from import_cases import METADATA
from import_cases import URDF
from import_cases import deploy_file
from import_cases import holosoma
from import_cases import run_import

from helpers.policies import flat_models
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation


def test_an_mjcf_without_actuators_becomes_a_robot_that_runs(tmp_path, capsys):
    """Mjlab adds actuators in code: the gains of the metadata drive the simulated joints."""
    path, mjcf = tmp_path / 'leg.onnx', tmp_path / 'leg.mjcf'
    mjcf.write_text(BARE_MJCF)
    custom = METADATA | {'joint_effort_limits': '45,25,12', 'joint_velocity_limit': '9'}
    path.write_bytes(flat_models.linear(18, custom=custom)[0])
    code, out, err = run_import(capsys, path, '--out', tmp_path, '--mjcf', mjcf)
    assert code == 0, err
    assert 'actuators: leg.mjcf has none; the simulation adds a position servo' in out
    assert 'limits: -3.14 to 3.14 rad for ankle' in out
    assert "torque limits: the robot's lower ones (Nm), hip 30 for 45" in out
    spec_path, robot_path = tmp_path / 'leg.spec.yaml', tmp_path / 'leg.robot.yaml'
    robot = load_robot(robot_path)
    assert robot.torque_limit.tolist() == [30.0, 25.0, 12.0]
    assert robot.velocity_limit.tolist() == [9.0] * 3
    assert robot.lower.tolist()[:2] == [-1.0, -2.0]
    assert load_spec(spec_path).torque_limit == (30.0, 25.0, 12.0)
    policy = load_model(path, spec=spec_path)
    simulated = MujocoRobot(robot)
    settings = SessionSettings(period_ns=20_000_000, auto_run=True, default_command=(0, 0, 0))
    simulation = Simulation(assemble(policy, robot, settings, LiveSettings()), simulated)
    simulation.run(1.0)
    assert simulation.outcome is not None
    assert simulated.time_ns >= 980_000_000
    kp, kd, torque = simulated.gains()
    assert (kp.tolist(), kd.tolist()) == ([20.0, 30.0, 40.0], [1.0, 1.5, 2.0])
    assert torque.tolist() == [30.0, 25.0, 12.0]


def test_limits_of_a_urdf(tmp_path, capsys):
    """The metadata has the order, the URDF limits, efforts and speeds."""
    path, urdf = tmp_path / 'leg.onnx', tmp_path / 'leg.urdf'
    urdf.write_text(URDF)
    path.write_bytes(flat_models.linear(18, custom=METADATA)[0])
    code, out, err = run_import(capsys, path, '--out', tmp_path, '--urdf', urdf)
    assert code == 0, err
    robot = load_robot(tmp_path / 'leg.robot.yaml')
    assert robot.joint_names == ('hip', 'knee', 'ankle')
    assert robot.upper.tolist()[:2] == [1.5, 0.0]
    assert robot.torque_limit.tolist() == [25.0, 60.0, 20.0]
    assert robot.velocity_limit.tolist() == [11.0, 12.0, 20.0]
    assert (robot.mjcf, robot.urdf) == (None, urdf.resolve())
    assert 'continuous (no limits): ankle' in out
    assert [joint.continuous for joint in robot.joints] == [False, False, True]
    metadata = METADATA | {'joint_names': 'hip,knee,arm'}
    path.write_bytes(flat_models.linear(18, custom=metadata)[0])
    code, _, err = run_import(capsys, path, '--out', tmp_path, '--urdf', urdf, '--force')
    assert code == 2
    assert 'lacks the joints arm; it has knee, hip, ankle' in err


def test_names_of_a_urdf_for_a_deploy_yaml(tmp_path, capsys):
    """The file has no names: the order is the URDF's, which is said."""
    urdf = tmp_path / 'leg.urdf'
    urdf.write_text(URDF.replace('"knee"', '"left"').replace('"hip"', '"right"'))
    words = [deploy_file(tmp_path), '--out', tmp_path, '--name', 'two', '--urdf', urdf]
    code, out, err = run_import(capsys, *words)
    assert code == 0, err
    assert 'joint names: those of leg.urdf, in the order of the file' in out
    assert load_spec(tmp_path / 'two.spec.yaml').joints == ('right', 'left')
    assert load_robot(tmp_path / 'two.robot.yaml').joint_names == ('left', 'right', 'ankle')


def test_the_urdf_inside_the_metadata(tmp_path, capsys):
    """Holosoma puts it there; an MJCF or URDF of the user comes before it."""
    path = holosoma(tmp_path, robot_urdf=json.dumps(URDF), robot_urdf_path='"/x.urdf"')
    code, out, _ = run_import(capsys, path, '--out', tmp_path)
    assert code == 1
    assert 'not read: robot_urdf_path' in out
    robot = load_robot(tmp_path / 'holo.robot.yaml')
    assert robot.upper.tolist()[:2] == [1.5, 0.0]
    assert robot.velocity_limit.tolist() == [11.0, 12.0, 20.0]
    assert (robot.urdf, robot.base_frame) == (None, 'torso')
    (tmp_path / 'leg.xml').write_text(BARE_MJCF)
    words = [path, '--out', tmp_path, '--mjcf', tmp_path / 'leg.xml', '--force']
    code, out, _ = run_import(capsys, *words)
    assert code == 1
    assert 'in the file, and not used: robot_urdf' in out
    assert load_robot(tmp_path / 'holo.robot.yaml').upper.tolist()[0] == 2.0
    path = holosoma(tmp_path, robot_urdf='"<robot/>"')
    code, _, err = run_import(capsys, path, '--out', tmp_path, '--force')
    assert code == 2
    assert 'robot_urdf of' in err


def test_an_mjcf_of_any_suffix_beside_a_deploy_yaml(tmp_path, capsys):
    """K-Scale's are called robot.mjcf."""
    text = BARE_MJCF.replace('"hip"', '"left"').replace('"knee"', '"right"')
    (tmp_path / 'leg.mjcf').write_text(text)
    code, out, err = run_import(capsys, deploy_file(tmp_path), '--out', tmp_path, '--name', 'two')
    assert code == 0, err
    assert 'those of leg.mjcf, which has no actuators: its joints' in out
    assert load_spec(tmp_path / 'two.spec.yaml').joints == ('right', 'left')
    assert load_robot(tmp_path / 'two.robot.yaml').mjcf.name == 'leg.mjcf'


def test_joints_that_the_policy_does_not_have_are_named(tmp_path, capsys):
    """In an MJCF without actuators they hang freely: nobody should be surprised by it."""
    path, mjcf = tmp_path / 'leg.onnx', tmp_path / 'leg.xml'
    arm = '<body name="arm"><joint name="elbow"/><geom size="0.05"/></body><body name="thigh">'
    mjcf.write_text(BARE_MJCF.replace('<body name="thigh">', arm))
    path.write_bytes(flat_models.linear(18, custom=METADATA)[0])
    code, out, err = run_import(capsys, path, '--out', tmp_path, '--mjcf', mjcf)
    assert code == 0, err
    assert 'left out, without a command: elbow' in out
    assert load_robot(tmp_path / 'leg.robot.yaml').joint_names == ('hip', 'knee', 'ankle')
