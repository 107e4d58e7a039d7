"""A robot of others in a process of its own, which does what lines of JSON on its input say."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Self

TESTS = Path(__file__).resolve().parents[2]


class PeerProcess:
    """The robot's process, from outside; used as a context, it never outlives the test."""

    def __init__(self, module: str, *words: str, environment: Mapping[str, str]) -> None:
        """:param module: of helpers.peers, run as a program with these words."""
        path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get('PYTHONPATH', '')])
        self._process = subprocess.Popen(
            [sys.executable, '-m', f'helpers.peers.{module}', *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, 'PYTHONPATH': path},
        )
        self.ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **settings: Any) -> dict[str, Any]:
        """Change settings of Inside by name; :return: what it has seen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(settings) + '\n')
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], 30.0)[0], 'the robot hangs'
        return json.loads(self._process.stdout.readline())
