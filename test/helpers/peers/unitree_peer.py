"""A Unitree G1 in MuJoCo behind the vendor's own SDK, from the shared files, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from helpers.processes import domain
from helpers.processes import wait_until
from helpers.shared import shared_path

RUN_SH = shared_path('unitree_sim/run.sh')
POLICY = shared_path('policies/g1_unitree_rl_lab')
INSTALL_PATIENCE = 600.0


def robot_domain() -> int:
    """DDS domain of the robot of this test process; that of its graph is another."""
    return domain() + 100


class UnitreePeer:
    """The peer, in a process group of its own; `summary` ends it."""

    def __init__(self, log: Path, *options: str) -> None:
        self.log = log
        with log.open('wb') as out:
            self.process = subprocess.Popen(
                [str(RUN_SH), '--domain', str(robot_domain()), *options],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        assert wait_until(self._publishes, INSTALL_PATIENCE), self.text

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors='replace')

    def _publishes(self) -> bool:
        assert self.process.poll() is None, self.text
        return 'lowstate on rt/lowstate' in self.text

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def let_go(self) -> None:
        """Let the pelvis go, which hangs so far."""
        self.send(signal.SIGUSR1)

    def summary(self) -> dict:
        """End it; :return: what it saw: distance, falls, commands, refusals."""
        self.send(signal.SIGINT)
        self.process.wait(40)
        return json.loads(self.text.strip().splitlines()[-1])

    def kill(self) -> None:
        """End it at once, and its rival with it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(40)
