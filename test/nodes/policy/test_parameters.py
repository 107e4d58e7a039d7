"""The parameters of the policy node, and the files that repeat them."""

from __future__ import annotations

from pathlib import Path

import yaml

from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.control.settings import NAMES
from kinfer_ros.run.parameters import POLICY_PARAMETERS
from kinfer_ros.run.parameters import STRUCTURE

ROOT = Path(__file__).resolve().parents[3]


def test_no_parameter_is_declared_twice() -> None:
    """STRUCTURE and LiveSettings share one list of names."""
    assert not {entry.name for entry in STRUCTURE} & set(NAMES)


def test_the_parameter_file_has_the_defaults() -> None:
    """Users copy config/policy.yaml: YAML must read each default back with its type."""
    file = yaml.safe_load((ROOT / 'config' / 'policy.yaml').read_text())
    found = file['/**']['policy_node']['ros__parameters']
    defaults = {entry.name: entry.default for entry in POLICY_PARAMETERS}
    assert {name: repr(each) for name, each in found.items()} == {
        name: repr(defaults[name]) for name in found
    }
    assert set(NAMES) < set(found)


def test_every_guard_has_a_line_in_the_docs() -> None:
    """An operator who reads `guard_slew_broken` looks there."""
    text = (ROOT / 'docs' / 'modes.md').read_text()
    assert [name for name in GUARDS if f'| `{name}` |' not in text] == []
