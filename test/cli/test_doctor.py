"""`doctor` on this machine: real processes discover each other over DDS, or it fails."""

from __future__ import annotations

import importlib
import json

import pytest

from kinfer_ros.__main__ import main


@pytest.mark.ros
def test_two_processes_discover_each_other(capsys):
    """Settings alone cannot show it; the test suite depends on it."""
    code = main(['doctor', '--json'])
    found = json.loads(capsys.readouterr().out)
    rows = {row['what']: row for row in found['rows']}
    assert rows['neighbours']['found'].startswith('found in')
    assert code == int(not found['fit'])
    assert found['fit'] == all(row['verdict'] != 'fail' for row in found['rows'])


@pytest.mark.ros
def test_failed_discovery_is_reported(monkeypatch):
    """In bounded time: the check must not hang."""
    discovery = importlib.import_module('kinfer_ros.ros.discovery')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    monkeypatch.setattr(discovery, 'TIMEOUT_S', 1.0)
    assert discovery.check_discovery() is None


@pytest.mark.ros
def test_a_failure_is_exit_code_1_with_its_remedy(capsys, monkeypatch):
    """For scripts; with invalid settings no process is started."""
    monkeypatch.setenv('ROS_DOMAIN_ID', '9999')
    assert main(['doctor']) == 1
    said = capsys.readouterr().out
    assert '-> export ROS_DOMAIN_ID=0' in said
    assert 'this machine is not fit' in said
    assert 'neighbours' not in said
