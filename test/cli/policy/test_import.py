"""`import`: exports of other projects become working specs; every assumption is printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from helpers import flat_models
from helpers.deploy import DEPLOY
from helpers.flat_policies import FLAT
from helpers.shared import shared_path
from kinfer_ros.__main__ import main
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.simulate import Simulation

G1 = FLAT[2]
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


@pytest.mark.skipif(G1.path is None, reason='the shared flat policies are not here')
def test_a_real_deploy_yaml_gives_the_recorded_targets(tmp_path, capsys):
    """From the runtime's own file to 150 equal ticks, without manual edits."""
    deploy = shared_path('policies/g1_unitree_rl_lab/deploy.yaml')
    code, out, err = run_import(capsys, deploy, '--out', tmp_path, '--name', 'g1')
    assert code == 0, err
    assert 'joint names: those of scene.xml, in the order of the SDK' in out
    assert 'standing still' in out
    policy = load_model(G1.path, spec=tmp_path / 'g1.spec.yaml')
    golden = G1.golden()
    for tick in range(150):
        target = policy.step(G1.inputs(golden, tick))
        np.testing.assert_allclose(target, golden['target'][tick], atol=1e-5, rtol=0)
    robot = load_robot(str(tmp_path / 'g1.robot.yaml'))
    ours = load_robot(G1.robot_yaml(tmp_path))
    for joint in ours.joints:
        theirs = robot.joints[robot.joint_names.index(joint.name)]
        assert (joint.kp, joint.kd, joint.home) == (theirs.kp, theirs.kd, theirs.home)
        assert joint.torque_limit == theirs.torque_limit


def deploy_file(folder, content=DEPLOY):
    path = folder / 'deploy.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_deploy_yaml_key_by_key(tmp_path, capsys):
    """Motor order for gains, policy order for the rest; each term's own clip and history."""
    path = deploy_file(tmp_path)
    words = [path, '--out', tmp_path, '--name', 'two', '--joint-names', 'left', 'right']
    code, out, err = run_import(capsys, *words)
    assert code == 0, err
    spec = load_spec(tmp_path / 'two.spec.yaml')
    assert spec.joints == ('right', 'left')
    assert (spec.kp, spec.kd) == ((20.0, 10.0), (2.0, 1.0))
    assert spec.default_pose == (0.5, -0.5)
    assert spec.commands == {'xvel': (-0.5, 1.0), 'yvel': None, 'yawrate': None}
    assert [spec.frames(term) for term in spec.terms] == [2, 1, 2]
    assert spec.terms[2].clip == ((-1.0, -1.0), (1.0, 1.0))
    assert spec.phase.frequency == 1.25
    assert spec.action.relative_to == 'default_pose'
    for words in ('no names', 'command ranges', 'gait clock', 'torque limits: kp x 0.5 rad'):
        assert words in out
        assert words in (tmp_path / 'two.spec.yaml').read_text()
    robot = load_robot(str(tmp_path / 'two.robot.yaml'))
    assert robot.joint_names == ('left', 'right')
    assert robot.kp.tolist() == [10.0, 20.0]
    assert robot.home.tolist() == [-0.5, 0.5]
    assert robot.mjcf is None


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'joint_ids_map': [0, 0]}, 'joint_ids_map'),
        ({'default_joint_pos': [0.1]}, 'found 1 numbers, expected 2'),
        ({'observations': {'height_scan': {}}}, "'height_scan' is not known"),
        ({'actions': {'JointVelocityAction': {}}}, 'JointPositionAction alone'),
    ],
)
def test_an_incomplete_deploy_yaml_is_refused(tmp_path, capsys, change, said):
    """It must not guess silently; nothing is written."""
    path = deploy_file(tmp_path, DEPLOY | change)
    out = tmp_path / 'out'
    code, _, err = run_import(capsys, path, '--out', out, '--joint-names', 'left', 'right')
    assert code == 2
    assert said in err
    assert not out.exists()


def test_a_deploy_yaml_without_names_asks_for_them(tmp_path, capsys):
    """The file has none, and the motor order must not be guessed."""
    code, _, err = run_import(capsys, deploy_file(tmp_path), '--out', tmp_path)
    assert code == 2
    assert '--joint-names' in err


def test_python_tags_run_nothing(tmp_path, capsys):
    """The exporter writes slice(None) as a Python object; it is read as a list, never called."""
    trap = tmp_path / 'trap'
    path = deploy_file(tmp_path)
    path.write_text(path.read_text() + f'x: !!python/object/apply:os.mkdir [{trap}]\n')
    words = [path, '--out', tmp_path, '--joint-names', 'left', 'right']
    assert run_import(capsys, *words)[0] == 0
    assert not trap.exists()


