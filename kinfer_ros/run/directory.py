"""Makes the directory of a run, the link to the latest one, and run.json.

run.json is written at the start and again at the end, so that a killed run has one too. Each
write is atomic: a reader never sees half a file.
"""

import os
import re
import threading
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from kinfer_ros.atomic_file import replace_file
from kinfer_ros.errors import RunError

_OPTIONS = (
    orjson.OPT_INDENT_2
    | orjson.OPT_SERIALIZE_NUMPY
    | orjson.OPT_NON_STR_KEYS
    | orjson.OPT_APPEND_NEWLINE
)
_COLLISIONS = 1000


class RunDirectory:
    """
    A run's directory, made by `create`.

    :ivar path: absolute.
    :ivar info: the content of run.json.
    :ivar warnings: texts to log.
    """

    def __init__(self, path: Path, warnings: tuple[str, ...] = ()) -> None:
        self.path = path
        self.warnings = warnings
        self.info: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def create(
        cls, runs_dir: Path, model: Path | str, now: datetime | None = None
    ) -> 'RunDirectory':
        """
        Make `<runs_dir>/<UTC stamp>_<model's stem>/` and point `<runs_dir>/latest` at it.

        :param runs_dir: made if it does not exist.
        :param model: the policy's path or name; its stem names the directory.
        :param now: start time, with a time zone; default: now.
        :raises RunError: the directory cannot be made or written.
        """
        now = datetime.now(UTC) if now is None else now
        stamp = now.astimezone(UTC).strftime('%Y-%m-%dT%H-%M-%SZ')
        stem = re.sub(r'[^A-Za-z0-9._-]+', '_', Path(model).stem) or 'policy'
        # A POSIX file name has at most 255 bytes, stamp and number included.
        runs_dir = runs_dir.expanduser().absolute()
        path = _make(runs_dir, f'{stamp}_{stem[:200]}')
        return cls(path, _link_latest(runs_dir, path.name))

    def write_run_json(self, values: Mapping[str, Any]) -> None:
        """
        Merge values (numpy and Path as well) into run.json, from any thread.

        NaN and infinity become null.

        :raises RunError: the file cannot be written, or a value has no form in JSON.
        """
        target = self.path / 'run.json'
        try:
            with self._lock:
                self.info.update(values)
                text = orjson.dumps(self.info, option=_OPTIONS, default=_plain)
                replace_file(target, text)
        except orjson.JSONEncodeError as error:
            raise RunError(f'{target}: {error}') from error
        except OSError as error:
            raise RunError(f'{target}: cannot be written ({error.strerror})') from error

    def finish(
        self, reason: str, values: Mapping[str, Any] | None = None, now: datetime | None = None
    ) -> None:
        """
        Write run.json for the last time: `ended` (UTC, ISO 8601), `reason`, and `values`.

        :raises RunError: as write_run_json.
        """
        now = datetime.now(UTC) if now is None else now
        self.write_run_json({**(values or {}), 'ended': iso_utc(now), 'reason': reason})


def iso_utc(when: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with milliseconds."""
    utc = when.astimezone(UTC)
    return utc.isoformat(timespec='milliseconds').replace('+00:00', 'Z')


def _make(runs_dir: Path, name: str) -> Path:
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        for number in range(1, _COLLISIONS):
            path = runs_dir / (name if number == 1 else f'{name}-{number}')
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise RunError(
            f'{runs_dir}: no run directory can be made here ({error.strerror}: {error.filename}); '
            'set runs_dir to a directory that can be written'
        ) from error
    raise RunError(f'{runs_dir}: {_COLLISIONS} directories named {name} exist already')


def _link_latest(runs_dir: Path, name: str) -> tuple[str, ...]:
    """Point `latest` at the run, atomically and relative; :return: warnings."""
    latest = runs_dir / 'latest'
    if latest.exists() and not latest.is_symlink():
        return (f'{latest} is not a link and was not changed; the run is in {runs_dir / name}',)
    temporary = runs_dir / f'.latest.{os.getpid()}.{name}'
    try:
        temporary.symlink_to(name, target_is_directory=True)
        temporary.replace(latest)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return (f'{latest} cannot be made ({error.strerror}); the run is in {runs_dir / name}',)
    return ()


def _plain(value: Any) -> Any:
    """Convert what orjson cannot."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f'{type(value).__name__} cannot be written to run.json: {value!r}')
