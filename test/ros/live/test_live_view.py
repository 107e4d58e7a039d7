"""`top` beside a robot that walks, over real DDS: it sees what is there, and disturbs nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.processes import Process
from helpers.processes import domain_environment
from kinfer_ros.__main__ import main

START = 40.0


@pytest.mark.long
def test_a_robot_that_walks_is_seen(tmp_path: Path) -> None:
    """Mode, rate, guards and joints with target and torque limit, from the topics alone."""
    environment = domain_environment()
    # A busy machine lets the robot fall; it is the view that is tested.
    patient = {'stale_timeout': 5.0, 'max_missed_ticks': 1000, 'max_tilt': 3.1}
    params = tmp_path / 'params.yaml'
    params.write_text(json.dumps({'/**/policy_node': {'ros__parameters': patient}}))
    words = [f'runs_dir:={tmp_path}/runs', 'vx:=0.3', 'record:=false', f'params_file:={params}']
    walk = ['-m', 'kinfer_ros', 'walk', *words]
    with Process(walk, tmp_path / 'walk.log', environment) as robot:
        robot.wait_for('mode run', START)
        look = ['-m', 'kinfer_ros', 'top', '--json', '--seconds', '6']
        with Process(look, tmp_path / 'top.log', environment) as top:
            assert top.wait(START) == 0, top.output
            found = json.loads(top.output)
        watch_it(tmp_path, environment)
        assert robot.running
    assert found['mode'] == 'run'
    assert float(found['values']['rate_hz']) > 25.0
    knee = found['joints']['left_knee']
    assert knee['torque_limit'] == 45.0
    assert abs(knee['error']) < 1.0
    assert knee['effort'] is not None


def watch_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """Beside the same robot, into a file in place of the viewer."""
    if importlib.util.find_spec('rerun') is None:
        return
    file = tmp_path / 'live.rrd'
    words = ['-m', 'kinfer_ros', 'watch', '--save', str(file), '--seconds', '6', '--json']
    with Process(words, tmp_path / 'watch.log', environment) as watch:
        assert watch.wait(START) == 0, watch.output
        shown = json.loads(watch.output)
    assert shown['mode'] == 'run'
    assert shown['samples'] > 20
    printed = subprocess.run(
        [sys.executable, '-m', 'rerun', 'rrd', 'print', str(file)],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    for entity in ('/joints/left_knee/target', '/base/gyro/z', '/joints/torques/left_knee'):
        assert entity in printed


@pytest.mark.skipif(importlib.util.find_spec('rerun') is not None, reason='rerun-sdk is there')
def test_watch_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """It is 500 MB, so most will not have it."""
    assert main(['watch']) == 2
    assert 'pip install rerun-sdk' in capsys.readouterr().err


def test_nobody_there_is_exit_code_1(tmp_path: Path) -> None:
    """A script must not take silence for a robot."""
    words = ['-m', 'kinfer_ros', 'top', '--json', '--seconds', '1', '--namespace', 'nobody']
    with Process(words, tmp_path / 'top.log', domain_environment()) as top:
        assert top.wait(START) == 1, top.output


def test_nobody_there_is_said_in_a_line_of_its_own(tmp_path: Path) -> None:
    """It ended without a word."""
    pytest.importorskip('rich')
    words = ['-m', 'kinfer_ros', 'top', '--seconds', '1', '--namespace', 'nobody']
    with Process(words, tmp_path / 'top.log', domain_environment()) as top:
        assert top.wait(START) == 1, top.output
    assert 'error: no policy node was found' in top.output.splitlines()
