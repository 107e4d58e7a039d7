"""Reads what a run left behind, and holds it against what every fault has to leave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.run.writer import read_steps

Step = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """
    A fault as the log tells it.

    :ivar before: the records before it, oldest first.
    :ivar step: the record of the tick in which it was.
    :ivar after: the records after it.
    :ivar header: first line of its file of the black box.
    """

    before: list[Step]
    step: Step
    after: list[Step]
    header: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why, as the black box has it."""
        return str(self.header['reason'])

    def ticks_since(self, stamp: int) -> int:
        """How many ticks saw a sample stamped `stamp` or later before the one of the fault."""
        return sum(step['stamp_ns'] >= stamp for step in self.before)

    def ticks_later_than(self, moment_ns: int) -> int:
        """How many ticks ran after a moment of the wall clock before the one of the fault."""
        return sum(step['t_us'] * 1000 > moment_ns for step in self.before)


def steps_of(run: Path, offset: int = 0) -> list[Step]:
    """The records from a byte of the step log on, without one that is still being written."""
    return list(read_steps(run, offset))


def read_fault(run: Path, number: int = 1, offset: int = 0) -> Fault:
    """
    Read a fault, and check what is the same of all: the log, the black box, and the safe command.

    Ids are gapless, the tick of the fault sends damping and no position, and so do all after it,
    and the black box holds the record of the fault and all before it, up to ten seconds.
    """
    lines = [json.loads(line) for line in (run / f'fault_{number}.ndjson').open()]
    header, kept = lines[0], [line['step_id'] for line in lines[1:]]
    steps = steps_of(run, offset)
    ids = [step['step_id'] for step in steps]
    assert ids == list(range(ids[0], ids[0] + len(ids))), 'the log has a gap'
    place = header['step_id'] - ids[0]
    fault = Fault(steps[:place], steps[place], steps[place + 1 :], header)
    assert header['fault'] == number
    assert header['step_id'] in kept
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert kept[0] == 0 or len(kept) == 500
    assert fault.step['mode'] == 'fault'
    assert f'mode fault: {header["reason"]}' in fault.step['events']
    assert all(step['mode'] != 'fault' for step in fault.before[-50:])
    assert fault.step['target'] is None
    for step in fault.after:
        if step['mode'] not in ('fault', 'damp', 'fade'):
            break
        assert step['target'] is None, f'a target was sent after the fault: {step}'
    return fault


def facts_of(run: Path) -> dict[str, Any]:
    """The run.json of a run."""
    return json.loads((run / 'run.json').read_text())
