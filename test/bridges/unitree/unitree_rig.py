"""A Unitree robot core with a clock of the test, and a robot that is told what to say."""

from __future__ import annotations

import numpy as np

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.messages import HG
from kinfer_ros.bridges.unitree.messages import WORD
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.bridges.unitree.messages import crc32
from kinfer_ros.bridges.unitree.robot import UnitreeRobot
from kinfer_ros.robot.robot import load_robot

MS = 1_000_000
TICK = 2 * MS
LOST_NS, COMMAND_NS, RAMP_NS = 100 * MS, 50 * MS, 200 * MS
G1, GO2 = load_robot('g1'), load_robot('go2')


class Rig:
    """A robot core, a robot that moves as told, and what it was told."""

    def __init__(self, robot=G1, family=HG) -> None:
        self.description, self.family = robot, family
        self.now_ns = 1_000_000_000
        self.sent: list[bytes] = []
        self.warnings: list[str] = []
        self.states: list[str] = []
        self.record = np.zeros(1, family.state)
        self.places = [joint.id for joint in robot.joints]
        self.record['motor_state']['q'][0, self.places] = robot.home
        self.record['imu_state']['quaternion'] = (1, 0, 0, 0)
        self.record['imu_state']['accelerometer'] = (0, 0, 9.81)
        if family is HG:
            self.record['mode_machine'] = 5
        self.sending = self.takes = True
        self.core = UnitreeRobot(
            robot,
            family,
            Timeouts(COMMAND_NS, LOST_NS, RAMP_NS),
            self.send,
            self.warnings.append,
            self._note,
        )

    def send(self, frame: bytes) -> bool:
        """Take a frame, as the DDS process does where it is run."""
        if self.takes:
            self.sent.append(frame)
        return self.takes

    def _note(self) -> None:
        if getattr(self, 'core', None) is not None:
            self.states.append(self.core.state_text)

    def run(self, ns: int, target=None, session: str = 'a', mode: str = 'run') -> None:
        """Send a state and tick every 2 ms; a target every 10."""
        for step in range(ns // TICK):
            self.now_ns += TICK
            if target is not None and step % 5 == 0:
                self.command(target, session, mode)
            if self.sending:
                self.send_state()
            self.core.tick(self.now_ns)

    def send_state(self):
        self.record['tick'] += 2
        self.record['crc'] = crc32(self.record.view(WORD)[:-1])
        data = Layout(self.family.state).to_wire(self.record.view(np.uint8))
        return self.core.on_state(data, self.now_ns)

    def command(self, target, session: str = 'a', mode: str = 'run', names=None) -> None:
        names = names or self.description.joint_names
        self.core.command(Command(session, mode, 0, names, target), self.now_ns)

    def enable(self) -> None:
        self.run(10 * TICK)
        self.core.enable(self.now_ns)

    def told(self) -> np.void | None:
        """The last message on rt/lowcmd; None after REST, or if there was none."""
        for frame in reversed(self.sent):
            if frame[:1] == frames.REST:
                return None
            if frame[:1] == frames.WRITE:
                record = np.zeros(1, self.family.command)
                Layout(self.family.command).to_struct(frame[5:], record.view(np.uint8))
                assert crc32(record.view(WORD)[:-1]) == int(record['crc'][0])
                return record[0]
        return None

    def motors(self, field: str) -> np.ndarray:
        """A field of the joints in the last message, in the robot's order."""
        return self.told()['motor_cmd'][field][self.places]


def assert_damped(rig: Rig) -> None:
    assert rig.core.state == 'damping'
    assert (rig.motors('mode') == 1).all()
    assert (rig.motors('kp') == 0).all()
    np.testing.assert_allclose(rig.motors('kd'), rig.description.kd)
    assert (rig.motors('dq') == 0).all()
