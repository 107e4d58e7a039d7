"""~/load_model with a policy set in the graph: an edit is taken while the robot walks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from std_msgs.msg import String

from helpers.client import Client
from helpers.policies.biped_set import biped_set
from helpers.processes import REPOSITORY
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from kinfer_ros.policy.policy import load_model

START = 60.0


def other_gains(path: Path) -> Path:
    """The policy that ships with softer gains of its own."""
    archive, contract = read_archive(MODEL), load_model(MODEL).contract
    meta = dict(contract.metadata) | {'joint_kp': [0.97 * kp for kp in contract.joint_kp]}
    write_archive(path, archive.init_fn, archive.step_fn, meta)
    return path


def test_an_edit_is_taken_while_the_robot_walks(tmp_path: Path) -> None:
    """Refused in words, then taken: first the policy that does not run, then the one that does."""
    environment = domain_environment()
    path = biped_set(tmp_path)
    text, other = path.read_text(), other_gains(tmp_path / 'other.kinfer')
    soft = f'soft: {{model: {MODEL}'
    policy = {
        'policies': path, 'robot': 'biped', 'runs_dir': tmp_path / 'runs', 'use_sim_time': True,
        'lockstep': True, 'autostart': True, 'auto_run': True, 'sensor_timeout': 60.0,
        'blend_time': 0.2,
    }  # fmt: skip
    with (
        node('policy_node', tmp_path, environment, policy) as robot,
        node('mujoco_bridge', tmp_path, environment, {'robot': 'biped', 'lockstep': True}),
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        modes = client.follow(String, 'policy_node/mode')

        def until(mode: str) -> None:
            found = client.spin_until(lambda: bool(modes) and modes[-1].data == mode, START)
            assert found, f'{modes}\n{robot.output}'

        def load(edited: str) -> tuple[bool, str]:
            path.write_text(edited)
            answer = client.trigger('policy_node/load_model')
            return answer.success, answer.message

        until('run: policy walk')
        done, said = load(text.replace('to: soft', 'to: soft, blend_s: 0.1'))
        assert (done, 'transitions: walk to soft differ' in said) == (False, True), said
        done, said = load(text.replace(soft, f'soft: {{model: {tmp_path}/gone.kinfer'))
        assert (done, 'gone.kinfer: no such file' in said) == (False, True), said
        assert load(text)[0]
        assert client.spin_until(lambda: 'no policy of the set has changed' in robot.output, START)
        assert load(text.replace(soft, f'soft: {{model: {other}'))[0]
        assert load(text.replace(str(MODEL), str(other)))[0]
        request = SetParametersAtomically.Request(
            parameters=[Parameter('policy', value='soft').to_parameter_msg()]
        )
        service = 'policy_node/set_parameters_atomically'
        assert client.call(SetParametersAtomically, service, request).result.successful
        until('run: policy soft')
        assert f'policy soft: {other}' in robot.output
        assert f'policy walk: {other}' in robot.output
        robot.send(signal.SIGINT)
        assert robot.wait(40) == 0, robot.output
    run = tmp_path / 'runs' / 'latest'
    facts = json.loads((run / 'run.json').read_text())
    assert [(each['policy'], each['taken_over']) for each in facts['swaps']] == [
        ('soft', True), ('walk', True)
    ]  # fmt: skip
    assert facts['counters']['faults'] == 0
    done = subprocess.run(
        [sys.executable, '-m', 'kinfer_ros', 'replay', str(run), '--json'],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found['verdict'] == 'identical'
    assert found['unchecked_targets'] == 0
