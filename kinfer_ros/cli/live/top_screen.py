"""The screen of `top`; needs rich, an optional dependency (`top`)."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from kinfer_ros.commands.policy_choice import parse_policies
from kinfer_ros.viewers.live_state import LiveJoint
from kinfer_ros.viewers.live_state import LiveState
from kinfer_ros.viewers.live_state import sparkline

LEVELS = ('green', 'yellow', 'red', 'dim')
FIGURES = (
    ('rate', 'rate_hz', 1.0, 'Hz'),
    ('lateness p99', 'late_p99_us', 1e-3, 'ms'),
    ('sample age p99', 'sample_age_p99_us', 1e-3, 'ms'),
)
COUNTS = ('ticks', 'missed_ticks', 'faults', 'falls', 'limited_ticks', 'dropped_records')


def screen(state: LiveState) -> Any:
    """Render a state with rich."""
    if not state.mode and not state.values:
        return Text('waiting for a policy node ...', style='yellow')
    parts: list[Any] = [_head(state), _figures(state)]
    if gone := state.gone():
        parts.insert(0, Text(f'{gone}; these are its last values', style='bold red'))
    if state.joints:
        parts.append(_joints(state.joints))
    guards = state.guards()
    # Text, not markup: text from a topic must not be parsed as rich markup.
    parts.append(Text('guards  ' + ('; '.join(f'{n}: {c}' for n, c in guards.items()) or 'quiet')))
    return Group(*parts)


def _head(state: LiveState) -> Text:
    style = LEVELS[state.level] if state.level < len(LEVELS) else 'red'
    text = Text(f'mode    {state.mode or "unknown"}', style=f'bold {style}')
    run = state.values.get('run', '')
    text.append(_policy(state.values), 'none')
    text.append(f'\nstatus  {state.message}\nbridge  {state.bridge}\nrun     {run}', 'none')
    return text


def _policy(values: Mapping[str, str]) -> str:
    """Return the line of the running policy of a set; '' of a policy alone."""
    try:
        choice = parse_policies(values)
    except (ValueError, RecursionError):
        return f'\npolicy  {values.get("policy", "")}'
    if not choice.names:
        return ''
    others = choice.reachable - {choice.running}
    onward = ', '.join(name for name in choice.names if name in others) or 'none'
    seconds = values.get('policy_s', '?')
    return f'\npolicy  {choice.running}, for {seconds} s; from here: {onward}'


def _figures(state: LiveState) -> Table:
    table = Table.grid(padding=(0, 2))
    for title, key, scale, unit in FIGURES:
        kept = state.figures[key]
        number = f'{kept[-1] * scale:.2f} {unit}' if kept else ''
        table.add_row(title, number, Text(sparkline(kept), style='cyan'))
    counts = [f'{key} {state.values[key]}' for key in COUNTS if key in state.values]
    table.add_row('counted', '', Text(', '.join(counts)))
    return table


def _joints(joints: dict[str, LiveJoint]) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column('joint')
    for title in ('rad', 'target', 'error', 'rad/s', 'Nm', 'of limit'):
        table.add_column(title, justify='right')
    for name, joint in joints.items():
        load = joint.load
        style = 'red' if load is not None and load > 0.9 else ''
        table.add_row(
            Text(name),
            _number(joint.position),
            _number(joint.target),
            _number(joint.error),
            _number(joint.velocity),
            _number(joint.effort),
            Text('' if load is None else f'{load:.0%}', style=style),
        )
    return table


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:+.3f}'
