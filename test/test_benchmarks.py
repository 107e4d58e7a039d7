"""The benchmarks run: they use the insides of the package, which nothing else holds them to."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from helpers.processes import REPOSITORY


@pytest.mark.alone
@pytest.mark.ros
@pytest.mark.parametrize('name', ['guards', 'record'])
def test_a_benchmark_runs(name, tmp_path):
    """Whatever its figures are on this machine: they are judged by `make bench` alone."""
    paths = [str(REPOSITORY), str(REPOSITORY / 'test'), os.environ.get('PYTHONPATH', '')]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / 'benchmarks' / 'suite.py'), '--quick', name],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 'bounds held' in done.stdout, done.stderr
