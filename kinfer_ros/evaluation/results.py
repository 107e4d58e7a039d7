"""The directory of an evaluation: its settings, and a line for each job that has ended.

Without this module an evaluation of a night would be lost at its last minute. Settings carry the
hashes of all files and the versions that make the numbers, so that a resumed evaluation is one.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import orjson

from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.errors import RunError
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import Matrix
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot
from kinfer_ros.run.directory import RunDirectory
from kinfer_ros.run.directory import replace_file
from kinfer_ros.run.versions import versions

SETTINGS, RESULTS, PAGE = 'settings.json', 'results.ndjson', 'report.html'

MAX_VALUE = 256 << 20
"""Bytes of a results file that is read."""

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE

NUMBERS_FROM = ('kinfer_ros', 'numpy', 'mujoco', 'onnxruntime')


def settings_of(subject: Subject, policy: Policy, matrix: Matrix) -> dict[str, Any]:
    """Say everything that the numbers depend on."""
    robot = subject.load()[1]
    found = versions()
    contract = policy.contract
    return {
        'model': str(contract.path),
        'model_sha256': contract.sha256,
        'spec_sha256': contract.spec.sha256 if contract.spec else None,
        'robot': robot.name,
        'robot_sha256': hashlib.sha256(robot.path.read_bytes()).hexdigest(),
        'mjcf_sha256': _physics_digest(robot),
        'machine': platform.machine(),
        'versions': {name: found[name] for name in NUMBERS_FROM},
        **matrix.as_json(),
    }


def _physics_digest(robot: Robot) -> str:
    """Hash the MJCF as it is compiled: meshes and included files are in it."""
    model = fit_model(robot).model
    buffer = np.zeros(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()


class Results:
    """
    The results of one evaluation, appended to a file line by line.

    :ivar path: the directory.
    :ivar records: every result so far, by job id.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """
        Open the directory of an evaluation, to go on with it.

        :raises RunError: it is none, has other settings, or somebody else writes to it.
        """
        self.path = path
        self.records: dict[str, dict[str, Any]] = {}
        _same_settings(path, settings)
        try:
            self._file = (path / RESULTS).open('ab+')
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise RunError(f'{path}: another evaluation is writing to it') from None
        except OSError as error:
            raise RunError(f'{path / RESULTS}: cannot be written ({error.strerror})') from error
        self._read()

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any]) -> Results:
        """
        Make `<folder>/<UTC stamp>_<model>/`, and a link `latest` to it.

        :raises RunError: it cannot be made.
        """
        path = RunDirectory.create(folder, Path(str(settings['model']))).path
        replace_file(path / SETTINGS, orjson.dumps(settings, option=OPTIONS))
        return cls(path, settings)

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a result; it is in the file when this returns."""
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
        # As a later reader of the file has it: a number that is not finite is null.
        self.records[str(record['job'])] = orjson.loads(orjson.dumps(record))

    def close(self) -> None:
        """Close the file; the lock goes with it."""
        self._file.close()

    def _read(self) -> None:
        """Take what is there; a line that a kill cut is taken away."""
        self._file.seek(0)
        data = self._file.read(MAX_VALUE + 1)
        if len(data) > MAX_VALUE:
            self._file.close()
            raise RunError(f'{self.path / RESULTS}: is larger than {MAX_VALUE} bytes')
        whole = data[: data.rfind(b'\n') + 1]
        self._file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = orjson.loads(line)
                self.records[record['job']] = checked(record)
            except (ValueError, TypeError, KeyError) as error:
                self._file.close()
                raise RunError(
                    f'{self.path / RESULTS}, line {number}: no result of a job ({error})'
                ) from None


def checked(record: Any) -> dict[str, Any]:
    """
    Return a record that has what the summary reads.

    :raises ValueError: it does not.
    """
    numbers = (
        record['run_s'], record['power_w'], record['energy_j_per_m'], record['slip_mps'],
        *record['velocity_error'].values(), *record['velocity'].values(),
    )  # fmt: skip
    if not all(value is None or isinstance(value, int | float) for value in numbers):
        raise ValueError('a value is no number')
    if not isinstance(record['survived'], bool) or not isinstance(record['reason'], str):
        raise ValueError('survived is no truth value or reason is no text')
    return dict(record)


def _same_settings(path: Path, settings: Mapping[str, Any]) -> None:
    file = path / SETTINGS
    try:
        stored = orjson.loads(file.read_bytes())
    except OSError as error:
        raise RunError(f'{file}: cannot be read ({error.strerror}): no evaluation') from error
    except ValueError:
        raise RunError(f'{file}: is not JSON') from None
    asked = orjson.loads(orjson.dumps(settings, option=OPTIONS))
    paths = ('model',)  # the hash tells whether it is the same one
    differ = [
        f'{key}: found {_short(stored.get(key))}, now {_short(asked.get(key))}'
        for key in sorted({*stored, *asked} - {*paths})
        if stored.get(key) != asked.get(key)
    ]
    if differ:
        listed = '\n  '.join(differ)
        raise RunError(
            f'{path}: was begun with other settings, start a new evaluation:\n  {listed}'
        )


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 120 else f'{text[:117]}...'
