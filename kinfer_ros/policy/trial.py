"""Loads a policy file and runs it once in a child process, before this process touches it.

ONNX Runtime does whatever a file says: a loop without end, gigabytes of zeros, or worse. The child
(trial_child.py) does it first, within a time and an amount of memory.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros import errors
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import TrialError
from kinfer_ros.policy.archive import Archive
from kinfer_ros.untrusted import LOAD_MEMORY_MB
from kinfer_ros.untrusted import LOAD_SECONDS

CHILD = 'kinfer_ros.policy.trial_child'
POLL_PERIOD = 0.02
"""s between two looks at whether the trial was interrupted."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class TrialLimits:
    """
    What a policy file may use until it has run once.

    :ivar seconds: time; the start of Python and ONNX Runtime counts.
    :ivar memory_mb: memory beyond that of Python and ONNX Runtime.
    :ivar interrupted: asked 50 times a second; True ends the trial.
    """

    seconds: float = LOAD_SECONDS
    memory_mb: int = LOAD_MEMORY_MB
    interrupted: Callable[[], bool] = _never


_passed: set[tuple[object, ...]] = set()
"""The same bytes are tried once in a process."""
_passed_together: set[tuple[object, ...]] = set()
"""The same files, by their state on disk."""


def try_together(
    files: Sequence[tuple[Path, Path | None]], threads: int, limits: TrialLimits
) -> None:
    """
    Try several policies in one child process, within the limits of one of them.

    A policy that does not pass, and those after it, are left to `try_policy`: each alone, and with
    its own words.

    :param files: model and spec of each.
    :raises NotReady: `interrupted`.
    """
    fresh: dict[tuple[object, ...], dict[str, Any]] = {}
    for model, spec in files:
        bounds = threads, limits.seconds, limits.memory_mb
        state = (_state(model), _state(spec), *bounds)
        if state not in _passed_together:
            fresh[state] = _request(model, spec, threads, limits)
    if len(fresh) < 2:
        return
    try:
        code, out, _ = _run_child('policies', list(fresh.values()), limits)
        answers = json.loads(out) if code == 0 else []
    except (TrialError, ValueError):
        return
    for (tried, request), answer in zip(fresh.items(), answers, strict=False):
        if isinstance(answer, dict) and isinstance(answer.get('sha256'), str):
            _passed_together.add(tried)
            suffix = Path(request['model']).suffix
            _passed.add(_key(answer['sha256'], suffix, request['spec'], threads, limits))


def try_policy(
    archive: Archive,
    spec: str | os.PathLike[str] | None,
    threads: int,
    limits: TrialLimits,
    *,
    only_graph: bool = False,
    probed: bool = False,
) -> None:
    """
    Load a policy and run it once in a child process.

    :param only_graph: let ONNX Runtime load the graph of a bare file, and no more.
    :param probed: then let it run twice as well, as `graph.probe` does.
    :raises TrialError: it takes too long or too much memory, or ends its process.
    :raises KinferRosError: it cannot be used, as loading it here would say.
    :raises NotReady: `interrupted`.
    """
    key = _key(archive.sha256, archive.path.suffix, spec, threads, limits, only_graph, probed)
    if key in _passed:
        return
    request = _request(archive.path, spec, threads, limits, only_graph, probed)
    answer = _ask_child(str(archive.path), request, limits)
    if 'memory' in answer:
        raise TrialError(
            f'{archive.path}: needs more than {limits.memory_mb} MB of memory to be loaded and '
            f'run once: {answer["memory"]}; {_ADVICE.format("load_memory_mb")}'
        )
    if 'error' in answer:
        raise _error_class(answer.get('kind'))(answer['error'])
    if answer.get('sha256') != archive.sha256:
        raise TrialError(f'{archive.path}: has changed while it was tried; load it again')
    _passed.add(key)


def _key(
    sha256: str,
    suffix: str,
    spec: str | os.PathLike[str] | None,
    threads: int,
    limits: TrialLimits,
    *graph: bool,
) -> tuple[object, ...]:
    """Return what a trial has to be repeated for."""
    bounds = threads, limits.seconds, limits.memory_mb
    return (sha256, suffix, _state(spec), *bounds, *(graph or (False, False)))