@pytest.mark.parametrize('as_json', [False, True])
def test_onnx_metadata(tmp_path, capsys, as_json):
    """Isaac Lab and mjlab write lists with commas, others JSON; the result runs."""
    metadata = dict(METADATA)
    if as_json:
        for key in METADATA.keys() - {'run_path'}:
            entries = METADATA[key].split(',')
            if key not in ('joint_names', 'observation_names', 'command_names'):
                entries = [float(entry) for entry in entries]
            metadata[key] = json.dumps(entries)
    size = 18 * 2
    model, weights = flat_models.linear(size, custom=metadata)
    path = tmp_path / 'walker.onnx'
    path.write_bytes(model)
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    for words in ('50 Hz', '2 frames, from the input size 36', 'scales: 1', 'unit vector'):
        assert words in out
    spec = load_spec(tmp_path / 'walker.spec.yaml')
    assert spec.joints == ('hip', 'knee', 'ankle')
    assert spec.kp == (20.0, 30.0, 40.0)
    assert spec.action.scale == (0.5, 0.25, 0.5)
    assert spec.observation_size == size
    policy = load_model(path, spec=spec.path)
    obs = {each.name: np.ones(each.shape) for each in policy.contract.inputs}
    target = policy.step(obs)
    flat = policy._session.flat
    expected = np.array([0.1, -0.2, 0.3]) + flat @ weights * [0.5, 0.25, 0.5]
    np.testing.assert_allclose(target, expected, atol=1e-5)
    np.testing.assert_allclose(flat[18:24], [0.9, 1.2, 0.7] * 2, atol=1e-6)


def test_onnx_metadata_with_states_and_lengths(tmp_path, capsys):
    """A recurrent export: its states are paired by name, which is printed."""
    metadata = METADATA | {
        'observation_names': 'base_ang_vel',
        'observation_history_lengths': '1.0',
        'step_dt': '0.01',
    }
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(flat_models.lstm(3))
    onnx.helper.set_model_props(model, metadata)
    path = tmp_path / 'lstm.onnx'
    path.write_bytes(model.SerializeToString())
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    assert 'states: paired by name' in out
    spec = load_spec(tmp_path / 'lstm.spec.yaml')
    assert spec.control_rate_hz == 100.0
    assert load_model(path, spec=spec.path).contract.carry_parts == {'h_in': 8, 'c_in': 8}


def test_a_command_in_two_terms(tmp_path, capsys):
    """Holosoma sorts its terms by name, so the yaw rate precedes the velocity."""
    commands = 'command_ang_vel,command_lin_vel'
    names = f'actions,base_ang_vel,{commands},dof_pos,dof_vel,projected_gravity'
    path = tmp_path / 'holo.onnx'
    path.write_bytes(flat_models.linear(18, custom=METADATA | {'observation_names': names})[0])
    code, _, err = run_import(capsys, path, '--out', tmp_path)
    assert code == 0, err
    policy = load_model(path, spec=tmp_path / 'holo.spec.yaml')
    obs = {each.name: np.zeros(each.shape) for each in policy.contract.inputs}
    policy.step(obs | {'command': [1.0, 2.0, 3.0]})
    assert policy._session.flat[6:9].tolist() == [3.0, 1.0, 2.0]


def test_existing_files_are_kept(tmp_path, capsys):
    """A second import must not overwrite manual corrections."""
    words = [deploy_file(tmp_path), '--out', tmp_path, '--joint-names', 'left', 'right']
    assert run_import(capsys, *words)[0] == 0
    code, _, err = run_import(capsys, *words)
    assert code == 2
    assert 'exists already' in err
    assert run_import(capsys, *words, '--force')[0] == 0


def test_other_files_are_refused(tmp_path, capsys):
    """The error has what was found and what was expected."""
    path = tmp_path / 'x.yaml'
    for text in ('a: 1\n', '[1, 2]\n', '{', ''):
        path.write_text(text)
        assert run_import(capsys, path, '--out', tmp_path)[0] == 2
    assert run_import(capsys, tmp_path / 'none.onnx')[0] == 2


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


