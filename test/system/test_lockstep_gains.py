"""Gains that change within a lockstep run over real DDS, held against the loop without ROS."""

from __future__ import annotations

import io
import json
import signal
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from helpers.client import Client
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.assembly import bind
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

COMMAND = (0.3, 0.0, 0.0)
FACTOR = 0.9
KP_SHARE = 1.1
"""Of the stiffness of the second model against the first."""


def other_gains(folder: Path) -> Path:
    """The shipped policy, trained with other gains, so to say."""
    path = folder / 'stiffer.kinfer'
    with tarfile.open(MODEL) as old, tarfile.open(path, 'w:gz') as new:
        for member in old.getmembers():
            content = old.extractfile(member).read()
            if member.name.endswith('.json'):
                meta = json.loads(content)
                meta['joint_kp'] = [KP_SHARE * kp for kp in load_model(MODEL).contract.joint_kp]
                content = json.dumps(meta).encode()
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return path


def lockstep_run(folder: Path, second: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """
    Walk; set kp_factor, then load the second model, each when it comes.

    :return: the records, and the frame_ids of joint_gains.
    """
    folder.mkdir()
    environment = domain_environment()
    policy = {
        'robot': 'biped', 'model': MODEL, 'runs_dir': folder, 'use_sim_time': True,
        'lockstep': True, 'autostart': True, 'auto_run': True,
        'sensor_timeout': 90.0, 'blend_time': 0.0, 'default_command': list(COMMAND),
    }  # fmt: skip
    bridge = {'robot': 'biped', 'lockstep': True, 'seed': 0}
    with (
        node('policy_node', folder, environment, policy) as policy_side,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        gains = client.follow(JointState, 'joint_gains')
        parameters = client.node.create_client(SetParameters, 'policy_node/set_parameters')
        load = client.node.create_client(Trigger, 'policy_node/load_model')
        # Before the bridge is there: a run in lockstep may be over before a service is found.
        for service in (parameters, load):
            assert client.spin_until(service.service_is_ready, 60), policy_side.output

        def ask(service: Any, request: Any) -> Any:
            future = service.call_async(request)
            assert client.spin_until(future.done, 20), policy_side.output
            return future.result()

        def set_parameter(name: str, value: Any) -> None:
            parameter = Parameter(name, value=value).to_parameter_msg()
            answer = ask(parameters, SetParameters.Request(parameters=[parameter]))
            assert answer.results[0].successful, answer.results[0].reason

        with node('mujoco_bridge', folder, environment, bridge) as robot_side:
            assert wait_until(lambda: 'mode run' in policy_side.output, 60), policy_side.output
            set_parameter('model', str(second))
            set_parameter('kp_factor', FACTOR)
            answer = ask(load, Trigger.Request())
            assert answer.success, answer.message
            policy_side.wait_for('has taken over', 60)
            # No duration: how far a run in lockstep gets meanwhile is the machine's affair.
            policy_side.send(signal.SIGINT)
            assert client.spin_until(lambda: not policy_side.running, 60)
            frame_ids = [message.header.frame_id for message in gains]
            robot_side.send(signal.SIGINT)
            assert robot_side.wait(40) == 0, robot_side.output
    facts = json.loads((folder / 'latest' / 'run.json').read_text())
    assert facts['counters']['faults'] == facts['falls'] == 0
    return list(read_steps(folder / 'latest')), frame_ids


def index_of(steps: list[dict[str, Any]], words: str) -> int:
    """The record with an event."""
    return next(i for i, s in enumerate(steps) if any(words in e for e in s['events']))


def repeat(steps: list[dict[str, Any]], second: Policy) -> np.ndarray:
    """Do in the loop without ROS what was done in these ticks; :return: the targets of `run`."""
    robot, policy = load_robot('biped'), load_model(MODEL)
    running = sum(step['mode'] == 'run' for step in steps)
    settings = SessionSettings(
        period_ns=20_000_000, auto_run=True, duration_ns=running * 20_000_000, ramp_speed=0.5,
        blend_ns=0,
        default_command=COMMAND,
    )  # fmt: skip
    controller = assemble(policy, robot, settings)
    simulation = Simulation(controller, MujocoRobot(robot))
    tuned, swapped = index_of(steps, 'set kp_factor'), index_of(steps, 'begins to take over')
    targets: list[np.ndarray] = []
    ticks = [0]

    def after(s: Simulation) -> None:
        ticks[0] += 1  # the requests of now are those of the next tick
        if ticks[0] == tuned:
            controller.request_live_settings(replace(controller.live, kp_factor=FACTOR))
        if ticks[0] == swapped:
            controller.request_swap(bind(second, robot, controller.inputs), lambda reason: None)
        if s.controller.mode is Mode.RUN:
            targets.append(s.controller.target[s.outcome.step.bound.joints].astype(np.float32))

    simulation.run(running / 50 + 5.0, after)
    return np.array(targets)


@pytest.mark.parametrize('run', [1, 2])
def test_gains_that_change_leave_a_run_equal_to_the_bit(tmp_path: Path, run: int) -> None:
    """A factor that moves, then another model's gains: each is in force from its tick on."""
    second = other_gains(tmp_path)
    steps, frame_ids = lockstep_run(tmp_path / 'run', second)
    found = np.array([s['target'] for s in steps if s['mode'] == 'run'], dtype=np.float32)
    expected = repeat(steps, load_model(second))
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()
    versions = [int(text.split()[1]) for text in frame_ids if ' ' in text]
    assert versions == sorted(set(versions)), 'it only counts up'
    assert len(versions) >= 2, 'a step of the factor, and the other model'
    assert len({text.split()[0] for text in frame_ids if ' ' in text}) == 1
