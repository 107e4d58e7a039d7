"""Reads a run directory: run.json, and its records in steps.ndjson."""

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kinfer_ros.analysis.log_parts import STEPS
from kinfer_ros.analysis.log_parts import ZST
from kinfer_ros.analysis.log_parts import read_lines
from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RunError
from kinfer_ros.file_kind import SET_HEAD
from kinfer_ros.file_kind import is_policy_set
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.run.writer import read_steps

MAX_RUN_JSON = 64 * 2**20

FACT_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(('model', 'model_sha256'), str),
    **dict.fromkeys(('control_rate_hz', 'falls', 'distance_m', 'run_s'), (int, float)),
    'step_schema': int,
    'provenance': dict,
    **dict.fromkeys(('joint_order', 'command_names', 'swaps', 'velocity_joints'), list),
    **dict.fromkeys(
        (
            'limits',
            'gains',
            'policies',
            'command_ranges',
            'parameters',
            'counters',
            'timing',
            'versions',
            'host',
            'guards',
        ),
        dict,
    ),
}
"""Types of the entries of run.json that readers use."""


@dataclass
class RecordedRun:
    """
    A run directory.

    :ivar facts: content of run.json.
    :ivar damaged: numbers of the lines of the step log that are not records, as far as read.
    """

    path: Path
    facts: Mapping[str, Any]
    damaged: list[int] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> 'RecordedRun':
        """
        Read run.json; a step log alone, such as kinfer's own, has no facts.

        :param path: run directory, or an .ndjson file.
        :raises RunError: there is no run.json, or it is not a JSON object.
        """
        if path.is_file() and path.name.removesuffix(ZST).endswith('.ndjson'):
            return cls(path, {})
        file = path / 'run.json'
        try:
            if file.stat().st_size > MAX_RUN_JSON:
                raise RunError(f'{file}: larger than {MAX_RUN_JSON} bytes: not written by us')
            facts = orjson.loads(file.read_bytes())
        except OSError as error:
            raise RunError(f'{path}: {not_a_run(path, str(error.strerror))}') from error
        except orjson.JSONDecodeError as error:
            raise RunError(f'{file}: is not JSON ({error})') from error
        if not isinstance(facts, dict):
            raise RunError(f'{file}: found a {type(facts).__name__}, expected an object')
        _check_types(file, facts)
        # Readers have defaults for missing keys, not for null.
        return cls(path, {k: v for k, v in facts.items() if v is not None or k not in FACT_TYPES})

    @property
    def log(self) -> Path:
        """The step log."""
        return self.path if self.path.is_file() else self.path / STEPS

    @property
    def velocity_joints(self) -> tuple[str, ...]:
        """Joints whose targets are velocities, rad/s: wheels."""
        return tuple(str(name) for name in self.facts.get('velocity_joints') or ())

    @property
    def wheels(self) -> list[int]:
        """Their places in the joint order of the records."""
        order = self.facts.get('joint_order') or []
        return [at for at, name in enumerate(order) if name in self.velocity_joints]

    @property
    def offset(self) -> int:
        """
        Byte of its first file at which this run's records begin.

        :raises RunError: steps_offset in run.json is not a valid offset.
        """
        offset = self.facts.get('steps_offset') or 0
        if not isinstance(offset, int) or not 0 <= offset < 2**62:
            raise RunError(f'{self.path}/run.json: steps_offset: found {offset!r}')
        return offset

    def records(self) -> Iterator[dict[str, Any]]:
        """
        Yield this run's records in the order of writing.

        :raises RunError: the step log cannot be read.
        """
        yield from read_steps(self.log, self.offset, self.damaged)

    def lines(self) -> Iterator[bytes]:
        """
        Yield the lines of this run's records.

        :raises RunError: the step log cannot be read.
        """
        yield from read_lines(self.log, self.offset)

    def fact(self, *keys: str) -> Any:
        """
        Return an entry of run.json.

        :raises RunError: it is missing.
        """
        if self.path.is_file():
            raise RunError(
                f'{self.path}: a step log alone has no run.json, which this needs for '
                f'{".".join(keys)}: give the run directory'
            )
        value: Any = self.facts
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                raise RunError(
                    f'{self.path}/run.json has no {".".join(keys)}: it was written by another '
                    'version of kinfer_ros, or is damaged'
                )
            value = value[key]
        return value

    def of_policy(self, name: str) -> 'RecordedRun':
        """
        Return the run as one policy of its set has it: facts of the policy before the run's.

        :raises RunError: run.json does not know the policy.
        """
        own = self.fact('policies', name)
        if not isinstance(own, dict) or not isinstance(own.get('limits'), dict):
            raise RunError(f'{self.path}/run.json: policies.{name}: found no facts of a policy')
        limits = {**self.fact('limits'), **own['limits']}
        facts = {**self.facts, **own, 'limits': limits}
        _check_types(self.path / 'run.json', facts)
        return RecordedRun(self.path, facts)

    def joint_numbers(self, section: str, key: str, joints: tuple[str, ...]) -> Float64:
        """
        Return a vector of run.json (of `limits` or `gains`), in the order of `joints`.

        :raises RunError: a joint has no number.
        """
        found = {'joints': self.fact(section, 'joints'), key: self.fact(section, key)}
        return self._numbers(section, found, key, joints)

    def gains_of(self, sha256: str, joints: tuple[str, ...]) -> tuple[Float64, Float64, Float64]:
        """
        Return kp, kd and torque limits that a policy ran with, in the order of `joints`.

        :param sha256: the first 12 digits; those of a swap have gains of their own since gains may
            change within a run.
        :raises RunError: a joint has no number.
        """
        where, found = 'gains', self.fact('gains')
        for swap in self.facts.get('swaps') or ():
            if isinstance(swap, Mapping) and str(swap.get('model_sha256'))[:12] == sha256:
                where, found = 'swaps.gains', swap.get('gains', found)
        kp, kd, torque = (
            self._numbers(where, found, key, joints) for key in ('kp', 'kd', 'torque_limit')
        )
        return kp, kd, torque

    def load(self, number: int) -> Mapping[str, Any]:
        """
        Return the facts of a policy of a set that was loaded while the node was active.

        :param number: in `swaps`, from 1.
        :raises RunError: run.json does not list it.
        """
        swaps = self.facts.get('swaps') or ()
        found = swaps[number - 1] if 1 <= number <= len(swaps) else None
        if not isinstance(found, Mapping) or 'policy' not in found:
            raise RunError(
                f'{self.path}/run.json: swaps: found no policy that was loaded as number {number}'
            )
        return found

    def gains_of_load(
        self, number: int, joints: tuple[str, ...]
    ) -> tuple[Float64, Float64, Float64]:
        """
        Return kp, kd and torque limits of such a policy, in the order of `joints`.

        :raises RunError: a joint has no number.
        """
        found = self.load(number).get('gains')
        kp, kd, torque = (
            self._numbers('swaps.gains', found, key, joints)
            for key in ('kp', 'kd', 'torque_limit')
        )
        return kp, kd, torque

    def _numbers(self, where: str, found: Any, key: str, joints: tuple[str, ...]) -> Float64:
        try:
            names = list(found['joints'])
            values = np.array(found[key], dtype=np.float64)
            return values[[names.index(name) for name in joints]]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise RunError(
                f'{self.path}/run.json: {where}.{key} does not give a number for each of '
                f'{list(joints)} ({error})'
            ) from error


