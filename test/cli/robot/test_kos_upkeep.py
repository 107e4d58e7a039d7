"""`python -m kinfer_ros kos zero`, `calibrate`, `parameters` and `sim`, on a small KOS server."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers.optional import HAS_KOS
from helpers.optional import needs_kos
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import wait_until
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.cli.robot import kos_upkeep
from kinfer_ros.cli.robot.kos import main
from kinfer_ros.robot.robot import load_robot

if HAS_KOS:
    from helpers.peers.kos_server import KosServer

pytestmark = needs_kos

KBOT = load_robot('kbot')
KNEE, ANKLE = 34, 35


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(kos_upkeep, 'SETTLE_S', 0.2)
    with KosServer(JointUnits(KBOT).ids) as made:
        made.moods.zero_gains = False
        yield made


def kos(server, *words):
    return main([*words, '--port', str(server.port), '--timeout', '20'])


def test_joints_are_zeroed_by_name_and_id(server, capsys):
    """Torque off and zero in one call, as K-Scale's own script; the others are left alone."""
    server.actuators[KNEE].position = 12.0
    server.actuators[ANKLE].position = -7.0
    server.actuators[31].position = 5.0
    assert kos(server, 'zero', 'dof_left_knee_04', '35', '--yes') == 0
    text = capsys.readouterr().out
    assert 'dof_left_knee_04 (id 34)     12.00 deg' in text
    assert 'zeroed 2 of 2 joints' in text
    for number in (KNEE, ANKLE):
        assert server.actuators[number].configured == [
            {'torque_enabled': False, 'zero_position': True}
        ]
    assert [a for a, each in server.actuators.items() if each.configured] == [KNEE, ANKLE]
    assert not server.commands


def test_a_server_that_says_so_and_does_nothing_is_found_out(server, capsys):
    """kos-sim does: the next policy would run with wrong angles."""
    server.actuators[KNEE].position = 12.0
    server.moods.zeroes = False
    assert kos(server, 'zero', '34', '--yes') == 1
    assert 'dof_left_knee_04 is at 12.00 deg: the server took the zero' in capsys.readouterr().out


def test_nothing_is_zeroed_that_holds_something_up(server, capsys):
    """A robot whose torque goes off falls; and another program may move it just now."""
    server.actuators[KNEE].torque_on = True
    assert kos(server, 'zero', 'all', '--yes') == 2
    assert 'the torque is on at dof_left_knee_04 (id 34): nothing' in capsys.readouterr().err
    server.actuators[KNEE].torque_on = False
    server.moods.dropped = {ANKLE}
    assert kos(server, 'zero', 'all', '--yes') == 2
    assert 'no feedback from dof_left_ankle_02 (id 35)' in capsys.readouterr().err
    assert 'configure' not in server.calls


@pytest.mark.parametrize('words', [['zero', '34'], ['zero', 'imu'], ['calibrate', '34'],
                                   ['calibrate', 'imu']])  # fmt: skip
@pytest.mark.parametrize('answer', [None, 'no'])
def test_each_asks_first(server, monkeypatch, capsys, words, answer):
    """Without a terminal it is an error; anything but yes changes nothing."""
    monkeypatch.setattr('sys.stdin.isatty', lambda: answer is not None, raising=False)
    monkeypatch.setattr('builtins.input', lambda _: answer)
    assert kos(server, *words) == (2 if answer is None else 0)
    assert ('give --yes' in capsys.readouterr().err) == (answer is None)
    assert set(server.calls) <= {'state', 'quaternion'}


def test_the_imu_is_zeroed_and_compared(server, capsys):
    """Two of the three servers say that they did it, and did not: both readings are shown."""
    server.yaw = 90.0
    assert kos(server, 'zero', 'imu', '--duration', '2.5', '--yes') == 0
    text = capsys.readouterr().out
    assert 'before 0.7071 0.0000 0.0000 0.7071' in text
    assert 'after  1.0000 0.0000 0.0000 0.0000' in text
    assert 'zero imu 2500000000' in server.calls


