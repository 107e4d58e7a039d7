"""The directory of an evaluation: its settings, and one line for each result.

Settings hold the hashes of all files and the versions that determine the results, so that an
evaluation can be resumed only if they are the same.
"""

import fcntl
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import orjson

from kinfer_ros.atomic_file import replace_file
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.errors import RunError
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import Matrix
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot
from kinfer_ros.run.directory import RunDirectory
from kinfer_ros.run.versions import versions

SETTINGS, RESULTS, PAGE = 'settings.json', 'results.ndjson', 'report.html'

MAX_RESULTS = 256 << 20
"""Largest results file that is read, bytes."""

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE

RESULT_PACKAGES = ('kinfer_ros', 'numpy', 'mujoco', 'onnxruntime')


def settings_of(subject: Subject, policy: Policy, matrix: Matrix) -> dict[str, Any]:
    """Return everything that the results depend on."""
    robot = subject.load()[1]
    installed = versions()
    contract = policy.contract
    return {
        'model': str(contract.path),
        'model_sha256': contract.sha256,
        'spec_sha256': contract.spec.sha256 if contract.spec else None,
        'robot': robot.name,
        'robot_sha256': hashlib.sha256(robot.path.read_bytes()).hexdigest(),
        'mjcf_sha256': _physics_digest(robot),
        **({'imu_mounting': list(subject.imu_mounting)} if subject.imu_mounting else {}),
        'machine': platform.machine(),
        'versions': {name: installed[name] for name in RESULT_PACKAGES},
        **matrix.as_json(),
    }


def _physics_digest(robot: Robot) -> str:
    """Hash the compiled MJCF, with its meshes and included files."""
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
        Open the directory of an evaluation and continue it.

        :raises RunError: it is none, has other settings, or another process writes to it.
        """
        self.path = path
        self.records: dict[str, dict[str, Any]] = {}
        _check_settings(path, settings)
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
    def create(cls, folder: Path, settings: Mapping[str, Any]) -> 'Results':
        """
        Make `<folder>/<UTC stamp>_<model>/` and the link `latest` to it.

        :raises RunError: it cannot be made.
        """
        return cls.begin(RunDirectory.create(folder, Path(str(settings['model']))).path, settings)

    @classmethod
    def begin(cls, path: Path, settings: Mapping[str, Any]) -> 'Results':
        """
        Begin an evaluation in a directory that is there.

        :raises RunError: it cannot be written.
        """
        try:
            replace_file(path / SETTINGS, orjson.dumps(settings, option=OPTIONS))
        except OSError as error:
            raise RunError(f'{path / SETTINGS}: cannot be written ({error.strerror})') from error
        return cls(path, settings)

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a result to the file and flush it."""
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
        # As read back from the file: a number that is not finite is null.
        self.records[str(record['job'])] = orjson.loads(orjson.dumps(record))

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()

    def _read(self) -> None:
        """Read the results; remove a last line that is not complete."""
        self._file.seek(0)
        data = self._file.read(MAX_RESULTS + 1)
        if len(data) > MAX_RESULTS:
            self._file.close()
            raise RunError(f'{self.path / RESULTS}: is larger than {MAX_RESULTS} bytes')
        complete = data[: data.rfind(b'\n') + 1]
        self._file.truncate(len(complete))
        for number, line in enumerate(complete.splitlines(), 1):
            try:
                record = orjson.loads(line)
                self.records[record['job']] = check_record(record)
            except (ValueError, TypeError, KeyError) as error:
                self._file.close()
                raise RunError(
                    f'{self.path / RESULTS}, line {number}: no result of a job ({error})'
                ) from None


def check_record(record: Any) -> dict[str, Any]:
    """
    Return a record if it has the entries that the summary reads.

    :raises ValueError: an entry has a wrong type.
    """
    numbers = (
        record['run_s'], record['power_w'], record['energy_j_per_m'], record['slip_mps'],
        *record['velocity_error'].values(), *record['velocity'].values(),
    )  # fmt: skip
    if not all(value is None or isinstance(value, int | float) for value in numbers):
        raise ValueError('a value is no number')
    if not isinstance(record['survived'], bool) or not isinstance(record['reason'], str):
        raise ValueError('survived is no boolean or reason is no text')
    return dict(record)


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    file = path / SETTINGS
    try:
        stored = orjson.loads(file.read_bytes())
    except OSError as error:
        raise RunError(f'{file}: cannot be read ({error.strerror}): no evaluation') from error
    except ValueError:
        raise RunError(f'{file}: is not JSON') from None
    current = orjson.loads(orjson.dumps(settings, option=OPTIONS))
    differ = [
        f'{key}: found {_shorten(stored.get(key))}, now {_shorten(current.get(key))}'
        for key in sorted({*stored, *current} - {'model'})  # its hash is compared
        if stored.get(key) != current.get(key)
    ]
    if differ:
        listed = '\n  '.join(differ)
        raise RunError(
            f'{path}: was begun with other settings, start a new evaluation:\n  {listed}'
        )


def _shorten(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 120 else f'{text[:117]}...'