def not_a_run(path: Path, reason: str, *, logs: bool = True) -> str:
    """
    Say what the path is instead of a run, what was expected, and how to record a run.

    :param reason: why its run.json could not be read.
    :param logs: a step log alone would do.
    """
    expected = 'expected a run directory, such as runs/latest' + (
        ', or an .ndjson log' if logs else ''
    )
    if path.suffix in ('.yaml', '.yml') and _begins_as_set(path):
        return f'is a policy set; {expected}. `walk policies:=FILE` records one'
    if path.suffix in ('.kinfer', '.onnx'):
        return f'is a policy; {expected}. `walk model:=FILE` records one'
    if path.is_file():
        return f'is a file of another kind; {expected}'
    if (path / 'results.ndjson').is_file():
        return f'is an evaluation; {expected}. `eval` with --only JOB --record DIR records one'
    if (path / 'latest' / 'run.json').is_file():
        return f'is a folder of runs; {expected}. The newest is {path / "latest"}'
    if any(path.glob('*.mcap')):
        return f'is a bag; {expected}. The run is {path.resolve().parent}'
    return f'run.json cannot be read ({reason}); {expected}'


def _begins_as_set(path: Path) -> bool:
    try:
        with path.open('rb') as file:
            return is_policy_set(file.read(SET_HEAD))
    except OSError:
        return False


def _check_types(file: Path, facts: Mapping[str, Any]) -> None:
    """:raises RunError: an entry has the wrong type, or a rate that none can have."""
    rate = facts.get('control_rate_hz')
    if isinstance(rate, int | float) and not 0.0 < rate <= MAX_RATE_HZ:
        raise RunError(f'{file}: control_rate_hz: found {rate}, expected 0 to {MAX_RATE_HZ:g} Hz')
    for key, kind in FACT_TYPES.items():
        value = facts.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise RunError(
                f'{file}: {key}: found a {type(value).__name__}; it was not written by '
                'kinfer_ros, or is damaged'
            )


def override_joints(facts: Mapping[str, Any]) -> list[str]:
    """Return the joints that another node could move in a run, in the order of its records."""
    parameters = facts.get('parameters')
    found = parameters.get('override_joints') if isinstance(parameters, Mapping) else None
    return [str(name) for name in found if name] if isinstance(found, list) else []