def _request(
    model: Path,
    spec: str | os.PathLike[str] | None,
    threads: int,
    limits: TrialLimits,
    only_graph: bool = False,
    probed: bool = False,
) -> dict[str, Any]:
    return {
        'model': str(model),
        'spec': None if spec is None else os.fspath(spec),
        'threads': threads,
        'seconds': limits.seconds,
        'memory_mb': limits.memory_mb,
        'only_graph': only_graph,
        'probed': probed,
    }


_ADVICE = (
    'it is not used. If the file is from a source you trust, give it more: the parameter {} of '
    'the policy node, TrialLimits in Python'
)


def _state(spec: str | os.PathLike[str] | None) -> object:
    """Return what changes when the spec file does."""
    if spec is None:
        return None
    path = Path(spec)
    try:
        found = path.stat()
    except (OSError, ValueError):  # the child says it in words
        return str(path), time.monotonic_ns()
    return str(path.absolute()), found.st_mtime_ns, found.st_size


def _error_class(kind: object) -> type[KinferRosError]:
    found = getattr(errors, str(kind), None)
    known = isinstance(found, type) and issubclass(found, KinferRosError)
    return found if known and found is not None else ModelError


def _ask_child(where: str, request: dict[str, Any], limits: TrialLimits) -> dict[str, Any]:
    """Run the child; :return: its answer."""
    return _parse(where, *_run_child(where, request, limits), limits)


def _run_child(where: str, request: object, limits: TrialLimits) -> tuple[int, bytes, bytes]:
    """:return: exit code, what it wrote, and its errors."""
    if not sys.executable:
        raise TrialError(f'{where}: cannot be tried: this process knows no Python interpreter')
    deadline = time.monotonic() + limits.seconds
    try:
        process = subprocess.Popen(  # noqa: S603  our own module, no shell
            [sys.executable, '-P', '-m', CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for this process
        )
    except OSError as error:
        raise TrialError(
            f'{where}: cannot be tried, no process can be started: {error.strerror}'
        ) from None
    data: bytes | None = json.dumps(request).encode()
    with process:
        try:
            while True:
                try:
                    out, err = process.communicate(data, POLL_PERIOD)
                    break
                except subprocess.TimeoutExpired:
                    data = None
                if limits.interrupted():
                    raise NotReady(f'{where}: stopped while it was tried')
                if time.monotonic() > deadline:
                    raise _too_long(where, limits)
        finally:
            process.kill()
            process.wait()  # after Ctrl-C, `with` does not
    return process.returncode, out, err


def _environment() -> dict[str, str]:
    """Return an environment in which the child finds the modules that this process uses."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    # One thread: OpenBLAS would start one for each core, to add nothing.
    return dict(os.environ) | {'PYTHONPATH': path, 'OPENBLAS_NUM_THREADS': '1'}


def _parse(where: str, code: int, out: bytes, err: bytes, limits: TrialLimits) -> dict[str, Any]:
    """Read the child's answer, or how it ended without one."""
    if code == -signal.SIGALRM:
        raise _too_long(where, limits)
    try:
        answer = json.loads(out)
    except ValueError:
        answer = None
    if code == 0 and isinstance(answer, dict):
        return answer
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f'signal {-code}'
        hint = ' (the kernel kills so where memory is short)' if code == -signal.SIGKILL else ''
        raise TrialError(
            f'{where}: the process that loaded it and ran it once was ended by {name}{hint}: the '
            'file crashes ONNX Runtime, it is not used'
        )
    last = ' '.join(err.decode(errors='replace').strip().rsplit('\n', 1)[-1].split())
    raise TrialError(
        f'{where}: cannot be tried: {sys.executable} -m {CHILD} ended with exit code {code}: '
        f'{last or "no words"}'
    )


def _too_long(where: str, limits: TrialLimits) -> TrialError:
    return TrialError(
        f'{where}: was not loaded and run once within {limits.seconds:g} s, it may have a loop '
        f'without end; {_ADVICE.format("load_timeout")}'
    )
