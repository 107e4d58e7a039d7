"""The parameters of the policy node, and the files that repeat them."""

from __future__ import annotations

from pathlib import Path

import yaml

from helpers.drive import TRIPLES
from helpers.drive import TUNABLE_RANGES
from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.control.settings import NAMES
from kinfer_ros.nodes.policy.parameters import STRUCTURE
from kinfer_ros.nodes.policy.parameters import TUNABLES

ROOT = Path(__file__).resolve().parents[3]
NOT_IN_FILE = {
    # Set by the launch file or the user for each start.
    'model', 'spec', 'robot', 'lockstep', 'autostart', 'auto_run', 'dry_run', 'duration',
    'default_command', 'policy_command_entries',
}  # fmt: skip


def test_every_live_setting_is_a_parameter_with_its_default() -> None:
    """A setting without a parameter could not be set, one without a field would do nothing."""
    assert tuple(entry.name for entry in TUNABLES) == NAMES
    assert not {entry.name for entry in STRUCTURE} & set(NAMES)


def test_the_parameter_file_has_every_default() -> None:
    """Users copy config/policy.yaml: a forgotten line is a parameter they never hear of."""
    file = yaml.safe_load((ROOT / 'config' / 'policy.yaml').read_text())
    found = file['/**']['policy_node']['ros__parameters']
    declared = {entry.name: entry.default for entry in (*STRUCTURE, *TUNABLES)}
    assert found == {name: declared[name] for name in declared if name not in NOT_IN_FILE}


def test_every_guard_has_a_line_in_the_docs() -> None:
    """An operator who reads `guard_slew_broken` looks there."""
    text = (ROOT / 'docs' / 'modes.md').read_text()
    assert [name for name in GUARDS if f'| `{name}` |' not in text] == []


def test_every_tunable_is_declared_with_the_range_the_properties_draw_from() -> None:
    """A range widened here alone would let in what nobody has tried."""
    declared = {e.name: (e.low, e.high) for e in TUNABLES if e.low is not None}
    assert declared == TUNABLE_RANGES
    assert set(TRIPLES) == set(NAMES) - set(declared)
