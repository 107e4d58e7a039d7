"""A set of the biped that ships in the graph: joystick buttons, and edits taken while it walks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from helpers.client import ACTIVATE
from helpers.client import CONFIGURE
from helpers.client import Client
from helpers.policies.biped_set import biped_set
from helpers.processes import REPOSITORY
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.writer import read_steps

START = 60.0
HELD = 1
"""The dead-man button."""


class Joystick:
    """A joystick that sends while the client is served."""

    def __init__(self, client: Client) -> None:
        self.buttons = [0] * 6
        self._publisher = client.node.create_publisher(Joy, 'joy', QoSProfile(depth=20))
        client.node.create_timer(0.05, self._send)

    def _send(self) -> None:
        self._publisher.publish(Joy(buttons=self.buttons))

    def hold(self, *numbers: int) -> None:
        """Hold these buttons, and no other."""
        self.buttons = [int(at in numbers) for at in range(6)]


def test_buttons_switch_while_the_dead_man_is_held(tmp_path: Path) -> None:
    """A press switches; one that leads nowhere is said; without the dead man nothing moves."""
    environment = domain_environment()
    policy = {
        'policies': biped_set(tmp_path), 'robot': 'biped', 'runs_dir': tmp_path / 'runs',
        'use_sim_time': True, 'lockstep': True, 'auto_run': True,
        'sensor_timeout': 60.0, 'joy_deadman_button': HELD, 'joy_timeout': 10.0,
    }  # fmt: skip
    with (
        node('policy_node', tmp_path, environment, policy) as robot,
        node('mujoco_bridge', tmp_path, environment, {'robot': 'biped', 'lockstep': True}),
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        joystick = Joystick(client)
        joystick.hold(HELD)
        modes = client.follow(String, 'policy_node/mode')

        def until(mode: str) -> None:
            found = client.spin_until(lambda: bool(modes) and modes[-1].data == mode, START)
            assert found, f'{modes}\n{robot.output}'

        # Asked for by the client: while it is served, the joystick is heard.
        assert client.transition('policy_node', CONFIGURE), robot.output
        end = time.monotonic() + 0.3
        client.spin_until(lambda: time.monotonic() > end, 1.0)
        assert client.transition('policy_node', ACTIVATE), robot.output
        until('run: policy walk')
        joystick.hold(HELD, 5)
        until('run: policy soft')
        joystick.hold(HELD, 4)
        refusal = 'joystick: no transition leads from soft to walk; there are ways to none'
        assert client.spin_until(lambda: refusal in robot.output, START), robot.output
        joystick.hold()
        until(f'damp: dead-man button {HELD} is not held')
        joystick.hold(HELD, 5)
        # A damped biped falls, which is a fault: in either mode the press is refused.
        found = client.spin_until(
            lambda: 'joystick: policy soft is refused in mode' in robot.output, START
        )
        assert found, robot.output
    events = [
        event for step in read_steps(tmp_path / 'runs' / 'latest') for event in step['events']
    ]
    assert 'policy soft has taken over' in events
    assert events.count('policy soft is asked for') == 1
    assert any('joystick: no transition leads from soft to walk' in event for event in events)


def test_a_button_with_two_meanings_is_refused_at_configure(tmp_path: Path) -> None:
    """With the parameter and the policy that have it."""
    policy = {
        'policies': biped_set(tmp_path), 'robot': 'biped', 'runs_dir': tmp_path / 'runs',
        'autostart': True, 'joy_stop_button': 5,
    }  # fmt: skip
    with node('policy_node', tmp_path, domain_environment(), policy) as robot:
        assert robot.wait(60) != 0
        assert 'policies.soft.button: found 5, which the parameter joy_stop_button has' in (
            robot.output
        )
        assert 'Traceback' not in robot.output


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
