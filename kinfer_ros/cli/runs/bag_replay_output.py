"""The output of `replay --bag`, as text and JSON."""

import json
from typing import Any

from kinfer_ros.analysis.differences import Comparison
from kinfer_ros.analysis.recorded_run import RecordedRun


def lines(outcome: Any, *, good: bool, exact: bool, lockstep: bool) -> list[str]:
    """Return the lines of the text output."""
    verdict = ('identical' if exact else 'within tolerance') if good else 'differs'
    if not outcome.target.compared:
        verdict = 'nothing to replay'
    text = [
        f'verdict      {verdict}, from the bag alone',
        f'ticks        {outcome.ticks} commands answered, {outcome.without_sample} without the '
        f'sample they answer, {outcome.modes} in another mode',
        f'target       {_text(outcome.target)}',
        f'other modes  {_text(outcome.other_target)}',
    ]
    if not good and outcome.without_sample:
        text.append(
            'note         the bag lacks samples, so the replay differs: the recorder started '
            'too late (wait_for_recorder) or lost them; the step log has them'
        )
    elif not good and not lockstep:
        text.append(
            'note         the bag of a real-time run does not contain which IMU sample and which '
            'time a tick used: some ticks differ, of a policy with a carry all after the first; '
            'the step log contains both: replay without --bag'
        )
    return text


def as_json(run: RecordedRun, outcome: Any, *, good: bool, exact: bool) -> str:
    """Return the JSON output."""
    content = {
        'run': str(run.path),
        'good': good,
        'exact': exact,
        'ticks': outcome.ticks,
        'without_sample': outcome.without_sample,
        'other_mode': outcome.modes,
        'target': outcome.target.as_json(),
        'other_target': outcome.other_target.as_json(),
    }
    return json.dumps(content, indent=2)


def _text(found: Comparison) -> str:
    text = f'{found.compared} compared, {found.differing} differ'
    if found.first is not None and found.largest is not None:
        first, largest = found.first, found.largest
        text += f'; first at stamp {first.step_id} ns {first.note or f"[{first.index}]"}'
        text += '' if largest.note else f'; largest {largest.size:.3g} rad'
    return text
