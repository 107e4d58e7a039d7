"""`teleop` in a terminal, beside a robot that walks: keys arrive, and it ends in neutral."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.policies.biped_set import biped_set
from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL

START = 40.0
TELEOP = ['-m', 'kinfer_ros', 'teleop']


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen(
            [sys.executable, *arguments], cwd=REPOSITORY, env=environment, stdin=self.theirs,
            stdout=self.theirs, stderr=self.theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.text = ''

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(40)
        os.close(self.ours)
        os.close(self.theirs)

    def press(self, keys: str) -> None:
        """Type; Ctrl-C becomes a signal on the way, as in any terminal."""
        os.write(self.ours, keys.encode())

    def read(self) -> str:
        """What it has shown since `wait_for` began."""
        while select.select([self.ours], [], [], 0.0)[0]:
            self.text += os.read(self.ours, 65536).decode(errors='replace')
        return self.text

    def wait_for(self, *words: str) -> None:
        """Wait until it has shown all of some texts from now on."""
        self.text = ''
        deadline = time.monotonic() + START
        while not all(each in self.read() for each in words):
            assert time.monotonic() < deadline, f'{words!r} did not come:\n{self.text}'
            assert self.process.poll() is None, self.text
            time.sleep(0.02)

    def end(self) -> int:
        """Wait for its end; it must leave the terminal as it was."""
        deadline = time.monotonic() + 10
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.read()
            self.read()
            time.sleep(0.02)
        code = self.process.returncode
        assert self.read().endswith('\x1b[?25h\x1b[?1049l'), self.text
        assert termios.tcgetattr(self.theirs) == self.before
        return code


def test_keys_steer_a_robot_that_walks(tmp_path: Path) -> None:
    """Names, ranges and mode come from the node; space, the stop, Ctrl-C and a hang-up end it."""
    environment = domain_environment()
    policy = {
        'model': MODEL, 'robot': 'biped', 'runs_dir': tmp_path / 'runs', 'record': False,
        'autostart': True, 'auto_run': True, 'stale_timeout': 2.0,
    }  # fmt: skip
    bridge = {'robot': 'biped', 'command_timeout': 2.0}
    with (
        node('mujoco_bridge', tmp_path, environment, bridge),
        node('policy_node', tmp_path, environment, policy) as robot,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        sent = client.follow(JointState, 'policy_command', QoSProfile(depth=10))

        def sends(*values: float) -> bool:
            def sent_last() -> bool:
                return bool(sent) and list(sent[-1].position) == pytest.approx(values)

            return client.spin_until(sent_last, START)

        with Terminal(TELEOP, environment) as terminal:
            terminal.wait_for('mode  run', 'xvel', '-0.3 [')
            terminal.press('ww\x1a\x13\x1b[C')  # Ctrl-Z and Ctrl-S are keys like others
            assert sends(0.135, 0.0, 0.0)
            assert sent[-1].name == ['xvel', 'yvel', 'yawrate']
            terminal.wait_for('+0.135    +0.135')  # sent, and seen by the policy
            terminal.press(' ')
            assert sends(0.0, 0.0, 0.0)
            terminal.press('a')
            assert sends(0.0, 0.0, 0.05)
            terminal.process.send_signal(signal.SIGHUP)
            assert terminal.end() == 0
            assert sends(0.0, 0.0, 0.0)
        with Terminal(TELEOP, environment) as terminal:
            terminal.wait_for('xvel')
            terminal.press('w')
            assert sends(0.045, 0.0, 0.0)
            terminal.press('x')
            terminal.wait_for('stop: done', 'mode  damp')
            assert sends(0.0, 0.0, 0.0)
            terminal.press('w\x03')
            assert terminal.end() == 0
            assert sends(0.0, 0.0, 0.0)
        assert robot.running


@pytest.mark.long
def test_keys_switch_the_policies_of_a_set(tmp_path: Path) -> None:
    """Listed with their keys; the running one is marked, and what is refused is said in words."""
    environment = domain_environment()
    policy = {
        'policies': biped_set(tmp_path), 'robot': 'biped', 'runs_dir': tmp_path / 'runs',
        'record': False, 'autostart': True, 'auto_run': True, 'use_sim_time': True,
        'lockstep': True, 'sensor_timeout': 60.0,
    }  # fmt: skip
    with (
        node('policy_node', tmp_path, environment, policy) as robot,
        node('mujoco_bridge', tmp_path, environment, {'robot': 'biped', 'lockstep': True}),
        Terminal(TELEOP, environment) as terminal,
    ):
        terminal.wait_for('mode  run: policy walk', 'b   walk  runs', 'c   soft')
        terminal.press('w')
        terminal.wait_for('+0.045    +0.045')
        terminal.press('c')
        terminal.wait_for(
            'policy soft: asked for', 'mode  run: policy soft', 'c   soft  runs',
            'b   walk  no way from soft', '+0.045    +0.045',
        )  # fmt: skip
        terminal.press('b')
        terminal.wait_for('policy walk: refused: no transition leads from soft to walk')
        terminal.press('\x03')
        assert terminal.end() == 0
        assert robot.running


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    """In a script or a service there is nobody to steer."""
    with Process(TELEOP, tmp_path / 'teleop.log', domain_environment()) as teleop:
        assert teleop.wait(START) == 2
        assert 'found no terminal' in teleop.output
