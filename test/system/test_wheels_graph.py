"""A cart on wheels in lockstep over real DDS: velocities reach the wheels, and no bit is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.cart import WHEELS
from helpers.policies.cart import Cart
from helpers.policies.cart import write_cart
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import way_by
from helpers.walking import way_of
from kinfer_ros.__main__ import main
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

SECONDS = 4.0
COMMAND = (0.4, 0.0, 0.3)


def lockstep_drive(cart: Cart, folder: Path) -> Path:
    """Drive with bridge, policy node and recorder in processes of their own; :return: the run."""
    environment = domain_environment()
    policy = {
        'robot': cart.robot,
        'model': cart.model,
        'spec': cart.spec,
        'runs_dir': folder / 'runs',
        'use_sim_time': True,
        'lockstep': True,
        'autostart': True,
        'auto_run': True,
        'duration': SECONDS,
        'sensor_timeout': 30.0,
        'wait_for_recorder': True,
        'default_command': list(COMMAND),
    }
    bridge = {'robot': cart.robot, 'lockstep': True}
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, policy) as policy_side,
    ):
        assert policy_side.wait(120) == 0, policy_side.output
        for process in (robot_side, recorder):
            process.send(signal.SIGINT)
            assert process.wait(40) == 0, process.output
    return folder / 'runs' / 'latest'


def direct_drive(cart: Cart) -> tuple[Simulation, np.ndarray]:
    """The same without ROS; :return: it, and the targets of the run."""
    robot, policy = load_robot(cart.robot), load_model(cart.model, spec=cart.spec)
    settings = SessionSettings(period_ns=20_000_000, auto_run=True, default_command=COMMAND)
    simulation = Simulation(assemble(policy, robot, settings), MujocoRobot(robot))
    seen: list[np.ndarray] = []

    def note(each: Simulation) -> None:
        if each.controller.mode is Mode.RUN:
            seen.append(each.controller.target.astype(np.float32))

    while len(seen) < SECONDS * 50:
        simulation.run(0.02, note)
    return simulation, np.array(seen)


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cart, Path]:
    """One drive over DDS."""
    folder = tmp_path_factory.mktemp('wheels')
    cart = write_cart(folder)
    return cart, lockstep_drive(cart, folder)


def test_it_equals_the_loop_without_ros(drive: tuple[Cart, Path]) -> None:
    """Every target, rad and rad/s, and the way: to the bit."""
    cart, run = drive
    facts = json.loads((run / 'run.json').read_text())
    assert facts['reason'] == 'duration reached'
    assert facts['falls'] == facts['counters']['faults'] == 0
    assert facts['velocity_joints'] == list(WHEELS)
    steps = [step for step in read_steps(run) if step['mode'] == str(Mode.RUN)]
    simulation, expected = direct_drive(cart)
    found = np.array([step['target'] for step in steps], np.float32)
    assert found.shape == expected.shape == (SECONDS * 50, 5)
    assert found.tobytes() == expected.tobytes()
    assert np.abs(found[-1, 1:]).min() > 1.0
    assert way_of(facts) == way_by(simulation.odometer)
    assert facts['path_m'] == pytest.approx(COMMAND[0] * SECONDS, rel=0.1)


def test_it_replays_from_the_log_and_from_the_bag(
    drive: tuple[Cart, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The bag has positions and velocities of the commands, which make one target."""
    assert main(['replay', str(drive[1]), '--tolerance', '0']) == 0, capsys.readouterr()
    assert main(['replay', str(drive[1]), '--bag', '--tolerance', '0']) == 0, capsys.readouterr()
