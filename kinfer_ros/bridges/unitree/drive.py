"""Makes the messages on rt/lowcmd: targets with their gains, damping, motors off."""

from collections.abc import Callable

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.messages import CommandWriter
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.bridges.unitree.units import MotorUnits

ON = 1
"""A motor's mode: it follows the command. 0: off."""
BEAT_NS = 20_000_000
"""Longest time without a word to the process that repeats the message."""


class UnitreeDrive:
    """
    The way from the bridge to the motors; motors of no joint stay off.

    :param send: takes the frames for the DDS process; returns whether it could.
    """

    def __init__(self, units: MotorUnits, family: Family, send: Callable[[bytes], bool]) -> None:
        self._units = units
        self._writer = CommandWriter(family)
        self._send_frame = send
        self._has_machine = 'mode_machine' in (family.command.names or ())
        self._sent_ns = 0
        self._waiting: dict[bytes, bytes] = {}  # by kind: fallback first, as they are made
        self.sent = 0
        """Messages that were made."""

    def set_machine(self, mode_machine: int) -> None:
        """Repeat from now on what the robot says of itself, which it expects."""
        if self._has_machine:
            self._writer.fields['mode_machine'] = mode_machine

    def move(self, target: Float64, gains: Gains) -> None:
        """Bring a target [N] rad and its gains into force, in one message."""
        self._send(frames.WRITE + self._message(ON, target, gains))

    def damp(self, pose: Float64, gains: Gains) -> None:
        """Let the joints yield: no stiffness, their damping."""
        self.move(pose, gains.softened(0.0))

    def set_fallback(self, timeout_ns: int, pose: Float64, gains: Gains) -> None:
        """Say what is written when this process is silent for a time, or gone: damping."""
        message = self._message(ON, pose, gains.softened(0.0))
        self._send(frames.damp_frame(timeout_ns, message))

    def off(self, pose: Float64, gains: Gains) -> None:
        """Switch the motors off."""
        self._send(frames.WRITE + self._message(0, pose, gains.softened(0.0)))

    def rest(self) -> None:
        """Write nothing: others may control the robot."""
        self._send(frames.REST)

    def beat(self, now_ns: int) -> None:
        """Say that this process is alive; send a message again that was not taken."""
        for frame in list(self._waiting.values()):
            self._send(frame)
        if now_ns - self._sent_ns >= BEAT_NS:
            self._sent_ns = now_ns
            self._send_frame(frames.BEAT)

    def _send(self, frame: bytes) -> None:
        self.sent += 1
        slot = frames.DAMP if frame[:1] == frames.DAMP else frames.WRITE
        self._waiting.pop(slot, None)
        if not self._send_frame(frame):
            self._waiting[slot] = frame

    def _message(self, mode: int, target: Float64, gains: Gains) -> bytes:
        motors, places = self._writer.fields['motor_cmd'], self._units.places
        assert np.isfinite(target).all(), 'targets are checked before'
        motors['mode'][places] = mode
        motors['q'][places] = self._units.to_motors(target)
        motors['kp'][places] = gains.kp
        motors['kd'][places] = gains.kd
        return self._writer.message()
