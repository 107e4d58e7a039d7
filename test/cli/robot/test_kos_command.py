"""`python -m kinfer_ros kos`: `state` and `home`, on a small KOS server."""

from __future__ import annotations

import shutil
import signal
import subprocess

import numpy as np
import pytest

from helpers.optional import HAS_KOS
from helpers.optional import needs_kos
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import wait_until
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.cli.robot.kos import main
from kinfer_ros.robot.robot import load_robot

if HAS_KOS:
    import grpc

    from helpers.peers.kos_server import KosServer

pytestmark = needs_kos

KBOT = load_robot('kbot')


@pytest.fixture
def server():
    with KosServer(JointUnits(KBOT).ids) as made:
        yield made


def test_state_shows_every_actuator(server, capsys):
    """Which actuators answer, their positions and their faults."""
    server.actuators[34].position = 50.0
    assert main(['state', '--once', '--port', str(server.port)]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in KBOT.joint_names)
    knee = next(line for line in text.splitlines() if 'dof_left_knee_04' in line)
    assert '34' in knee
    assert '0.87' in knee
    assert '41' in knee
    assert not {'command', 'configure'} & set(server.calls), 'it only looks'


def test_state_names_problems(server, capsys):
    """An unplugged servo and a fault, by the joint's name, and exit code 1 for a script."""
    server.moods.dropped = {45}
    server.actuators[34].faults = ['overtemperature']
    assert main(['state', '--once', '--port', str(server.port)]) == 1
    text = capsys.readouterr().out
    assert 'no feedback from dof_right_ankle_02 (id 45)' in text
    assert 'overtemperature' in text


def test_home_moves_and_switches_off(server, tmp_path):
    """A slow move, held until Ctrl-C, then torque off."""
    words = ['-m', 'kinfer_ros', 'kos', 'home', '--yes', '--speed', '1.0']
    words += ['--port', str(server.port)]
    with Process(words, tmp_path / 'home.log', domain_environment()) as home:
        home.wait_for('Ctrl-C', 15)

        def at_home() -> bool:
            at = [actuator.position for actuator in server.actuators.values()]
            return bool(np.allclose(np.radians(at), KBOT.home, atol=0.01))

        assert wait_until(at_home, 5)
        steps = np.abs(np.diff([list(c.values()) for c in server.commands], axis=0))
        assert np.radians(steps).max() < 0.5, 'it must not leap'
        home.send(signal.SIGINT)
        assert home.wait(40) == 0, home.output
    assert not any(actuator.torque_on for actuator in server.actuators.values())


def test_home_says_that_the_torque_may_be_on(server, tmp_path):
    """A script must not take a robot for limp that still holds its pose."""
    words = ['-m', 'kinfer_ros', 'kos', 'home', '--yes', '--speed', '1.0']
    words += ['--port', str(server.port)]
    with Process(words, tmp_path / 'home.log', domain_environment()) as home:
        home.wait_for('Ctrl-C', 15)
        server.moods.refused = set(server.actuators)
        home.send(signal.SIGINT)
        assert home.wait(40) == 1, home.output
        assert 'its torque may be on' in home.output


def test_home_asks_first(server, tmp_path):
    """Without --yes and without an answer, nothing moves."""
    words = ['-m', 'kinfer_ros', 'kos', 'home', '--port', str(server.port)]
    with Process(words, tmp_path / 'home.log', domain_environment()) as home:
        assert home.wait(40) != 0, home.output
        assert 'Traceback' not in home.output
    assert not server.commands
    assert wait_until(lambda: not any(a.torque_on for a in server.actuators.values()), 5)


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['state', '--once', '--port', '1'], 'nothing listens at 127.0.0.1:1'),
        (['state', '--once', '--robot', 'biped'], 'no id for left_hip_yaw'),
        (['state', '--once', '--host', 'nosuch.invalid'], 'cannot find the host'),
        (['home', '--yes', '--speed', '9'], '--speed'),
    ],
)
def test_user_errors_are_one_line(words, said, capsys):
    """Exit code 2, with what to check."""
    assert main(words) == 2
    assert said in capsys.readouterr().err


def certificate(folder):
    """A key and a self-signed certificate for the name `robot`."""
    openssl = shutil.which('openssl')
    if openssl is None:
        pytest.skip('needs openssl to make a certificate')
    key, cert = folder / 'key.pem', folder / 'cert.pem'
    words = [openssl, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
    words += ['-subj', '/CN=robot', '-addext', 'subjectAltName=DNS:robot']
    words += ['-keyout', str(key), '-out', str(cert)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return key, cert


def test_tls(tmp_path, capsys):
    """The TLS options reach gRPC: only the right certificate is accepted."""
    key, cert = certificate(tmp_path)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
    with KosServer(JointUnits(KBOT).ids, credentials=credentials) as server:
        words = ['state', '--once', '--port', str(server.port)]
        tls = ['--tls', '--tls-name', 'robot']
        assert main([*words, *tls, '--tls-ca', str(cert)]) == 0
        assert main([*words, *tls]) == 2
        assert 'TLS' in capsys.readouterr().err
        assert main(words) == 2
        assert main([*words, *tls, '--tls-ca', str(tmp_path / 'absent.pem')]) == 2
        assert 'absent.pem' in capsys.readouterr().err
