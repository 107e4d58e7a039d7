"""The bridge's end of the DDS process, with a process of the test in its place."""

from __future__ import annotations

import pytest

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree import link
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError

CODE = """
import socket, sys
end = socket.socket(fileno=int(sys.argv[1]))
{body}
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a link to a process with this body."""
    made = []

    def run(body: str) -> link.Link:
        (tmp_path / 'stand_in.py').write_text(CODE.format(body=body))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(link, 'PROCESS', 'stand_in')
        monkeypatch.setattr(link.importlib.util, 'find_spec', lambda _: object())
        made.append(link.Link('lo', 0, 'hg'))
        return made[-1]

    yield run
    for each in made:
        each.process.kill()
        each.close()
        each.process.wait(40)


def test_what_comes_with_the_first_word_counts(start):
    """Who else publishes is said once: a rival must not get lost in the start."""
    made = start("end.send(b'O'); end.send(b'P[]'); end.send(b'T'); end.recv(9)")
    found: list[bytes] = []
    while len(found) < 2:
        found += made.receive(1.0)
        assert not made.lost
    assert found == [b'P[]', frames.DAMPED]


def test_its_end_is_noticed(start):
    """Nothing reaches the robot any more."""
    made = start("end.send(b'O')")
    made.process.wait(40)
    for _ in range(3):
        made.receive(0.1)
    assert made.lost == 'it has ended'
    assert made.send(frames.BEAT) is False


def test_a_full_queue_is_no_end(start):
    """A process that is not run takes nothing for a while."""
    made = start("end.send(b'O'); import time; time.sleep(60)")
    while made.send(bytes(1000)):
        pass
    assert not made.lost


def test_why_it_cannot_start_is_one_line(start):
    """The text of DDS, with who says it."""
    with pytest.raises(BridgeError, match='DDS process of the Unitree bridge has failed: no lo'):
        start("end.send(b'Eno lo')")


def test_an_unknown_interface_is_refused():
    """With those that there are."""
    with pytest.raises(ConfigError, match=r"found network_interface 'eth77', expected .*: .*lo"):
        link.check_interface('eth77')
