"""`doctor` on this machine: real processes meet over DDS, or it says that they do not."""

from __future__ import annotations

import importlib
import json

import pytest

from kinfer_ros.__main__ import main


@pytest.mark.ros
def test_two_processes_meet_here(capsys):
    """What no look at a variable can tell; the suite itself stands on it."""
    code = main(['doctor', '--json'])
    found = json.loads(capsys.readouterr().out)
    rows = {row['what']: row for row in found['rows']}
    assert rows['neighbours']['found'].startswith('found in')
    assert code == int(not found['fit'])
    assert found['fit'] == all(row['verdict'] != 'fail' for row in found['rows'])


@pytest.mark.ros
def test_who_cannot_be_found_is_said(monkeypatch):
    """Bounded: a diagnosis must not hang on what it looks for."""
    discovery = importlib.import_module('kinfer_ros.ros.discovery')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    monkeypatch.setattr(discovery, 'TIMEOUT_S', 1.0)
    assert discovery.check_discovery() is None


@pytest.mark.ros
def test_a_failure_is_exit_code_1_with_its_remedy(capsys, monkeypatch):
    """For scripts; and no process is started where the settings cannot work."""
    monkeypatch.setenv('ROS_DOMAIN_ID', '9999')
    assert main(['doctor']) == 1
    said = capsys.readouterr().out
    assert '-> export ROS_DOMAIN_ID=0' in said
    assert 'this machine is not fit' in said
    assert 'neighbours' not in said
