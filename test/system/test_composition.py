"""The policy node as a part of something larger: the examples of docs/composing.md."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL
from kinfer_ros.run.writer import read_steps

PARAMETERS = """\
/**:
  ros__parameters: {{robot: biped}}
/**/policy_node:
  ros__parameters:
    {{model: {model}, runs_dir: {runs}, stale_timeout: 2.0, sensor_timeout: 30.0,
     max_missed_ticks: 500}}
/legs/mujoco_bridge:
  ros__parameters: {{command_timeout: 2.0}}
"""


def example(name: str, folder: Path, environment: dict[str, str], *words: str) -> Process:
    """Start one of the examples in the namespace /legs."""
    arguments = [f'examples/{name}.py', *words, '-r', '__ns:=/legs']
    return Process(arguments, folder / f'{name}.log', environment)


def forward_commands(run: Path) -> set[float]:
    """Forward commands that the policy has been given so far, m/s."""
    return {round(float(step['command'][0]), 3) for step in read_steps(run)}


def test_a_manager_of_others_drives_a_composed_node(tmp_path: Path) -> None:
    """One executor, a namespace, a remap, wildcards, and no autostart: all in one graph."""
    file = tmp_path / 'parameters.yaml'
    file.write_text(PARAMETERS.format(model=MODEL, runs=tmp_path / 'runs'))
    environment = domain_environment()
    words = ['--ros-args', '--params-file', str(file), '-r', 'cmd_vel:=/nav/cmd_vel']
    with (
        node('mujoco_bridge', tmp_path, environment, namespace='legs') as bridge,
        example('composed', tmp_path, environment, *words) as composed,
        example(
            'lifecycle_manager', tmp_path, environment, 'policy_node', '--ros-args'
        ) as manager,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        composed.wait_for('mode run', 60)
        run = (tmp_path / 'runs' / 'latest').resolve()
        manager.wait_for('transition 3 done', 10)
        assert wait_until(lambda: 0.3 in forward_commands(run), 15), 'the patrol walks it'
        heard = client.node.count_subscribers
        assert client.spin_until(lambda: heard('/nav/cmd_vel') == 1, 10), 'the remap is obeyed'
        assert heard('/legs/cmd_vel') == 0
        manager.send(signal.SIGINT)
        assert manager.wait(20) == 0, manager.output
        assert composed.running, 'the manager has not started it, and does not end it'
        for process in (composed, bridge):
            process.send(signal.SIGINT)
            assert process.wait(40) == 0, process.output
    facts = json.loads((run / 'run.json').read_text())
    assert facts['reason'] == 'cleanup', composed.output
    assert facts['counters']['faults'] == 0
