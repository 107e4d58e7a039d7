"""`walk bridge:=kos`: policy node, KOS bridge and recorder on a KOS server, over gRPC and DDS."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.optional import HAS_KOS
from helpers.optional import needs_kos
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.shared import shared_path
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.robot.robot import load_robot

if HAS_KOS:
    from helpers.peers.kos_server import KosServer

pytestmark = needs_kos

POLICIES = shared_path('policies/kinfer_unit_tests')
KBOT = load_robot('kbot')
PARAMETERS = """\
/**:
  policy_node:
    ros__parameters:
      {stale_timeout: 2.0, frozen_timeout: 0.0, sensor_timeout: 30.0, ramp_speed: 2.0}
  kos_bridge:
    ros__parameters: {command_timeout: 2.0, lost_timeout: 2.0, kos_timeout: 1.0, ramp_time: 0.2}
"""


@pytest.mark.skipif(POLICIES is None, reason='the shared real archives are not here')
def test_a_policy_drives_a_kos_robot(tmp_path: Path) -> None:
    """The policy node cannot tell which robot it drives: targets out, joints back, torque off."""
    parameters = tmp_path / 'patient.yaml'
    parameters.write_text(PARAMETERS)
    with KosServer(JointUnits(KBOT).ids) as server:
        words = [
            'bridge:=kos',
            'robot:=kbot',
            f'kos_port:={server.port}',
            'auto_enable:=true',
            f'model:={POLICIES}/kbot_sine_motion.kinfer',
            'autostart:=true',
            'auto_run:=true',
            'duration:=4.0',
            f'runs_dir:={tmp_path / "runs"}',
            f'params_file:={parameters}',
        ]
        environment = domain_environment()
        with Process(
            ['-m', 'kinfer_ros', 'walk', *words], tmp_path / 'walk.log', environment
        ) as walk:
            assert walk.wait(90) == 0, walk.output
        assert not any(actuator.torque_on for actuator in server.actuators.values())
        commands = np.array([list(command.values()) for command in server.commands], float)
    facts = json.loads((tmp_path / 'runs' / 'latest' / 'run.json').read_text())
    assert facts['reason'] == 'duration reached', walk.output
    lines = (tmp_path / 'runs' / 'latest' / 'steps.ndjson').read_text().splitlines()
    run = [record for record in map(json.loads, lines) if record['mode'] == 'run']
    order = [run[0]['joint_order'].index(name) for name in KBOT.joint_names]
    targets = np.degrees([record['target'] for record in run])[:, order]
    assert np.ptp(targets, axis=0).max() > 10.0, 'the policy moves'
    # Newer targets replace older ones that a busy server could not take yet.
    met = [np.abs(commands - target).max(axis=1).min() < 1e-3 for target in targets]
    assert np.mean(met) > 0.9
