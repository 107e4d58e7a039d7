"""Buttons of a joystick that ask for the policies of a set, in the graph."""

from __future__ import annotations

import time
from pathlib import Path

from rclpy.qos import QoSProfile
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from helpers.client import ACTIVATE
from helpers.client import CONFIGURE
from helpers.client import Client
from helpers.policies.biped_set import biped_set
from helpers.processes import domain_environment
from helpers.processes import node
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
