"""A Unitree robot of our own on Cyclone DDS, for fast tests: lowstate, lowcmd, motion switcher.

As a program it is the robot, and does what lines of JSON on its input say. Held to the vendor's
messages by test/system/test_unitree_sim.py. Needs cyclonedds.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

import numpy as np

from helpers.peers.peer_process import PeerProcess
from kinfer_ros.bridges.unitree.messages import FAMILIES
from kinfer_ros.bridges.unitree.messages import WORD
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.messages import crc32
from kinfer_ros.robot.robot import load_robot

PERIOD = 0.005
"""s between two states."""
REST = {
    'mode': '', 'answers': True, 'misses': 0, 'publishes': True, 'moves': True, 'error': 0,
    'rival': False,
    'motor.q': load_robot('g1').home.tolist(), 'motor.motorstate': [0] * 35,
    'state.wireless_remote': [0] * 40,
}  # fmt: skip
"""Good manners of a G1: settings that end what a test has changed."""


class UnitreeRobot(PeerProcess):
    """The robot's process, from outside; used as a context, it never outlives the test."""

    def __init__(self, domain: int, family: str = 'hg') -> None:
        super().__init__('unitree_robot', str(domain), family, environment=os.environ)


class Inside:
    """The robot: every public attribute that is a setting can be changed from outside."""

    def __init__(self, domain: int, family_name: str) -> None:
        from cyclonedds.core import Policy
        from cyclonedds.core import Qos
        from cyclonedds.domain import Domain
        from cyclonedds.domain import DomainParticipant
        from cyclonedds.pub import DataWriter
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic

        from kinfer_ros.bridges.unitree import dds_types
        from kinfer_ros.bridges.unitree.dds_process import CONFIGURATION

        self._types = dds_types
        family = FAMILIES[family_name]
        self._domain = Domain(domain, CONFIGURATION.format('lo'))
        self._participant = participant = DomainParticipant(domain)

        def topic(name: str, kind: Any) -> Any:
            return Topic(participant, name, kind)

        self._state_type = dds_types.low_state(family)
        self._states = DataWriter(participant, topic('rt/lowstate', self._state_type))
        self._command_topic = topic('rt/lowcmd', dds_types.low_command(family))
        deep = Qos(Policy.Reliability.Reliable(0), Policy.History.KeepLast(100))
        self._commands = DataReader(participant, self._command_topic, qos=deep)
        switcher = 'rt/api/motion_switcher/'
        self._requests = DataReader(participant, topic(f'{switcher}request', dds_types.Request))
        self._answers = DataWriter(participant, topic(f'{switcher}response', dds_types.Response))
        self._make_writer = lambda: DataWriter(participant, self._command_topic)
        self._rival: Any = None
        self._layout, self._command_layout = Layout(family.state), Layout(family.command)
        self._record = np.zeros(1, family.state)
        self._command = np.zeros(1, family.command)
        self._record['imu_state']['quaternion'] = (1, 0, 0, 0)
        self._record['imu_state']['accelerometer'] = (0, 0, 9.81)
        if family_name == 'hg':
            self._record['mode_machine'] = 5
            self._record['motor_state']['temperature'] = (35, 40)
            self._record['motor_state']['vol'] = 48.0
        self._commanded_s = 0.0
        self.seen: dict[str, Any] = {'commands': 0, 'refused': 0, 'requests': []}
        self.mode = ''
        """The controller that the motion switcher says is active."""
        self.answers, self.publishes, self.moves = True, True, True
        self.misses = 0
        """Questions to the motion switcher that do not reach it."""
        self.error = 0
        """Code of the motion switcher's answers."""

    def change(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Take settings; those that start with `state.` are fields of the state."""
        for name, value in settings.items():
            if name == 'rival':
                self._rival = self._make_writer() if value else None
            elif name.startswith('motor.'):
                self._record['motor_state'][name[6:]][0, : len(value)] = value
            elif name.startswith('battery.'):
                self._record['bms_state'][name[8:]] = value
            elif name.startswith('state.'):
                self._record[name[6:]] = value
            else:
                setattr(self, name, value)
        motors = self._command['motor_cmd'][0]
        told = {name: motors[name].tolist() for name in ('mode', 'q', 'kp', 'kd')}
        age = time.monotonic() - self._commanded_s
        return {**self.seen, **told, 'age': age, 'mode_name': self.mode}

    def step(self) -> None:
        """Obey, move, publish, answer."""
        for sample in self._commands.take(N=100):
            if hasattr(sample, 'data'):
                self._obey(sample.data)
        for request in self._requests.take(N=8):
            if hasattr(request, 'header'):
                self._answer(request)
        if not self.publishes:
            return
        motors, told = self._record['motor_state'], self._command['motor_cmd']
        if self.moves:
            pull = (told['mode'] == 1) & (told['kp'] > 0)
            motors['q'] += 0.2 * pull * (told['q'] - motors['q'])
            self._record['tick'] += 5
        self._record['crc'] = crc32(self._record.view(WORD)[:-1])
        data = self._layout.to_wire(self._record.view(np.uint8))
        self._states.write(self._types.with_data(self._state_type, b'\0\1\0\0' + data))

    def _obey(self, data: bytes) -> None:
        found = np.zeros(1, self._command.dtype)  # zeros_like leaves the padding as it is
        self._command_layout.to_struct(data, found.view(np.uint8))
        wrong = crc32(found.view(WORD)[:-1]) != int(found['crc'][0])
        if 'mode_machine' in found.dtype.names:
            wrong |= int(found['mode_machine'][0]) != int(self._record['mode_machine'][0])
        self.seen['refused' if wrong else 'commands'] += 1
        if not wrong:
            self._command, self._commanded_s = found, time.monotonic()

    def _answer(self, request: Any) -> None:
        if self.misses:
            self.misses -= 1
            return
        identity = request.header.identity
        self.seen['requests'].append(identity.api_id)
        if not self.answers:
            return
        if identity.api_id == 1003:
            self.mode = ''
        data = json.dumps({'form': '0', 'name': self.mode})
        self._answers.write(self._types.response(identity.id, identity.api_id, self.error, data))


def main() -> None:
    """Be the robot until the input ends."""
    robot = Inside(int(sys.argv[1]), sys.argv[2])
    while True:
        robot.step()
        if select.select([sys.stdin], [], [], PERIOD)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(robot.change(json.loads(line))), flush=True)


if __name__ == '__main__':
    main()
