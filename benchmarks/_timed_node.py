"""The policy node, which also notes for each tick when its command went: FILE COUNT --ros-args ...

The step log has this too, but an hour of it at 1 kHz is four gigabytes. Each tick's time from when
it was due until its command was published, ns, goes into FILE (npy) when the node ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kinfer_ros.control.modes import Mode
from kinfer_ros.control.tick import Tick
from kinfer_ros.nodes.policy.node import main as policy_node
from kinfer_ros.run.session import RunSession


def main() -> int:
    """Run the node until it ends."""
    path, expected = Path(sys.argv[1]), float(sys.argv[2])
    spent = np.zeros(round(expected) + 60_000, np.int64)
    count = 0
    record = RunSession.record

    def timed(
        session: RunSession, tick: Tick, now: int, late: int, age: int, stages: tuple[int, ...]
    ) -> None:
        nonlocal count
        if tick.mode is Mode.RUN and count < len(spent):
            spent[count] = late + sum(stages)
            count += 1
        record(session, tick, now, late, age, stages)

    RunSession.record = timed
    try:
        return policy_node() or 0
    finally:
        np.save(path, spent[:count])


if __name__ == '__main__':
    raise SystemExit(main())
