"""The fields of a step's record, in memory and in steps.ndjson.

kinfer's readers index the keys by name, and a replay needs the arrays bit for bit; see
docs/runs.md.
"""

import math
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ModelError
from kinfer_ros.run.ring import StepRing

# Bits of i64['flags']: the parts of the record that are set; others are null in the log.
HAS_INPUTS = 1  # the policy's inputs
HAS_OUTPUT = 2  # output: the policy ran in this tick
HAS_TARGET = 4  # target: positions were sent
HAS_CARRY = 8  # carry: before this step
HAS_SAMPLE = 16  # stamp_ns and age_us: there was a sensor sample
HAS_ODOM = 32  # odom: a pose newer than the last one recorded
HAS_OVERRIDE = 64  # override: another node moves joints

# The policy's names for its inputs -> kinfer's names for them in its log.
KINFER_KEYS = {
    'joint_angles': 'joint_angles',
    'joint_angular_velocities': 'joint_vels',
    'projected_gravity': 'projected_g',
    'accelerometer': 'accel',
    'gyroscope': 'gyro',
    'command': 'command',
}

# Measured values that the target limits used, where they are no input of the policy.
MEASURED = {
    'measured_position': 'joint_angles',
    'measured_velocity': 'joint_angular_velocities',
}

SCALARS = (
    'step_id', 't_us', 'now_ns', 'stamp_ns', 'age_us', 'late_us', 'activation', 'flags', 'layout',
)  # fmt: skip
OBJECTS = ('mode', 'events', 'resume')
# Of policies with a motion: the reference of the step; their records alone have these keys.
MOTION = ('reference', 'anchor_error')
# Of runs in which another node may move joints; null in the row where a joint is free.
OVERRIDE = 'override'
# What the robot reports beside its state, Nm and deg C; null in the row where it does not.
REPORTED = ('joint_torques', 'joint_temps')
# The charge, 0 to 1; of runs with the parameter `record_battery`.
BATTERY = 'battery'
PARTIAL = (*REPORTED, BATTERY, OVERRIDE)
"""Fields in which NaN is no value: null in the log."""
SOMETIMES = ('output', 'carry', 'odom')
"""Fields that not every record has: a row begins with them, and ends with OVERRIDE. What stands
between is copied at once."""
_OWN_FIELDS = (
    *MOTION, *PARTIAL, *SOMETIMES, 'target', 'stage_us', *MEASURED,
)  # fmt: skip

# Keys of a record, and of its 'inputs', whose lists are float32 arrays when read back.
ARRAY_KEYS = (
    *KINFER_KEYS.values(), 'joint_velocities', 'output', 'target', 'carry', 'odom', *MEASURED,
    *MOTION, OVERRIDE, *REPORTED,
)  # fmt: skip

