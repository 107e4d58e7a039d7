"""A node as a process: exit codes and messages that scripts and people can rely on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.bridge_client import environment
from helpers.processes import wait_until

PROGRAM = """
import sys
from rclpy.node import Node
from kinfer_ros.errors import ConfigError
from kinfer_ros.ros.process import run_node

class Probe(Node):
    finished = True
    failure = ConfigError('found x, expected y') if 'fail' in sys.argv else None

    lingered = 0

    def __init__(self):
        super().__init__('probe')

    def lingers(self):
        self.lingered += 1
        return self.lingered < 4

    def stop(self):
        print('stopped', flush=True)

raise SystemExit(run_node(Probe))
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, '-c', PROGRAM, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
    )


def test_a_node_that_has_finished_is_stopped():
    """A run with a duration ends by itself, in order, with success."""
    result = run()
    assert (result.returncode, result.stdout) == (0, 'stopped\n')


def test_a_failure_is_one_line():
    """What the node could not do is told where every command tells it."""
    result = run('fail')
    assert (result.returncode, result.stdout) == (2, 'stopped\n')
    assert result.stderr.splitlines() == ['error: found x, expected y']


@pytest.mark.parametrize('arguments', [('-p',), ('--params-file', 'absent.yaml')])
def test_bad_ros_arguments(arguments):
    """Rcl's own errors are long, and come with a traceback."""
    result = run('--ros-args', *arguments)
    assert result.returncode == 2
    assert 'error: ROS does not start with these arguments' in result.stderr
    assert 'Traceback' not in result.stderr


ORPHAN = """
import os, subprocess, sys
environment = os.environ | {'KINFER_ROS_LAUNCH_PID': str(os.getpid() if sys.argv[2] else 1)}
words = [sys.executable, '-c', sys.argv[1], 'spin']
child = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize('patience', [2.0, 0.0])
@pytest.mark.parametrize('launched', [True, False])
def test_a_node_of_a_launch_ends_with_it(launched, patience):
    """
    `ros2 launch` that gets SIGTERM leaves its nodes; those started otherwise stay.

    They end as after a signal, also if nobody reads what they print, or they had only begun.
    """
    program = PROGRAM.replace('finished = True', "finished = 'spin' not in sys.argv")
    program = program.replace("print('stopped'", "print('stopped', self.lingered")
    launch = subprocess.Popen(
        [sys.executable, '-c', ORPHAN, program, 'x' if launched else ''],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pid = int(launch.stdout.readline())
    try:
        wait_until(lambda: b'spin' in Path(f'/proc/{pid}/cmdline').read_bytes(), 5.0)
        time.sleep(patience)  # rclpy is imported, and the node spins
        launch.kill()
        launch.wait()
        ended = wait_until(lambda: is_gone(pid), 30.0 if launched else 1.0)
        assert ended == launched
    finally:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)
    assert ('stopped 4' in launch.stdout.read()) == launched


def is_gone(pid):
    """An orphan that nobody waits for is a zombie when it has ended."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True
