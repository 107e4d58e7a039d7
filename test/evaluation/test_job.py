"""A job's numbers: the same again, true to physics, and worse where things are worse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import mujoco
import pytest

from helpers.policies.flat_policies import FLAT
from helpers.policies.models import metadata
from helpers.policies.models import mlp_policy
from helpers.policies.models import write_kinfer
from helpers.policies.motions import dance
from helpers.policies.motions import dance_robot
from helpers.walking import MODEL
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.commands.sequence import HOLD
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import Track
from kinfer_ros.control.modes import Mode
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.evaluation.condition import CONDITIONS
from kinfer_ros.evaluation.condition import Condition
from kinfer_ros.evaluation.job import LoadedSubject
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import Trial
from kinfer_ros.evaluation.job import check_subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import default_matrix
from kinfer_ros.evaluation.matrix import load_matrix
from kinfer_ros.evaluation.meter import Meter
from kinfer_ros.robot.robot import load_robot

DANCES = ('g1_dance_102', 'g1_wbt_dancing')
BIPED = Subject(MODEL, 'biped')
FORWARD = Job('forward', {'xvel': 0.3}, 'calm', CONDITIONS['calm'], 0, 4.0)


def under(name: str, seed: int = 0) -> Job:
    return replace(FORWARD, condition_name=name, condition=CONDITIONS[name], seed=seed)


def test_the_same_seed_gives_the_same_numbers():
    """To the bit, whatever ran in between; another seed gives others."""
    first = run_job(BIPED, under('rough'))
    other = run_job(BIPED, under('rough', 1))
    assert run_job(BIPED, under('rough')) == first
    assert other['digest'] != first['digest']


@pytest.mark.parametrize('before', [0.5, 3.0])
def test_jobs_that_share_what_is_loaded_do_not_affect_each_other(before):
    """A job writes gains, friction and errors into its model, and a carry into its policy."""
    loaded = LoadedSubject(BIPED)
    run_job(BIPED, replace(under('rough', 1), seconds=before), loaded)
    assert run_job(BIPED, under('body'), loaded) == run_job(BIPED, under('body'))


@pytest.mark.parametrize('name', [*(each.name for each in FLAT), *DANCES])
def test_policies_of_every_kind_begin_anew(name, tmp_path):
    """Histories, gait clocks and motions of the job before must not reach the next."""
    if name in DANCES:
        files = dance(tmp_path, name)
        subject = files and Subject(files[0], str(dance_robot(tmp_path)), files[1])
    else:
        flat = next(each for each in FLAT if each.name == name)
        subject = flat.path and Subject(flat.path, str(flat.robot_yaml(tmp_path)), flat.spec)
    if subject is None:
        pytest.skip(f'{name}: its files are not part of the repository')
    job = replace(FORWARD, seconds=0.5)
    loaded = LoadedSubject(subject)
    first = run_job(subject, job, loaded)
    assert run_job(subject, job, loaded) == first == run_job(subject, job)


def test_it_measures_a_walk_that_is_known():
    """0.3 m/s for 4 s, all there is to it."""
    record = run_job(BIPED, FORWARD)
    assert record['survived']
    assert record['run_s'] == pytest.approx(4.0)
    assert record['velocity']['vx'] == pytest.approx(0.3, abs=0.03)
    assert record['velocity_error']['vx'] < 0.03
    assert record['distance_m'] == pytest.approx(1.2, abs=0.2)
    assert record['energy_j_per_m'] * record['path_m'] == pytest.approx(record['power_w'] * 4.0)
    assert 0.0 < record['slip_mps'] < 0.1


def test_a_fall_is_a_result():
    """With when and why; pushed as no biped bears it."""
    hard = replace(FORWARD, condition=Condition(push_speed=3.0, push_every=1.0))
    record = run_job(BIPED, hard)
    assert not record['survived']
    assert record['run_s'] < 2.5
    assert record['reason'].startswith('fell')


def test_what_is_wrong_is_said_before_a_hundred_jobs(tmp_path):
    """Joints, files, a base that is bolted down."""
    with pytest.raises(ConfigError, match='names no mjcf'):
        check_subject(Subject(MODEL, 'kbot'))
    with pytest.raises(KinferRosError, match='no robot'):
        check_subject(Subject(MODEL, 'bipde'))
    biped = load_robot('biped')
    text = re.sub(
        r'<freejoint.*?/>|<keyframe>.*?</keyframe>', '', biped.mjcf.read_text(), flags=re.S
    )
    (tmp_path / 'bolted.xml').write_text(text)
    robot = tmp_path / 'bolted.yaml'
    robot.write_text(biped.path.read_text().replace('../../robots/biped/biped.xml', 'bolted.xml'))
    with pytest.raises(KinferRosError, match='cannot move'):
        check_subject(Subject(MODEL, str(robot)))
    rolled = Subject(MODEL, 'biped', imu_mounting=(0.5**0.5, 0.5**0.5, 0.0, 0.0))
    with pytest.raises(KinferRosError, match='seems to lean by 90 deg'):
        check_subject(rolled)


def test_any_entry_of_a_command_can_be_asked_for(tmp_path):
    """By its name, in every tick; and a policy that knows no velocity is told none."""
    robot = load_robot('biped')
    init, step = mlp_policy()
    meta = metadata(12, ['height', 'xvel', 'nod'], carry_size=[12])
    meta |= {'joint_names': list(robot.joint_names), 'command_ranges': {'height': [-0.1, 0.3]}}
    subject = Subject(write_kinfer(tmp_path / 'odd.kinfer', init, step, meta), 'biped')
    matrix = default_matrix(check_subject(subject)[0].contract)
    assert list(matrix.commands) == ['stand', 'forward']
    path = tmp_path / 'matrix.yaml'
    path.write_text('seconds: 1.0\ncommands:\n  tall: {height: 0.25, xvel: 0.1, nod: -2.0}\n')
    job = load_matrix(path, check_subject(subject)[0].contract).job('tall/calm/0')
    seen = []
    trial = Trial(subject, job)
    trial.run(lambda s: seen.append(s.controller.inputs.command.value.tolist()))
    assert seen[-5] == pytest.approx([0.25, 0.1, -2.0])


def test_work_is_torque_times_speed():
    """Held against the energy that a swing of the leg takes from rest: no less can be spent."""
    robot = MujocoRobot(load_robot('biped'))
    meter = Meter(robot, 0.02)
    meter.running = True
    robot.step(50)
    standing = meter.work_j()
    target = robot.robot.home.copy()
    target[3] += 0.5  # a knee
    robot.set_target(target)
    gained = []
    for _ in range(30):
        robot.step(1)
        mujoco.mj_energyVel(robot.model, robot.data)
        gained.append(float(robot.data.energy[1]))
    assert meter.work_j() - standing > max(gained) > 0.01
    assert meter.work_j() - standing < 45.0 * 0.7, 'the torque limit times the way of the knee'


@pytest.mark.parametrize('flat', [f for f in FLAT if f.path], ids=lambda flat: flat.name)
def test_policies_of_others_are_evaluated_as_well(tmp_path: Path, flat):
    """They walk in the calm, and are off by less than they are asked for."""
    subject = Subject(flat.path, str(flat.robot_yaml(tmp_path)), flat.spec)
    matrix = default_matrix(check_subject(subject)[0].contract)
    job = replace(matrix.job('forward/calm/0'), seconds=3.0)
    record = run_job(subject, job)
    assert record['survived'], record['reason']
    assert record['velocity_error']['vx'] < 0.5 * job.values['xvel']
    assert record['power_w'] > 0.0


def test_a_command_can_play_a_sequence(tmp_path):
    """From the beginning of mode `run`, over the values of the command; then these again."""
    track = Track((0.0, 1.0, 2.0), (0.3, -0.3, -0.3), HOLD)
    sequence = CommandSequence('back', '', {'xvel': track}, 2.0, 0.0)
    trial = Trial(BIPED, replace(FORWARD, values={'yawrate': 0.1}, sequence=sequence))
    seen = []

    def note(simulation):
        if simulation.controller.mode is Mode.RUN:
            seen.append(simulation.controller.inputs.command.value.tolist())

    error = trial.run(note)['velocity_error']
    assert [seen[tick][0] for tick in (5, 45, 55, 95, 150)] == pytest.approx(
        [0.3, 0.3, -0.3, -0.3, 0.0]
    )
    assert {round(each[2], 6) for each in seen[5:150]} == {0.1}
    # Against what was commanded when, not against the command of the job, which has no xvel.
    assert error['vx'] < 0.2
