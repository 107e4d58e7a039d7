"""The example of docs/specs.md is a spec that loads: a page that lies is worse than none."""

from __future__ import annotations

import re

from helpers.processes import REPOSITORY
from kinfer_ros.policy.spec import load_spec
from kinfer_ros.policy.spec_terms import SOURCES


def test_the_full_example_loads(tmp_path):
    """Every key that it shows exists, and every source has a row."""
    text = (REPOSITORY / 'docs' / 'specs.md').read_text()
    blocks = re.findall(r'```yaml\n(.*?)```', text, re.DOTALL)
    path = tmp_path / 'spec.yaml'
    path.write_text(blocks[0])
    spec = load_spec(path)
    assert spec.observation_size == 5 * (3 + 3 + 3 + 3 + 3 + 3 + 3) + 4
    for source in SOURCES:
        assert f'| `{source}` |' in text