def test_a_draft_says_what_is_missing_and_runs_once_it_is_filled_in(tmp_path, capsys):
    """Pose, scale and terms are only in the training: their places, and nothing guessed."""
    path = holosoma(tmp_path)
    code, out, err = run_import(capsys, path, '--out', tmp_path)
    assert (code, err) == (1, '')
    spec_path, robot_path = tmp_path / 'holo.spec.yaml', tmp_path / 'holo.robot.yaml'
    text = spec_path.read_text()
    for key in ('default_pose', 'observation.terms', 'action.scale'):
        (line,) = [line for line in out.splitlines() if f': {key}: FILL IN' in line]
        assert f'{spec_path}, line ' in line
        number = int(line.partition('line ')[2].partition(':')[0])
        assert key.rpartition('.')[2] in text.splitlines()[number - 1]
    assert '3 places' in out
    assert '18 numbers in all' in out
    robot = load_robot(robot_path)
    assert (robot.kp.tolist(), robot.kd.tolist()) == ([20.0, 30.0, 40.0], [1.0, 1.5, 2.0])
    check = ['check', path, '--spec', spec_path, '--robot', robot_path]
    assert main([*map(str, check)]) == 2
    assert 'is a draft: fill in 3 places' in capsys.readouterr().err
    content = yaml.safe_load(text)
    content['default_pose'] = [0.1, -0.2, 0.3]
    content['action']['scale'] = 0.5
    content['observation']['terms'] = [
        {'source': 'gyroscope', 'scale': 0.25},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'joint_positions', 'relative': True},
        {'source': 'joint_velocities'},
        {'source': 'last_action', 'which': 'raw'},
        {'source': 'command'},
    ]
    spec_path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert main([*map(str, check)]) == 0
    spec = load_spec(spec_path)
    assert spec.commands == {'xvel': (-1.0, 0.5), 'yvel': None, 'yawrate': (-2.0, 2.0)}
    assert (spec.kp, spec.kd) == ((20.0, 30.0, 40.0), (1.0, 1.5, 2.0))


def test_check_lists_the_places_of_both_files(tmp_path, capsys):
    """Everything to fill in is said at once."""
    path = holosoma(tmp_path)
    run_import(capsys, path, '--out', tmp_path)
    robot = tmp_path / 'holo.robot.yaml'
    robot.write_text(robot.read_text().replace('frame: imu_link', 'frame: FILL IN (frame)'))
    words = ['check', path, '--spec', tmp_path / 'holo.spec.yaml', '--robot', robot]
    assert main([*map(str, words)]) == 2
    err = capsys.readouterr().err
    assert 'default_pose: FILL IN' in err
    assert 'imu.frame: FILL IN (frame)' in err


def test_a_failed_import_leaves_the_folder_as_it_was(tmp_path, capsys):
    """A name that no file can have: nothing stays that would block the next try."""
    path, bad = holosoma(tmp_path), 'bell\x07'
    code, _, err = run_import(capsys, path, '--out', tmp_path, '--name', bad)
    assert code == 2
    assert 'printable' in err
    assert sorted(each.name for each in tmp_path.iterdir()) == ['holo.onnx']
    kept = tmp_path / f'{bad}.spec.yaml'
    kept.write_text('# by hand\n')
    assert run_import(capsys, path, '--out', tmp_path, '--name', bad, '--force')[0] == 2
    assert kept.read_text() == '# by hand\n'
    assert not (tmp_path / f'{bad}.robot.yaml').exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, capsys):
    """A file in its place, or a name that is too long."""
    path = holosoma(tmp_path)
    for words in (['--out', path], ['--out', tmp_path, '--name', 'n' * 300]):
        code, _, err = run_import(capsys, path, *words)
        assert code == 2
        assert 'cannot be written' in err


def test_files_stay_where_the_network_does_not_match(tmp_path, capsys):
    """The spec is to be corrected by hand; the exit code says that it is not done."""
    deploy, model = deploy_file(tmp_path), tmp_path / 'other.onnx'
    model.write_bytes(flat_models.linear(7, joints=2)[0])
    words = [deploy, '--out', tmp_path, '--name', 'two', '--joint-names', 'left', 'right']
    code, _, err = run_import(capsys, *words, '--model', model)
    assert code == 1
    assert 'does not match the written files' in err
    assert load_spec(tmp_path / 'two.spec.yaml').joints == ('right', 'left')
    code, _, err = run_import(capsys, *words, '--model', tmp_path / 'none.onnx', '--force')
    assert code == 2


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
    simulation = Simulation(
        assemble(policy, robot, settings, LiveSettings()), simulated, policy.contract
    )
    simulation.run(1.0)
    assert simulation.outcome is not None
    assert simulated.time_ns >= 980_000_000
    kp, kd, torque = simulated.gains()
    assert (kp.tolist(), kd.tolist()) == ([20.0, 30.0, 40.0], [1.0, 1.5, 2.0])
    assert torque.tolist() == [30.0, 25.0, 12.0]


URDF = """
<robot name="leg"><link name="torso"/><link name="thigh"/><link name="shin"/><link name="foot"/>
<joint name="knee" type="revolute"><parent link="thigh"/><child link="shin"/>
  <limit lower="-2" upper="0" effort="60" velocity="12"/></joint>
<joint name="hip" type="revolute"><parent link="torso"/><child link="thigh"/>
  <limit lower="-1" upper="1.5" effort="25" velocity="11"/></joint>
<joint name="ankle" type="continuous"><parent link="shin"/><child link="foot"/></joint>
</robot>
"""


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
    assert 'ankle turn without end' in out
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
