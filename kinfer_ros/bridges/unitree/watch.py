"""Checks what comes from a Unitree robot: whole, fresh, and from the robot of the robot file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.bridges.unitree.frames import Publisher
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.bridges.unitree.messages import StateReader
from kinfer_ros.bridges.unitree.options import WITHOUT
from kinfer_ros.bridges.unitree.remote import Remote
from kinfer_ros.bridges.unitree.remote import read_remote
from kinfer_ros.bridges.unitree.units import MotorUnits
from kinfer_ros.errors import MessageError

HEALTH_NS = SECOND // 2
"""Period of temperatures, voltages and faults."""


@dataclass(frozen=True, eq=False)
class Health:
    """What the motors report, [N] each, and the battery, where lowstate has it."""

    temperature: Float64
    """deg C, of the hottest part."""
    voltage: Float64 | None
    """V."""
    faults: dict[str, str]
    """By joint; only joints with faults."""
    battery: tuple[float, float, float] | None
    """V, A (negative: discharging), charge 0 to 1."""


class UnitreeWatch:
    """
    State of the link to a robot; every `now_ns` is of the steady clock.

    :param lost_timeout_ns: time without a new lowstate that counts as lost.
    :param warn: takes one line on each problem, when it begins.
    """

    def __init__(
        self,
        units: MotorUnits,
        family: Family,
        lost_timeout_ns: int,
        warn: Callable[[str], None],
    ) -> None:
        self._units = units
        self._family = family
        self._reader = StateReader(family)
        self._lost_timeout_ns = lost_timeout_ns
        self._warn = warn
        self._data = self._remote_data = b''
        self._fresh_ns = 0
        self._refused = ''
        self._health_ns = 0
        self.machine = -1
        """mode_machine of the robot; -1 before the first lowstate, or where it has none."""
        self.wrong_machine = ''
        """Why this is not the robot of the robot file, or ''."""
        self.sample: JointSample | None = None
        self.imu_problem = ''
        self.health: Health | None = None
        self.remote: Remote | None = None
        self.publishers: list[Publisher] = []
        """Of other processes, on rt/lowstate and rt/lowcmd."""
        self.states = self.bad_states = self.repeated_states = 0

    # What comes in -----------------------------------------------------------------------

    def take(self, data: bytes, arrival_ns: int) -> tuple[JointSample, ImuSample | None] | None:
        """Take a message of rt/lowstate; :return: its samples, None where it has nothing new."""
        self.states += 1
        if data == self._data:
            self.repeated_states += 1
            self._refused = 'it repeats itself: the robot has stopped measuring'
            return None
        self._data = data
        try:
            state = self._reader.read(data)
        except MessageError as error:
            self.bad_states += 1
            self._refused = str(error)
            return None
        motors = state['motor_state']
        position, velocity, effort = joints = self._units.joints(motors)
        if not np.isfinite(joints[:2]).all():
            self.bad_states += 1
            self._refused = 'a joint is not a finite number'
            return None
        self._refused, self._fresh_ns = '', arrival_ns
        self._note_machine(state)
        self._note_remote(state['wireless_remote'].tobytes())
        self.sample = JointSample(arrival_ns, position, velocity, effort)
        if arrival_ns - self._health_ns >= HEALTH_NS:
            self._health_ns = arrival_ns
            self._note_health(state)
        return self.sample, self._read_imu(state['imu_state'])

    def problem(self, now_ns: int) -> str:
        """Return why the robot must not be moved now, or ''."""
        if self.sample is None or now_ns - self._fresh_ns >= self._lost_timeout_ns:
            return self._silence()
        return self.wrong_machine

    def rivals(self) -> list[Publisher]:
        """List the other publishers of rt/lowcmd."""
        return [each for each in self.publishers if each.topic == 'rt/lowcmd']

    def rival_problem(self) -> str:
        """Return who else commands the robot, or ''."""
        rivals = self.rivals()
        if not rivals:
            return ''
        listed = ', '.join(each.key for each in rivals[:4])
        return (
            f'{len(rivals)} other publisher of rt/lowcmd ({listed}): end it, or release the '
            "robot's own controller (`python -m kinfer_ros unitree release`)"
        )

    # Details -----------------------------------------------------------------------------

    def _silence(self) -> str:
        seconds = self._lost_timeout_ns / 1e9
        if self._refused:
            return f'no usable rt/lowstate for {seconds:g} s: {self._refused}'
        kinds = {each.type_name for each in self.publishers if each.topic == 'rt/lowstate'}
        ours = f'unitree_{self._family.name}::msg::dds_::LowState_'
        if kinds and ours not in kinds:
            return (
                f'rt/lowstate has the type {", ".join(sorted(kinds))}, expected {ours}: is this '
                'the robot of the robot file?'
            )
        if self.sample is None:
            return 'no rt/lowstate yet: is the robot on, and network_interface the one to it?'
        return f'no rt/lowstate for {seconds:g} s'

    def _note_machine(self, state: Any) -> None:
        machine = int(state['mode_machine']) if 'mode_machine' in state.dtype.names else -1
        if machine == self.machine:
            return
        self.machine = machine
        # H1-2 has numbers of its own, so that only the G1's joints are judged by them.
        is_g1 = 'waist_yaw_joint' in self._units.names and len(self._units.names) > 20
        if is_g1 and machine not in WITHOUT:
            self._warn(f'the robot says mode_machine {machine}, which is not known')
        absent = WITHOUT.get(machine, frozenset()) if is_g1 else frozenset()
        pairs = zip(self._units.names, self._units.places, strict=True)
        missing = [name for name, place in pairs if int(place) in absent]
        self.wrong_machine = ''
        if missing:
            self.wrong_machine = (
                f'the robot says mode_machine {machine}, which has no {", ".join(missing)}: '
                'give its robot file (g1_23 for 23 joints)'
            )

    def _note_remote(self, data: bytes) -> None:
        if data != self._remote_data:
            self._remote_data, self.remote = data, read_remote(data)

    def _read_imu(self, imu: Any) -> ImuSample | None:
        w, x, y, z = imu['quaternion'].tolist()
        norm = w * w + x * x + y * y + z * z
        problem = '' if 0.9 < norm < 1.1 else f'the IMU has the orientation ({w}, {x}, {y}, {z})'
        if problem and not self.imu_problem:
            self._warn(problem)
        self.imu_problem = problem
        if problem:
            return None
        gx, gy, gz = imu['gyroscope'].tolist()
        ax, ay, az = imu['accelerometer'].tolist()
        return ImuSample((x, y, z, w), (gx, gy, gz), (ax, ay, az))

    def _note_health(self, state: Any) -> None:
        motors, units = state['motor_state'], self._units
        temperature = units.read(motors, 'temperature')
        if temperature.ndim > 1:
            temperature = temperature.max(axis=1)
        fields = motors.dtype.names
        voltage = units.read(motors, 'vol') if 'vol' in fields else None
        faults = {}
        if 'motorstate' in fields:
            codes = motors['motorstate'][units.places]
            faults = {
                name: f'motor error {code:#x}'
                for name, code in zip(units.names, codes.tolist(), strict=True)
                if code
            }
        before = self.health.faults if self.health else {}
        for name, fault in faults.items():
            if before.get(name) != fault:
                self._warn(f'{name} reports {fault}')
        battery = None
        if 'bms_state' in state.dtype.names:
            bms = state['bms_state']
            battery = (float(state['power_v']), int(bms['current']) / 1e3, int(bms['soc']) / 1e2)
        self.health = Health(temperature, voltage, faults, battery)
