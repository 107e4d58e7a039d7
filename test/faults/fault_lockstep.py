"""One walk in lockstep over real DDS, with a relay on its sensors, from its start to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fault_log import Fault
from fault_log import Step
from fault_log import facts_of
from fault_log import read_fault
from fault_log import steps_of
from fault_relay import REMAPS
from fault_relay import Relay

from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL

PERIOD_NS = 20_000_000
SINCE_NS = 600_000_000
"""Simulated time from which samples are tampered with: the robot has been walking for 0.5 s."""
COMMAND = (0.2, 0.0, 0.0)
SECONDS = 3.0


class LockstepRun:
    """
    A run that ended by a fault, or after SECONDS.

    :ivar facts: its run.json.
    :ivar steps: its records.
    :ivar commands: what was sent on joint_commands.
    :ivar output: what the policy node printed.
    """

    def __init__(self, folder: Path, tamper: Callable[[Relay], None], **more: object) -> None:
        """:param tamper: told the relay before the graph starts."""
        environment = domain_environment()
        policy = {
            'robot': 'biped',
            'model': MODEL,
            'runs_dir': folder / 'runs',
            'use_sim_time': True,
            'lockstep': True,
            'autostart': True,
            'auto_run': True,
            'duration': SECONDS,
            'sensor_timeout': 30.0,
            'default_command': list(COMMAND),
            'fade_time': 0.1,
        }
        bridge = {'robot': 'biped', 'lockstep': True}
        with node('mujoco_bridge', folder, environment, bridge, remaps=REMAPS) as robot:
            with Relay(int(environment['ROS_DOMAIN_ID']), reliable=True) as relay:
                tamper(relay)
                with node('policy_node', folder, environment, policy | more) as process:
                    process.wait(90)
                    self.output = process.output
                # The relay may be busy with a message of a million names.
                wait_until(lambda: any(sent.mode == 'inactive' for sent in relay.commands), 20)
                self.commands = relay.commands
            robot.send(signal.SIGINT)
            robot.wait(20)
        self.path = folder / 'runs' / 'latest'
        self.facts = facts_of(self.path)
        self.steps = steps_of(self.path)
        assert self.facts['counters']['log']['dropped'] == 0

    def fault(self) -> Fault:
        """The fault it ended by, checked; all that was sent from its tick on was damping."""
        fault = read_fault(self.path)
        assert self.facts['counters']['faults'] == 1
        assert self.facts['reason'] == f'fault: {fault.reason}'
        assert fault.after, 'damping goes on after the first frame'
        last = fault.before[-1]['stamp_ns']
        safe = [sent for sent in self.commands if sent.mode in ('fault', 'fade', 'inactive')]
        assert safe
        assert all(sent.damping for sent in safe)
        assert max(sent.stamp for sent in self.commands if not sent.damping) <= last
        return fault

    def walked(self) -> list[Step]:
        """The records of `run` of a walk that came to its end."""
        assert self.facts['reason'] == 'duration reached', self.output
        assert self.facts['counters']['faults'] == 0
        steps = [step for step in self.steps if step['mode'] == 'run']
        assert set(np.diff([step['stamp_ns'] for step in steps])) == {PERIOD_NS}
        return steps


def nothing(relay: Relay) -> None:
    """Tamper with nothing."""


def events(steps: list[dict[str, Any]]) -> list[str]:
    """All that was said in these steps."""
    return [event for step in steps for event in step['events']]
