"""Nodes as processes on a DDS domain of their own, with bounds on every wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

from kinfer_ros.nodes import NODES

REPOSITORY = Path(__file__).resolve().parents[2]


DOMAINS = range(40, 102)
"""DDS domains for tests: Linux keeps its ephemeral ports out of those up to 101."""


@cache
def _claim() -> tuple[int, socket.socket]:
    """
    Claim a domain for as long as this process lives.

    A name in the abstract namespace of Unix sockets belongs to one process at a time, goes with
    it, and is known where its DDS traffic is: in one network namespace.
    """
    first = os.getpid() % len(DOMAINS)
    for number in (*DOMAINS[first:], *DOMAINS[:first]):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f'\0kinfer_ros_test_domain_{number}')
        except OSError:
            claim.close()
        else:
            return number, claim
    raise RuntimeError(f'other test runs on this machine have all domains of {DOMAINS}: end some')


def domain() -> int:
    """The DDS domain of this test process: no other test process on this machine has it."""
    return _claim()[0]


def left_with_a_crash(done: subprocess.CompletedProcess[str]) -> bool:
    """
    Whether a command crashed in Fast DDS while it left the graph: its answer was given before.

    Seen once in some hundred calls on a busy machine, in rmw_destroy_node of rclpy's destroy_node.
    """
    return done.returncode == -signal.SIGSEGV and 'in destroy_node' in done.stderr


def parameter_text(value: object) -> str:
    """A parameter's value as a command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def localhost() -> dict[str, str]:
    """Keep DDS on this host: by a profile where the folder's tests have one (conftest.py)."""
    name = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
    return {name: 'SYSTEM_DEFAULT' if os.environ.get(name) == 'SYSTEM_DEFAULT' else 'LOCALHOST'}


def domain_environment(**more: str) -> dict[str, str]:
    """Environment of a graph that nobody else on this host is in."""
    return {
        **os.environ,
        'ROS_DOMAIN_ID': str(domain()),
        **localhost(),
        'PYTHONUNBUFFERED': '1',
        'PYTHONFAULTHANDLER': '1',  # a crash says where
        **more,
    }


class Process:
    """One process of ours, its output in a file; used as a context, it never outlives the test."""

    def __init__(
        self,
        arguments: list[str],
        log: Path,
        environment: dict[str, str],
        *,
        program: str = sys.executable,
    ) -> None:
        self.log = log
        with log.open('wb') as out:
            self._popen = subprocess.Popen(
                [program, *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env=environment,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait(40)

    @property
    def output(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text(errors='replace')

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._popen.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for its end; :return: the exit code. Fails the test with its output if late."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f'{self.log.name} did not end within {timeout:g} s:\n{self.output}')

    def wait_for(self, text: str, timeout: float) -> None:
        """Wait until it has printed a text; fails the test with its output if it does not."""
        wait_until(lambda: text in self.output or not self.running, timeout)
        if text not in self.output:
            pytest.fail(f'{self.log.name} did not say {text!r}:\n{self.output}')


def node(
    name: str,
    log_dir: Path,
    environment: dict[str, str],
    parameters: dict[str, object] | None = None,
    *,
    namespace: str = '',
    node_name: str = '',
    remaps: Mapping[str, str] | None = None,
) -> Process:
    """Start one of the package's nodes with parameters and remapped names."""
    words = ['-m', NODES[name][0], '--ros-args']
    if namespace:
        words += ['-r', f'__ns:=/{namespace}']
    if node_name:
        words += ['-r', f'__node:={node_name}']
    for old, new in (remaps or {}).items():
        words += ['-r', f'{old}:={new}']
    for key, entry in (parameters or {}).items():
        words += ['-p', f'{key}:={parameter_text(entry)}']
    return Process(words, log_dir / f'{node_name or name}.log', environment)


def wait_until(condition: Callable[[], bool], timeout: float, *, every: float = 0.02) -> bool:
    """Wait for a condition, bounded, asking each `every` s; :return: whether it came true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
