"""kinfer-sim itself beside ours: the same sensors, inputs and actions, the same joints over time.

It needs an interpreter of its own, named by KINFER_SIM_PEER_PYTHON, and the shared K-Bot; without
them these tests skip.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from kbot_rig import PolicySide
from kbot_rig import joints_over_time

from helpers.policies import models
from helpers.shared import kinfer_archives
from helpers.shared import shared_path
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.kinfer import ModelProviderABC
from kinfer_ros.kinfer import PyModelRunner
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.policy import load_model

PEER = os.environ.get('KINFER_SIM_PEER_PYTHON', '')
SCRIPT = Path(__file__).with_name('kinfer_sim_peer.py')
DOCS = Path(__file__).parents[2] / 'docs'
KOS_SIM = shared_path('kos_sim')
SINE = 'kbot_sine_motion'
ARCHIVES = {path.stem: path for path in kinfer_archives()}
INPUTS = (
    'joint_angles', 'joint_angular_velocities', 'projected_gravity', 'accelerometer', 'gyroscope',
    'command', 'time',
)  # fmt: skip
COMMANDS = ('xvel', 'yvel', 'yawrate', 'baseheight', 'baseroll', 'basepitch')
SECONDS = 60
# kinfer-sim divides the quaternion by its norm + 1e-6, so its gravity is as much too short.
GRAVITY_FACTOR = (1.0 + 1e-6) ** 2
TOLERANCE = 1e-6

pytestmark = [
    pytest.mark.skipif(
        not PEER,
        reason='KINFER_SIM_PEER_PYTHON is not set: no interpreter with kinfer-sim 0.0.94'
        ' (requirements/kinfer-sim-peer.txt)',
    ),
    pytest.mark.skipif(
        KOS_SIM is None or SINE not in ARCHIVES, reason='the shared K-Bot is not here'
    ),
]


def peer(*words: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    return subprocess.run(
        [PEER, *words], capture_output=True, text=True, timeout=SECONDS, check=False,
        env=environment,
    )  # fmt: skip


def model_folder(folder: Path, model: str = 'robot.mjcf') -> Path:
    """:return: a folder as kinfer-sim takes it, with one model of K-Bot."""
    assert KOS_SIM is not None
    local = folder / 'kbot'
    local.mkdir()
    (local / 'robot.mjcf').write_bytes((KOS_SIM / model).read_bytes())
    (local / 'metadata.json').write_bytes((KOS_SIM / 'metadata.json').read_bytes())
    return local


def kinfer_sim(policy: Path, local: Path, steps: int, *flags: str) -> dict[str, np.ndarray]:
    """:return: what the peer script kept of some steps, by name."""
    first = [flag for flag in flags if flag == '--fixed-model']
    words = [str(policy), 'kbot', '--local-model-dir', str(local), '--no-render', '--dt', '0.001']
    more = [flag for flag in flags if flag not in first]
    out = local / 'out.npz'
    done = peer(str(SCRIPT), str(out), str(steps), *first, *words, *more)
    assert done.returncode == 0, done.stderr
    with np.load(out) as file:
        return {name: file[name] for name in file.files}


def repacked(name: str, folder: Path) -> Path:
    """:return: an archive of kinfer 0.5 as one of 0.6, which kinfer-sim needs."""
    archive = read_archive(ARCHIVES[name])
    commands = list(load_model(ARCHIVES[name]).contract.command_names)
    meta = dict(archive.metadata) | {'command_names': commands}
    return models.write_kinfer(folder / f'{name}.kinfer', archive.init_fn, archive.step_fn, meta)


class Recorded(ModelProviderABC):
    """Hands out kinfer-sim's inputs to our runner."""

    def __init__(self, rows: dict[str, np.ndarray]) -> None:
        self.rows = rows
        self.actions: list[np.ndarray] = []

    def get_inputs(self, input_types, metadata):
        """:return: the inputs of this step."""
        return {name: self.rows[name][len(self.actions)] for name in input_types}

    def take_action(self, action, metadata):
        """Keep a copy."""
        self.actions.append(action.copy())


