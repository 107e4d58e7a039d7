"""The bag of a run, played into a policy node that sends nothing: docs/troubleshooting.md."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain_environment
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.run.writer import read_steps

pytestmark = pytest.mark.ros

START = 50.0
EXAMPLE = str(REPOSITORY / 'examples' / 'play_bag.py')
# A busy machine lets the robot fall, and a recorded one sinks down at its end.
PATIENT = {'stale_timeout': 5.0, 'max_missed_ticks': 1000, 'max_tilt': 3.1}


def walk(folder: Path, environment: dict[str, str], *words: str) -> Process:
    """Start `walk` with its runs in a folder."""
    folder.mkdir()
    params = folder / 'params.yaml'
    params.write_text(json.dumps({'/**/policy_node': {'ros__parameters': PATIENT}}))
    arguments = ['-m', 'kinfer_ros', 'walk', f'runs_dir:={folder}', f'params_file:={params}']
    return Process([*arguments, *words], folder / 'walk.log', environment)


def angles_in(bag: Path) -> set[tuple[float, ...]]:
    """Joint angles of each message on /joint_states, in the robot's order, as float32."""
    order = load_robot('biped').joint_names
    found = set()
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic == '/joint_states']
        for connection, _, data in reader.messages(connections):
            message = reader.deserialize(data, connection.msgtype)
            by_name = dict(zip(message.name, message.position, strict=True))
            found.add(tuple(np.float32(by_name[name]) for name in order))
    return found


@pytest.mark.long
def test_a_policy_sees_the_recorded_robot(tmp_path: Path) -> None:
    """Each tick's joint angles are ones of the bag, and no command goes out."""
    environment = domain_environment()
    with walk(tmp_path / 'first', environment, 'vx:=0.3', 'duration:=3.0') as first:
        assert first.wait(START + 20) in (0, 1), first.output
    bag = tmp_path / 'first' / 'latest' / 'bag'
    words = ['bridge:=none', 'dry_run:=true', 'use_sim_time:=true', 'autostart:=true']
    words += ['auto_run:=true', 'vx:=0.3']  # those of the page
    with walk(tmp_path / 'second', environment, *words) as second:
        second.wait_for('waiting: no message yet', START)
        with Process([EXAMPLE, str(bag)], tmp_path / 'play.log', environment) as play:
            assert play.wait(60) == 0, play.output
        second.wait_for('mode run', 5)
        second.send(signal.SIGINT)
        assert second.wait(20) in (0, 1), second.output
    assert int(re.search(r'played (\d+) messages', play.output)[1]) > 500
    run = tmp_path / 'second' / 'latest'
    steps = [step for step in read_steps(run / 'steps.ndjson') if step['mode'] == 'run']
    assert len(steps) > 50
    recorded = angles_in(bag)
    for step in steps:
        assert tuple(np.float32(step['joint_angles'])) in recorded
    with AnyReader([run / 'bag']) as reader:
        assert (
            '/joint_commands' not in reader.topics or not reader.topics['/joint_commands'].msgcount
        )


def test_what_it_cannot_play_is_one_line(tmp_path: Path) -> None:
    """A directory without a bag, and no argument at all."""
    for words in ([str(tmp_path)], []):
        done = subprocess.run(
            [sys.executable, EXAMPLE, *words], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 2
        assert 'usage: play_bag.py RUN/bag' in done.stderr
