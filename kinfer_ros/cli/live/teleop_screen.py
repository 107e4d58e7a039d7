"""The screen of `teleop`: every entry with its range and value, policies, and the keys."""

from collections.abc import Mapping

from kinfer_ros.cli.live.teleop_steering import Entry
from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.commands.policy_choice import NO_CHOICE
from kinfer_ros.commands.policy_choice import PolicyChoice

ENTER, LEAVE = '\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'
"""Switch to the alternate screen without a cursor, and back."""
HOME, REST_OF_LINE, REST = '\x1b[H', '\x1b[K', '\x1b[J'
BOLD, PLAIN = '\x1b[1m', '\x1b[0m'
WIDTH = 20
"""Width of a bar, characters."""

KEYS = """\
w s  forward, back      up down     select entry
a d  turn left, right   left right  decrease, increase
q e  left, right        space       all neutral
g start   x soft stop   r reset     Ctrl-C  neutral, exit"""

NOTHING = 'this policy takes no command'

WAITING = """\
waiting for a policy node with a policy loaded ...
(select it with --namespace and --node; ROS_DOMAIN_ID must be the same)"""


def render(
    steering: Steering | None,
    mode: str,
    seen: Mapping[str, float],
    said: str,
    policies: PolicyChoice = NO_CHOICE,
) -> str:
    """
    Render the screen.

    :param steering: None until the policy node has published its commands.
    :param mode: mode and reason of the policy node.
    :param seen: the last command that the policy saw, by name.
    :param said: the newest answer of a service.
    :param policies: of the policy node's set.
    """
    lines = [f'mode  {_printable(mode) or "unknown"}', '']
    if steering is None:
        lines.append(WAITING)
    elif steering.entries:
        width = max(len(entry.name) for entry in steering.entries)
        lines.append(f'  {"":<{width}}  {"sent":>8}  {"policy":>8}')
        for index, entry in enumerate(steering.entries):
            chosen = index == steering.selected
            text = _row(entry, width, seen.get(entry.name))
            lines.append(f'{BOLD}> {text}{PLAIN}' if chosen else f'  {text}')
    else:
        lines.append(NOTHING)
    lines += [*_policies(policies), '', KEYS, *_sequences(steering), '', _printable(said)]
    text = '\n'.join(lines).replace('\n', f'{REST_OF_LINE}\r\n')
    return f'{HOME}{text}{REST_OF_LINE}{REST}'


def _sequences(steering: Steering | None) -> list[str]:
    """List the keys of sequences, and what is played."""
    if steering is None or not steering.sequences:
        return []
    keys = '   '.join(f'{key} {_printable(s.name)}' for key, s in steering.sequences.items())
    playing = f'plays {_printable(steering.playing)}' if steering.playing else ''
    return [keys, playing]


def _policies(choice: PolicyChoice) -> list[str]:
    """Render the policies of a set, each with its key."""
    if not choice.names:
        return []
    shown = [_printable(name)[:WIDTH] for name in choice.names]
    width = max(map(len, shown))
    lines = ['', '  key  policy']
    for (key, name, remark), text in zip(choice.rows(), shown, strict=True):
        line = f'   {key}   {text:<{width}}  {_printable(remark)}'.rstrip()
        lines.append(f'{BOLD}{line}{PLAIN}' if name == choice.running else line)
    return lines


def _row(entry: Entry, width: int, seen: float | None) -> str:
    shown = '' if seen is None else f'{seen:+.3f}'
    name = _printable(entry.name)
    if entry.bounds is None:
        return f'{name:<{width}}  {entry.value:+8.3f}  {shown:>8}  no range'
    low, high = entry.bounds
    share = (entry.value - low) / (high - low) if high > low else 0.5
    bar = ['-'] * WIDTH
    bar[min(int(share * WIDTH), WIDTH - 1)] = '#'
    scale = f'{low:g} [{"".join(bar)}] {high:g}'
    return f'{name:<{width}}  {entry.value:+8.3f}  {shown:>8}  {scale}'


def _printable(text: str) -> str:
    """Remove control characters: text from a topic must not control the terminal."""
    return ''.join(each for each in text[:200] if each.isprintable())
