"""`top` beside a robot that walks, over real DDS: it sees what is there, and disturbs nothing."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.processes import Process
from helpers.processes import domain_environment

START = 40.0


def test_top_sees_a_robot_that_walks(tmp_path: Path) -> None:
    """Mode, rate, guards and joints with target and torque limit, from the topics alone."""
    environment = domain_environment()
    walk = ['-m', 'kinfer_ros', 'walk', f'runs_dir:={tmp_path}/runs', 'vx:=0.3', 'record:=false']
    with Process(walk, tmp_path / 'walk.log', environment) as robot:
        robot.wait_for('mode run', START)
        words = ['-m', 'kinfer_ros', 'top', '--json', '--seconds', '4']
        with Process(words, tmp_path / 'top.log', environment) as top:
            assert top.wait(START) == 0, top.output
            found = json.loads(top.output)
        assert robot.running
    assert found['mode'] == 'run'
    assert float(found['values']['rate_hz']) > 25.0
    knee = found['joints']['left_knee']
    assert knee['torque_limit'] == 45.0
    assert abs(knee['error']) < 1.0
    assert knee['effort'] is not None


def test_nobody_there_is_exit_code_1(tmp_path: Path) -> None:
    """A script must not take silence for a robot."""
    words = ['-m', 'kinfer_ros', 'top', '--json', '--seconds', '1', '--namespace', 'nobody']
    with Process(words, tmp_path / 'top.log', domain_environment()) as top:
        assert top.wait(START) == 1, top.output