def mixing_policy(folder: Path) -> Path:
    """:return: a policy whose targets move with each number of each input, and with its carry."""
    joints = list(load_model(ARCHIVES[SINE]).contract.joint_names)
    sizes = dict(zip(INPUTS, (20, 20, 3, 3, 3, 6, 1), strict=True)) | {'carry': 20}
    rng = np.random.default_rng(3)
    build = models.Builder()
    parts = [
        build.dense(name, rng.normal(size=(size, 20)) * 0.02, np.zeros(20))
        for name, size in sizes.items()
    ]
    mixed = build.op('Tanh', build.op('Sum', *parts))
    outputs = {build.op('Identity', mixed): (20,), mixed: (20,)}
    step = build.build({name: (size,) for name, size in sizes.items()}, outputs)
    meta = models.metadata(0, COMMANDS) | {'joint_names': joints, 'carry_size': [20]}
    return models.write_kinfer(
        folder / 'mixing.kinfer', models.init_fn(rng.normal(size=20)), step, meta
    )


def compare(path: Path, found: dict[str, np.ndarray]) -> None:
    """The sensors of each step become the same inputs and actions here."""
    policy = load_model(path)
    ours = PolicySide(policy)
    for row in range(len(found['time'])):
        values = dict(ours.fill({name: each[row] for name, each in found.items()}))
        action = policy.step(values)
        if 'projected_gravity' in values:
            values['projected_gravity'] = values['projected_gravity'] / GRAVITY_FACTOR
        for name, value in (values | {'actions': action}).items():
            np.testing.assert_allclose(
                value, found[name][row], TOLERANCE, TOLERANCE, err_msg=f'{name}, step {row}'
            )


@pytest.mark.parametrize('name', ARCHIVES)
def test_real_archives_see_and_do_the_same(tmp_path, name):
    """K-Scale's own archives on its own model: a robot that falls, so that all sensors move."""
    policy = repacked(name, tmp_path)
    found = kinfer_sim(policy, model_folder(tmp_path), 100)
    assert np.abs(found['gyroscope']).max() > 0.1
    compare(policy, found)


@pytest.mark.parametrize('flags', [(), ('--suspend',)], ids=['free', 'suspended'])
def test_every_input_reaches_the_policy_as_there(tmp_path, flags):
    """The real archives take two or three inputs each; this one takes all."""
    policy = mixing_policy(tmp_path)
    found = kinfer_sim(policy, model_folder(tmp_path), 100, *flags)
    assert np.ptp(found['actions'], axis=0).min() > 1e-3
    compare(policy, found)
    provider = Recorded(found)
    runner = PyModelRunner(policy, provider)
    for _ in found['time']:
        runner.step_and_take_action()
    np.testing.assert_allclose(provider.actions, found['actions'], rtol=0, atol=TOLERANCE)


def test_joints_move_as_there(tmp_path):
    """Physics, gains and torque limits: the same 10 s, on a model whose base is fixed."""
    local = model_folder(tmp_path, 'robot.suspended.mjcf')
    theirs = kinfer_sim(repacked(SINE, tmp_path), local, 600, '--fixed-model')['joint_angles']
    ours = joints_over_time(ARCHIVES[SINE], local, Scene(), 600)
    # It begins in another pose: the first two seconds are left out.
    np.testing.assert_allclose(ours[100:], theirs[100:], rtol=0, atol=TOLERANCE)


def test_suspended_there_is_without_weight(tmp_path):
    """--suspend sets the base back after each step, so its joints carry nothing; ours do."""
    local = model_folder(tmp_path)
    theirs = kinfer_sim(repacked(SINE, tmp_path), local, 300, '--suspend')['joint_angles']
    ours = {
        gravity: joints_over_time(
            ARCHIVES[SINE], local, Scene(fixed_base=True, gravity=gravity), 300
        )
        for gravity in (False, True)
    }
    apart = {key: float(np.abs(q[100:] - theirs[100:]).max()) for key, q in ours.items()}
    assert apart[False] < 0.01
    assert 0.03 < apart[True] < 0.08


def test_every_flag_has_its_row():
    """A page that promises each flag is held to the program's own help."""
    done = peer('-m', 'kinfer_sim.server', '--help')
    assert done.returncode == 0, done.stderr
    flags = {*re.findall(r'--[a-z][a-z-]+', done.stdout)} - {'--help'}
    assert len(flags) > 30
    page = (DOCS / 'coming_from_kinfer.md').read_text()
    text = page.split('## Flags of kinfer-sim')[1].split('\n## ')[0]
    rows = '\n'.join(line.split('|')[1] for line in text.splitlines() if line[:1] == '|')
    assert {*re.findall(r'`(--[a-z][a-z-]+)', rows)} - {'--slowdown-factor'} == flags
