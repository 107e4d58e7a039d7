"""A node as a process: exit codes and messages that scripts and people can rely on."""

import os
import subprocess
import sys

import pytest

from helpers.bridge_client import ENVIRONMENT

PROGRAM = """
import sys
from rclpy.node import Node
from kinfer_ros.errors import ConfigError
from kinfer_ros.ros.process import run_node

class Probe(Node):
    finished = True
    failure = ConfigError('found x, expected y') if 'fail' in sys.argv else None

    def __init__(self):
        super().__init__('probe')

    def stop(self):
        print('stopped', flush=True)

raise SystemExit(run_node(Probe))
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, '-c', PROGRAM, *arguments],
        env={**os.environ, **ENVIRONMENT},
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
