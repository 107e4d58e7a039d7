"""Writes docs/parameters.md from the parameters that the nodes declare.

Written by hand the page would be wrong after the next change; a test holds the file against this.
Run it where the package's ROS environment is: `python tools/parameters_page.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kinfer_ros.nodes.kos.parameters import KOS_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.mujoco.parameters import MUJOCO_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.policy.parameters import STRUCTURE  # noqa: E402
from kinfer_ros.nodes.policy.parameters import TUNABLES  # noqa: E402
from kinfer_ros.nodes.policy.parameters import Declared  # noqa: E402
from kinfer_ros.nodes.recorder import RECORDER_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.robot_state import ROBOT_STATE_PARAMETERS  # noqa: E402

PAGE = ROOT / 'docs' / 'parameters.md'

HEAD = """\
# Parameters

Made of the nodes' own declarations by `tools/parameters_page.py`; `ros2 param describe NODE NAME`
says the same of a running node. *fixed* is read once, when the node starts. A value out of its
range is refused with the reason. `config/policy.yaml` is a file with the defaults, to copy from;
how files address nodes is in [composing](composing.md#parameters-from-yaml).
"""

SECTIONS = (
    ('policy_node: how it is built', 'Taken at the next configure, or as it says.', STRUCTURE),
    (
        'policy_node: while it is live',
        'Applied together between two ticks, and logged: [tuning](modes.md#tuning).',
        TUNABLES,
    ),
    ('mujoco_bridge', 'The [simulated robot](simulation.md).', MUJOCO_PARAMETERS),
    ('kos_bridge', 'A robot that [KOS](kos.md) runs.', KOS_PARAMETERS),
    ('recorder', 'The bag of a [run](runs.md).', RECORDER_PARAMETERS),
    ('robot_state', 'For [viewers](viewing.md).', ROBOT_STATE_PARAMETERS),
)


def page() -> str:
    """:return: the whole page."""
    parts = [HEAD]
    for title, text, parameters in SECTIONS:
        rows = '\n'.join(_row(entry) for entry in parameters)
        parts.append(
            f'\n## {title}\n\n{text}\n\n'
            f'| parameter | default | range | |\n|---|---|---|---|\n{rows}\n'
        )
    return ''.join(parts)


def _row(entry: Declared) -> str:
    bounds = '' if entry.low is None else f'{entry.low:g} to {entry.high:g}'
    fixed = ' *fixed*' if entry.read_only else ''
    description = entry.description.replace('|', '\\|').replace('<', '&lt;')
    return f'| `{entry.name}` | {_default(entry.default)} | {bounds} | {description}{fixed} |'


def _default(value: object) -> str:
    if value in ('', ['']):
        return ''
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    return f'`{value}`'


if __name__ == '__main__':
    PAGE.write_text(page())
    print(f'wrote {PAGE}')