def test_calibrations(server, capsys):
    """What the server says of them; one that starts nothing is exit code 1."""
    assert kos(server, 'calibrate', 'imu', '--yes') == 0
    text = capsys.readouterr().out
    assert 'the server says that it is done' in text
    assert 'does not offer it' in text, 'how far it is'
    assert kos(server, 'calibrate', 'dof_left_knee_04', '--yes') == 0
    assert 'started: operations/calibrate/34' in capsys.readouterr().out
    server.moods.calibrates = False
    assert kos(server, 'calibrate', '34', '--yes') == 1
    assert 'started nothing' in capsys.readouterr().out


def test_parameters(server, capsys):
    """By joint; a server's text controls no terminal; a silent one is exit code 1."""
    assert kos(server, 'parameters') == 0
    text = capsys.readouterr().out
    assert text.count('Firmware: 3.0') == len(KBOT.joints)
    assert '\x1b' not in text
    server.moods.dropped = {ANKLE}
    assert kos(server, 'parameters', '34', '35', '--json') == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)['dof_left_knee_04']['Firmware'] == 3.0
    assert 'dof_left_ankle_02 (id 35): no answer' in captured.err


def test_the_simulation(server, capsys):
    """kos-sim takes a missing position and orientation as zeros: both are sent."""
    assert kos(server, 'sim', 'reset', '--height', '0.9') == 0
    np.testing.assert_allclose(server.resets, [(0.9, 1.0)], rtol=1e-6)
    assert kos(server, 'sim', 'pause') == kos(server, 'sim', 'resume') == 0
    assert {'paused True', 'paused False'} <= set(server.calls)
    assert 'does nothing' in capsys.readouterr().err
    assert kos(server, 'sim', 'step', '--steps', '5') == 2
    assert 'refused: not implemented by this server: not here' in capsys.readouterr().err
    assert 'step 5' in server.calls


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['zero', 'dof_left_kne_04', '--yes'], "did you mean 'dof_left_knee_04'?"),
        (['zero', 'imu', '34', '--yes'], "found 'imu', expected imu alone"),
        (['zero', '99', '--yes'], "found '99'"),
        (['zero', 'imu', '--duration', 'nan', '--yes'], '--duration: found nan'),
        (['zero', '34', '--robot', 'biped', '--yes'], 'no id for left_hip_yaw'),
        (['calibrate', 'all', '--yes'], 'one joint'),
        (['sim', 'reset', '--height', '-1'], '--height: found -1'),
        (['sim', 'step', '--steps', '0'], '--steps: found 0'),
        (['sim', 'reset', '--port', '1'], 'nothing listens at 127.0.0.1:1'),
    ],
)
def test_user_errors_are_one_line(words, said, capsys):
    """Exit code 2, before anything is written."""
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_home_at_zero(server, tmp_path):
    """Each joint at 0 rad, where K-Scale's go_to_zero.py drives it; the home pose is another."""
    for number in (KNEE, ANKLE):
        server.actuators[number].position = 10.0
    words = ['-m', 'kinfer_ros', 'kos', 'home', '--zero', '--yes', '--speed', '1.0']
    words += ['--port', str(server.port)]
    with Process(words, tmp_path / 'home.log', domain_environment()) as home:
        home.wait_for('Ctrl-C', 15)

        def at_zero() -> bool:
            at = [actuator.position for actuator in server.actuators.values()]
            return bool(np.allclose(at, 0.0, atol=0.5))

        assert wait_until(at_zero, 5)
    assert not np.allclose(KBOT.home, 0.0)


def test_home_at_zero_stays_within_the_limits(tmp_path, capsys):
    """A joint that cannot be at zero is said before anything moves."""
    text = KBOT.path.read_text().replace('lower: 0.0, upper: 2.70526', 'lower: 0.1, upper: 2.7', 1)
    path = tmp_path / 'kbot.yaml'
    path.write_text(text)
    assert main(['home', '--zero', '--yes', '--robot', str(path)]) == 2
    assert '0 rad is outside the limits of dof_left_knee_04' in capsys.readouterr().err
