"""What `ros2 param dump` writes brings the same state back with --params-file."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import ListParameters
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.parameter import parameter_value_to_python

from helpers.client import CONFIGURE
from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.walking import MODEL
from kinfer_ros.run.parameters import POLICY_PARAMETERS

CHANGED = {
    'action_scale': 0.8,
    'command_limit': [0.3, 0.1, 0.4],
    'max_refused': 7,
    'model': str(MODEL),
    'robot': 'biped',
    'auto_run': True,
    'sensor_timeout': 0.5,
}


def dump(client: Client) -> dict[str, Any]:
    """All parameters of the policy node, as `ros2 param dump` gets them."""
    names = client.call(
        ListParameters, 'policy_node/list_parameters', ListParameters.Request()
    ).result.names
    found = client.call(
        GetParameters, 'policy_node/get_parameters', GetParameters.Request(names=names)
    )
    values = (parameter_value_to_python(value) for value in found.values)
    return {
        name: list(value) if not isinstance(value, str | int | float | bool) else value
        for name, value in zip(names, values, strict=True)
    }


def test_a_dump_brings_the_same_state_back(tmp_path: Path) -> None:
    """Every parameter of the node, set by hand before, in a process that knows only the file."""
    environment = domain_environment()
    command = ['-m', 'kinfer_ros.nodes.policy.node', '--ros-args']
    domain = int(environment['ROS_DOMAIN_ID'])
    with (
        Client(domain) as client,
        Process(command, tmp_path / 'first.log', environment) as first,
    ):
        parameters = [Parameter(n, value=v).to_parameter_msg() for n, v in CHANGED.items()]
        results = client.call(
            SetParameters,
            'policy_node/set_parameters',
            SetParameters.Request(parameters=parameters),
        ).results
        assert all(result.successful for result in results), results
        dumped = dump(client)
        first.send(signal.SIGINT)
        assert first.wait(40) == 0, first.output
    assert {entry.name for entry in POLICY_PARAMETERS} <= dumped.keys()
    assert {name: dumped[name] for name in CHANGED} == CHANGED
    saved = tmp_path / 'saved.yaml'
    saved.write_text(yaml.safe_dump({'/policy_node': {'ros__parameters': dumped}}))
    # Another client: the graph of the first may hold the node that has left for long.
    with (
        Client(domain) as client,
        Process(
            [*command, '--params-file', str(saved)], tmp_path / 'second.log', environment
        ) as second,
    ):
        assert dump(client) == dumped, second.output
        assert not client.transition('policy_node', CONFIGURE), 'there is no robot here'
        assert 'no message yet on' in second.output, second.output
        assert 'Traceback' not in second.output
