"""The bridge's end of the DDS process: starts it, and exchanges frames with it."""

import importlib.util
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError

PROCESS = 'kinfer_ros.bridges.unitree.dds_process'
START_TIMEOUT = 20.0
"""s for the DDS process to take part in the domain."""
MAX_QUEUE = 1 << 20
"""Bytes of frames that may wait."""
MAX_WAITING = 512
"""Frames that are read at once."""


def check_interface(name: str) -> None:
    """:raises ConfigError: this machine has no such network interface, or none is named."""
    known = [each for _, each in socket.if_nameindex()]
    if name not in known:
        raise ConfigError(
            f'found network_interface {name!r}, expected the one that leads to the robot: '
            f'{", ".join(known)}'
        )


class Link:
    """
    One DDS process; `close` ends it.

    :raises ConfigError: cyclonedds is not installed.
    :raises BridgeError: the process cannot take part in the domain.
    """

    def __init__(self, interface: str, domain: int, family: str) -> None:
        if importlib.util.find_spec('cyclonedds') is None:
            raise ConfigError(
                'the Unitree bridge needs cyclonedds: python -m pip install -r '
                'requirements/unitree.txt'
            )
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            for end in (self._socket, other):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_QUEUE)
            self.process = subprocess.Popen(  # noqa: S603  our own module, no shell
                [sys.executable, '-P', '-m', PROCESS,
                 str(other.fileno()), interface, str(domain), family],
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # what kills our group must not kill what damps the robot
            )  # fmt: skip
        self._early: list[bytes] = []
        self._timeout = 0.0  # none yet
        self.lost = ''
        """Why nothing more comes from the process, or ''."""
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.lost:
            batch = self.receive(0.1)
            if frames.READY in batch:
                # What came with it counts: who else publishes is said once.
                self._early = batch[batch.index(frames.READY) + 1 :]
                return
            for frame in batch:
                if frame[:1] == frames.FAILED:
                    self.lost = frame[1:].decode(errors='replace')
            if time.monotonic() > deadline:
                self.lost = f'it did not start within {START_TIMEOUT:g} s'
        text = self.lost
        self.process.kill()
        self.close()
        raise BridgeError(f'the DDS process of the Unitree bridge has failed: {text}')

    def send(self, frame: bytes) -> bool:
        """Send a frame; :return: False if it was not taken: the process is not run, or gone."""
        try:
            self._socket.send(frame, socket.MSG_DONTWAIT)
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as error:
            self.lost = self.lost or f'it has ended ({error.strerror})'
            return False
        return True

    def receive(self, timeout: float) -> list[bytes]:
        """Return the frames that have come, after at most `timeout` s."""
        found, self._early = self._early, []
        self._wait_at_most(timeout)
        try:
            flags = socket.MSG_DONTWAIT if found else 0
            found.append(self._socket.recv(frames.MAX_FRAME, flags))
            while found[-1] and len(found) < MAX_WAITING:
                found.append(self._socket.recv(frames.MAX_FRAME, socket.MSG_DONTWAIT))
        except BlockingIOError:
            pass
        except OSError as error:
            self.lost = self.lost or f'it has ended ({error.strerror})'
        if found and not found[-1]:
            self.lost = self.lost or 'it has ended'
            found.pop()
        return found

    def _wait_at_most(self, seconds: float) -> None:
        """Let the kernel end a wait: Python's time-out asks it twice for each frame."""
        if seconds != self._timeout:
            self._timeout = seconds
            whole, rest = divmod(round(seconds * 1e6), 1_000_000)
            limit = struct.pack('@ll', whole, rest)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

    def close(self) -> None:
        """Leave the process alone: it damps the robot where it is in force, then ends."""
        self._socket.close()

    def wait(self, timeout: float) -> bool:
        """Wait for its end after `close`; :return: whether it has ended."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True


def _environment() -> dict[str, str]:
    """Return an environment in which the process finds the modules that this one uses."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return dict(os.environ) | {'PYTHONPATH': path, 'OPENBLAS_NUM_THREADS': '1'}
