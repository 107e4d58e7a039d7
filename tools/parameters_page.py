"""Writes docs/parameters.md and config/policy.yaml from the declarations of the nodes' parameters.

Run it after a change of a parameter, where ROS is: `python tools/parameters_page.py`. A test holds
both files to the declarations.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kinfer_ros.control.settings import LiveSettings  # noqa: E402
from kinfer_ros.nodes.command_sequences import SEQUENCE_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.kos.parameters import KOS_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.mujoco.parameters import MUJOCO_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.recorder import RECORDER_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.robot_state import ROBOT_STATE_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.ros2_control.parameters import ROS2_CONTROL_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.udp_commands import UDP_PARAMETERS  # noqa: E402
from kinfer_ros.nodes.unitree.parameters import UNITREE_PARAMETERS  # noqa: E402
from kinfer_ros.parameters import Declared  # noqa: E402
from kinfer_ros.parameters import declared  # noqa: E402
from kinfer_ros.run.parameters import STRUCTURE  # noqa: E402

LIVE = declared(LiveSettings)

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
        LIVE,
    ),
    ('mujoco_bridge', 'The [simulated robot](simulation.md).', MUJOCO_PARAMETERS),
    ('kos_bridge', 'A robot that [KOS](kos.md) runs.', KOS_PARAMETERS),
    ('unitree_bridge', 'A [Unitree](unitree.md) robot.', UNITREE_PARAMETERS),
    (
        'ros2_control_bridge',
        'A robot behind [ros2_control](ros2_control.md).',
        ROS2_CONTROL_PARAMETERS,
    ),
    ('recorder', 'The bag of a [run](runs.md).', RECORDER_PARAMETERS),
    ('command_sequences', '[Command sequences](sequences.md).', SEQUENCE_PARAMETERS),
    ('udp_commands', '[Commands over UDP](graph.md#commands-over-udp).', UDP_PARAMETERS),
    ('robot_state', 'For [viewers](viewing.md).', ROBOT_STATE_PARAMETERS),
)

YAML_HEAD = """\
# Parameters of the policy node, for params_file:=. These are the defaults; keep what you change.
# Made by tools/parameters_page.py; docs/parameters.md has the ranges.
/**:
  policy_node:
    ros__parameters:
"""

YAML_LIVE = """
      # ---- These can be set while the robot is live: docs/modes.md#tuning ----

"""

NOT_IN_YAML = {
    # Set by the launch file or the user for each start.
    'model', 'spec', 'policies', 'policy', 'robot', 'lockstep', 'autostart', 'auto_run',
    'dry_run', 'duration',
    'default_command', 'policy_command_entries',
}  # fmt: skip


def page() -> str:
    """:return: docs/parameters.md."""
    parts = [HEAD]
    for title, text, parameters in SECTIONS:
        rows = '\n'.join(_row(entry) for entry in parameters)
        parts.append(
            f'\n## {title}\n\n{text}\n\n'
            f'| parameter | default | range | |\n|---|---|---|---|\n{rows}\n'
        )
    return ''.join(parts)


def policy_yaml() -> str:
    """:return: config/policy.yaml."""
    lines = [_yaml_line(entry) for entry in STRUCTURE if entry.name not in NOT_IN_YAML]
    lines.append(YAML_LIVE)
    lines += [_yaml_line(entry) for entry in LIVE]
    return YAML_HEAD + ''.join(lines)


def _yaml_line(entry: Declared) -> str:
    """The default, below a comment with unit and text."""
    comment = textwrap.wrap(entry.description, 91, break_on_hyphens=False)
    lines = [*(f'# {line}' for line in comment), f'{entry.name}: {_value(entry.default)}']
    return ''.join(f'{" ":6}{line}\n' for line in lines)


def _row(entry: Declared) -> str:
    bounds = '' if entry.low is None else f'{entry.low:g} to {entry.high:g}'
    fixed = ' *fixed*' if entry.read_only else ''
    description = entry.description.replace('|', '\\|').replace('<', '&lt;')
    default = '' if entry.default in ('', ['']) else f'`{_value(entry.default)}`'
    return f'| `{entry.name}` | {default} | {bounds} | {description}{fixed} |'


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


FILES = {ROOT / 'docs' / 'parameters.md': page, ROOT / 'config' / 'policy.yaml': policy_yaml}

if __name__ == '__main__':
    for path, text_of in FILES.items():
        path.write_text(text_of())
        print(f'wrote {path}')
