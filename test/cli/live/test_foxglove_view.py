"""`watch --foxglove`: which options go together, and what it says before it serves."""

from __future__ import annotations

import pytest

from helpers.optional import has
from kinfer_ros.__main__ import main
from kinfer_ros.cli.live.foxglove_view import _announce
from kinfer_ros.cli.live.foxglove_view import _layout
from kinfer_ros.errors import ModelError


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--host', '0.0.0.0'], '--foxglove'),
        (['--port', '1'], '--foxglove'),
        (['--foxglove', 'runs/latest'], 'open its bag'),
        (['--foxglove', '--save', 'live.rrd'], 'expected a .json file'),
        (['--foxglove', '--port', '65536'], 'expected 0 to 65535'),
    ],
)
def test_options_that_do_not_go_together(words, said, capsys):
    """One line, exit code 2."""
    assert main(['watch', *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(has('foxglove'), reason='foxglove-sdk is there')
def test_it_says_what_to_install(capsys):
    """It is an extra."""
    assert main(['watch', '--foxglove']) == 2
    assert 'pip install foxglove-sdk' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('host', 'warned'),
    [
        ('127.0.0.1', False), ('::1', False), ('localhost', False),
        ('0.0.0.0', True), ('192.168.1.2', True), ('robot.local', True),
    ],
)  # fmt: skip
def test_others_can_look_only_where_it_was_asked_for(host, warned, capsys):
    """Whoever opens the robot to a network is told so."""
    _announce(host, 8765, quiet=False)
    output = capsys.readouterr()
    assert ('can be reached from other machines' in output.err) == warned
    address = f'[{host}]' if ':' in host else host
    assert f'ws://{address}:8765' in output.out


def test_where_the_layout_is(tmp_path):
    """A namespaced robot needs one of its own: panels of the shipped one would stay empty."""
    assert _layout('/', None).endswith('config/layouts/foxglove.json')
    assert '--out FILE.json writes one for /robot1' in _layout('/robot1', None)
    out = tmp_path / 'robot1.json'
    assert str(out) in _layout('/robot1', out)
    assert '/robot1/joint_states' in out.read_text()
    with pytest.raises(ModelError, match='nowhere'):
        _layout('/robot1', tmp_path / 'nowhere' / 'robot1.json')
