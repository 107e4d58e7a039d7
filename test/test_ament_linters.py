"""ROS 2's own linters, where an installed ROS 2 brings them; elsewhere `make lint` does it all.

A build farm runs these on ROS 2 packages; without this file it would be the first to. Left out:
ament_mypy (`make lint` pins the mypy and numpy that the types are written for) and ament_xmllint
(fetches its schema from the network; test_package.py has package.xml parsed as colcon does).
"""

from __future__ import annotations

from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parent
ROOT = TEST.parent
CODE = [str(ROOT / name) for name in ('kinfer_ros', 'launch', 'setup.py')]


@pytest.mark.ros
@pytest.mark.parametrize(
    ('linter', 'arguments'),
    [
        ('ament_flake8', ['--config', str(TEST / 'ament_flake8.ini'), *CODE]),
        # These three want another layout and mood of a docstring's first line than ours.
        ('ament_pep257', ['--add-ignore', 'D205', 'D213', 'D401', '--', *CODE]),
    ],
)
def test_linter(linter, arguments):
    """A style that ROS 2 tools object to would come back as a report from the build farm."""
    main = pytest.importorskip(f'{linter}.main', reason=f'needs {linter} of a ROS 2 installation')
    assert main.main(argv=arguments) == 0


@pytest.mark.skip(reason='no file carries a header: LICENSE and package.xml hold for all of them')
def test_copyright():
    """As ROS 2's package template has it."""