SCHEMA = 2
"""Version of the record, `step_schema` of run.json; 1, without it, had no REPORTED."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


RECORDS = 1024
"""Records that a ring holds: a second at 1 kHz, 20 s at 50 Hz."""


class RecordFormat:
    """
    The layout of a policy's records: fields of the ring, and the JSON line of one slot.

    The records of a policy set share one ring; `ring.i64['layout']` says whose a slot is. A field
    of the ring is as long as the longest layout needs, and a layout uses its first numbers.

    Producer, each tick: `slot = ring.claim()`; when it is not -1 fill `ring.f32[input name]`,
    `ring.f32['output' | 'target' | 'carry' | 'odom' | 'stage_us']`, those of `measured` and of
    REPORTED (NaN where unknown),
    `ring.i64[...]` (SCALARS), `ring.obj['mode']` (str) and, when there are any,
    `ring.obj['events']` (a list of str) and `ring.obj['resume']` (a dict), which are not changed
    afterwards, set `ring.i64['flags']` and call `ring.publish()`.

    Units: rad, rad/s, m/s^2 as in the policy's inputs; `*_us` us, `stamp_ns` ns on the sensors'
    clock, `t_us` us since the Unix epoch; `stage_us` in the order of `stages`.

    :ivar measured: keys of MEASURED that this policy's inputs do not hold.
    """

    def __init__(
        self,
        joint_names: tuple[str, ...],
        input_sizes: Mapping[str, int],
        carry_size: int,
        stages: tuple[str, ...],
        more: Mapping[str, int] | None = None,
        policy: str = '',
        *,
        override_joints: int = 0,
        hidden_joints: bool = False,
        battery: bool = False,
    ) -> None:
        """
        Make the layout for a policy.

        :param joint_names: the policy's joints in its order, also of output and target.
        :param input_sizes: number of values of each input by name, without the carry.
        :param carry_size: number of values of the flattened carry, or 0.
        :param stages: names of the timed parts of a tick.
        :param more: number of values of those of MOTION that the policy has.
        :param policy: its name in its policy set, or ''.
        :param override_joints: number of joints that another node may move.
        :param hidden_joints: the policy's inputs are not what was measured.
        :param battery: the battery's charge is recorded.
        :raises ModelError: an input has the name of a field of the record.
        """
        clash = sorted(set(input_sizes) & set(_OWN_FIELDS))
        if clash:
            raise ModelError(
                f'the policy has inputs named {clash}, which the step log uses for its own '
                f'fields {list(_OWN_FIELDS)}: rename them in the ONNX file'
            )
        self.joint_names = joint_names
        self.stages = stages
        self.measured = tuple(
            key for key, name in MEASURED.items() if hidden_joints or name not in input_sizes
        )
        self._override = bool(override_joints)
        self._battery = battery
        self.fields: dict[str, int] = {
            'output': len(joint_names),
            'carry': carry_size,
            'odom': 3,
            **input_sizes,
            'target': len(joint_names),
            'stage_us': len(stages),
            **{key: len(joint_names) for key in self.measured},
            **(more or {}),
            **dict.fromkeys(REPORTED, len(joint_names)),
            **({BATTERY: 1} if battery else {}),
            **({OVERRIDE: override_joints} if override_joints else {}),
        }
        self._more = tuple(more or ())
        self._kinfer = tuple(
            (key, name if name in input_sizes else None) for name, key in KINFER_KEYS.items()
        )
        self._others = tuple(name for name in input_sizes if name not in KINFER_KEYS)
        self._joint_order = list(joint_names)
        self._policy = policy

    def make_ring(self, capacity: int = RECORDS) -> StepRing:
        """Make a ring with this layout."""
        return make_ring([self], capacity)

    def to_dict(self, ring: StepRing, slot: int) -> dict[str, Any]:
        """
        Build the record of a slot; its arrays are views, valid until the slot is released.

        :return: all keys of the schema; None where a part is absent.
        """
        sizes, i64, obj = self.fields, ring.i64, ring.obj
        f32 = {name: ring.f32[name][slot, :size] for name, size in sizes.items()}
        flags = int(i64['flags'][slot])
        seen = bool(flags & HAS_INPUTS)
        record: dict[str, Any] = {'step_id': int(i64['step_id'][slot])}
        record['t_us'] = int(i64['t_us'][slot])
        for key, name in self._kinfer:
            record[key] = f32[name] if seen and name is not None else None
        record['output'] = f32['output'] if flags & HAS_OUTPUT else None
        record['joint_order'] = self._joint_order
        if self._policy:
            record['policy'] = self._policy
        record['joint_velocities'] = record['joint_vels']
        others = {name: f32[name] for name in self._others} if seen else {}
        record['inputs'] = others or None
        record['target'] = f32['target'] if flags & HAS_TARGET else None
        for key in MEASURED:
            held = flags & HAS_SAMPLE and key in self.measured
            record[key] = f32[key] if held else None
        for key in self._more:
            record[key] = f32[key] if flags & HAS_OUTPUT else None
        if self._override:
            record[OVERRIDE] = f32[OVERRIDE] if flags & HAS_OVERRIDE else None
        for key in REPORTED:
            record[key] = f32[key] if np.isfinite(f32[key]).any() else None
        if self._battery:
            charge = float(f32[BATTERY][0])
            record[BATTERY] = round(charge, 4) if math.isfinite(charge) else None
        record['odom'] = f32['odom'] if flags & HAS_ODOM else None
        record['mode'] = obj['mode'][slot]
        record['events'] = obj['events'][slot] or []
        sampled = flags & HAS_SAMPLE
        record['age_us'] = int(i64['age_us'][slot]) if sampled else None
        record['late_us'] = int(i64['late_us'][slot])
        times = np.round(f32['stage_us'].astype(np.float64), 1).tolist()
        record['stage_us'] = dict(zip(self.stages, times, strict=True))
        record['now_ns'] = int(i64['now_ns'][slot])
        record['stamp_ns'] = int(i64['stamp_ns'][slot]) if sampled else None
        record['activation'] = int(i64['activation'][slot])
        record['carry'] = f32['carry'] if flags & HAS_CARRY else None
        record['resume'] = obj['resume'][slot]
        if not np.isfinite(ring.block[slot]).all():
            record['nonfinite'] = find_nonfinite(record) or None
        return record

    def to_json(self, ring: StepRing, slot: int) -> bytes:
        """Return the record of a slot as one line of JSON, newline included."""
        return orjson.dumps(self.to_dict(ring, slot), option=_OPTIONS)


def make_ring(layouts: Iterable[RecordFormat], capacity: int = RECORDS) -> StepRing:
    """Make a ring for the records of several layouts."""
    fields: dict[str, int] = {}
    for layout in layouts:
        for name, size in layout.fields.items():
            fields[name] = max(size, fields.get(name, 0))
    return StepRing(capacity, fields, SCALARS, OBJECTS, PARTIAL)


def _arrays(record: Mapping[str, Any]) -> list[tuple[str, Float32]]:
    """List the arrays of a record by key; an entry of 'inputs' has the key 'inputs.<name>'."""
    found = [(key, record[key]) for key in ARRAY_KEYS if record.get(key) is not None]
    inputs = record.get('inputs') or {}
    return found + [(f'inputs.{name}', row) for name, row in inputs.items()]


def find_nonfinite(record: Mapping[str, Any]) -> list[list[Any]]:
    """
    List the values that JSON cannot hold, as [key, index, bits of the float32 as an integer].

    Those of PARTIAL are no value.

    :param record: a record with numpy arrays; 'joint_velocities', equal to 'joint_vels', is
        listed too, for readers of either key.
    """
    found: list[list[Any]] = []
    for key, row in _arrays(record):
        if key in PARTIAL:
            continue
        bits = row.view(np.uint32)
        found.extend([key, int(i), int(bits[i])] for i in np.flatnonzero(~np.isfinite(row)))
    return found


def restore(record: dict[str, Any]) -> dict[str, Any]:
    """
    Turn the lists of a parsed record into float32 arrays, bit for bit as logged.

    :param record: a parsed line, changed in place; absent keys (kinfer's logs) stay absent.
    :raises ValueError, TypeError, KeyError, IndexError: the line is JSON but not a record.
    """
    with np.errstate(over='ignore'):  # a number that is no float32 becomes infinite
        for key in ARRAY_KEYS:
            if record.get(key) is not None:
                record[key] = _row(record[key])
        if record.get('inputs') is not None:
            record['inputs'] = {name: _row(values) for name, values in record['inputs'].items()}
    rows = dict(_arrays(record))
    for key, index, bits in record.get('nonfinite') or ():
        rows[key].view(np.uint32)[index] = bits
    return record


def _row(values: list[float | None]) -> Float32:
    row: Float32 = np.array(values, dtype=np.float32)  # null becomes NaN
    if row.ndim != 1:
        raise ValueError(f'expected a list of numbers, found shape {row.shape}')
    return row
