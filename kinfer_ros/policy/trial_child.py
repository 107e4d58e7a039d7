"""The child process of trial.py: loads a policy and runs it once, within limits on itself.

Request and answer are JSON, on stdin and stdout. Only what a policy needs is imported: this is
part of every start.
"""

import contextlib
import json
import math
import os
import re
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.graph import probe
from kinfer_ros.policy.policy import load_archive
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.spec_policy import read_files

MEGABYTE = 1 << 20
GRACE = 2
"""s after which this process ends by itself where the parent is gone."""
OWN_MB = 512
"""Memory of Python and ONNX Runtime where the kernel does not tell; 70 were measured."""


def main() -> int:
    """Answer one request; :return: the exit code."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no part of the answer
    request = json.load(sys.stdin)
    several = isinstance(request, list)
    first = request[0] if several else request
    # Ends the process, in a library as well.
    signal.alarm(math.ceil(first['seconds']) + GRACE)
    answer = attempt_all(request) if several else attempt(request)
    os.write(answer_fd, json.dumps(answer).encode())
    # Neither destructors nor atexit: there is nothing to tidy up, and it takes time.
    os._exit(0)


def limit_memory(memory_mb: int, own: int = 0) -> None:
    """
    Limit the memory that this process takes.

    :param own: bytes that it takes without the policy; 0: what it takes now.
    """
    # Memory that is written; shared libraries and their address space do not count.
    wanted = (own or own_bytes() or OWN_MB * MEGABYTE) + memory_mb * MEGABYTE
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        # If memory is short before the limit is reached, this process goes first.
        Path('/proc/self/oom_score_adj').write_text('1000')


def own_bytes() -> int:
    """Return what RLIMIT_DATA counts of this process, or 0 where the kernel does not tell."""
    try:
        found = re.search(r'^VmData:\s+(\d+) kB', Path('/proc/self/status').read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def attempt(request: dict[str, Any]) -> dict[str, Any]:
    """Load and run; :return: the answer."""
    try:
        # Before the limit: reading is bounded, and takes its buffers at once.
        archive, spec = read_files(request['model'], request['spec'])
        limit_memory(request['memory_mb'])
        _load(archive, spec, request)
    except (KinferRosError, MemoryError) as error:
        if reason := _memory_failure(error):
            return {'memory': reason}
        return {'error': str(error), 'kind': type(error).__name__}
    return {'sha256': archive.sha256}


def attempt_all(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Load and run several, one after the other, until one fails.

    All of them keep within the memory that one may take, what is left of those before included.

    :return: the answers of those that passed.
    """
    answers = []
    own = own_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(KinferRosError, MemoryError):
        for request in requests:
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))  # for reading, as above
            archive, spec = read_files(request['model'], request['spec'])
            limit_memory(request['memory_mb'], own)
            _load(archive, spec, request)
            answers.append({'sha256': archive.sha256})
    return answers


def _load(archive: Archive, spec: PolicySpec | None, request: dict[str, Any]) -> None:
    if not request['only_graph']:
        load_archive(archive, spec, request['threads'])
        return
    graph = Graph(archive.step_fn, str(archive.path), external=archive.external)
    if request['probed']:
        probe(graph)


def _memory_failure(error: BaseException | None) -> str:
    """Return which allocation failed, somewhere in a chain of errors, or ''."""
    while error is not None:
        if isinstance(error, MemoryError) or re.search(
            r'bad_alloc|failed to allocate|cannot allocate', str(error), re.IGNORECASE
        ):
            size = re.search(r'buffer of size (\d+)', str(error))
            return f'{size[1]} bytes at once' if size else 'an allocation failed'
        error = error.__cause__ or error.__context__
    return ''


if __name__ == '__main__':
    sys.exit(main())
