"""
ROS 2's own linters, as a build farm runs them on a package.

Left out: ament_copyright (no file carries a header: LICENSE and package.xml hold for all of them),
ament_mypy (`make lint` pins the mypy and numpy that the types are written for) and ament_xmllint
(fetches its schema from the network; test_package.py has package.xml parsed as colcon does).
"""

from __future__ import annotations

from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parent
CODE = [str(TEST.parent / name) for name in ('kinfer_ros', 'launch', 'setup.py')]


@pytest.mark.ros
def test_flake8():
    """The code style of ROS 2, less what ruff decides otherwise (ament_flake8.ini)."""
    from ament_flake8.main import main

    assert main(argv=['--config', str(TEST / 'ament_flake8.ini'), *CODE]) == 0


@pytest.mark.ros
def test_pep257():
    """The docstrings of ROS 2, less three rules on layout and mood of the first line."""
    from ament_pep257.main import main

    assert main(argv=['--add-ignore', 'D205', 'D213', 'D401', '--', *CODE]) == 0
