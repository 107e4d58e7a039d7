"""Who commands over UDP: one sender at a time, neutral when silent, and nothing but commands."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.commands.udp_commands import UdpCommands

S = 1_000_000_000
RANGES = {'xvel': (-0.3, 0.45), 'yvel': None, 'rgripper': (0.1, 0.9)}
VR, OTHER = ('192.168.1.5', 40000), ('192.168.1.6', 40000)


class Bench:
    """The core with a clock and a list of its warnings."""

    def __init__(self, *networks: str, ranges=RANGES) -> None:
        self.said: list[str] = []
        allowed = [ip_network(each) for each in networks]
        self.core = UdpCommands(allowed, S // 2, self.said.append)
        self.core.set_ranges(ranges)
        self.now = 100 * S

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * S)

    def send(self, content: object, sender=VR, age: float = 0.0):
        """Send a datagram; :return: what is published."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.core.take(data, sender, self.now - round(age * S), self.now)
        return self.core.message(self.now)


def test_entries_go_to_the_policy_within_its_ranges():
    """By name; entries that the sender leaves out keep their value, as in pyfirmware."""
    bench = Bench()
    assert bench.send({'commands': {'xvel': 2.0, 'yvel': -3.0}}) == {'xvel': 0.45, 'yvel': -3.0}
    assert bench.core.message(bench.now) is None
    bench.wait(0.4)
    assert bench.send({'commands': {'yvel': 1.0}}) == {'xvel': 0.45, 'yvel': 1.0}
    assert bench.send({'rwristgripper': 0.5}) == {'xvel': 0.45, 'yvel': 1.0, 'rgripper': 0.5}


def test_entries_that_the_policy_lacks_are_passed_over_with_a_word():
    """VR teleoperation always sends 18; most policies have fewer."""
    bench = Bench()
    assert bench.send({'xvel': 0.1, 'lelbowpitch': 1.0}) == {'xvel': 0.1}
    assert bench.said == ['not of this policy, ignored: lelbowpitch']
    assert bench.send({'lelbowpitch': 1.0, 'start': 1.0}) is None
    assert bench.core.counters.refused == 1
    assert 'no entry of the policy (xvel, yvel, rgripper): lelbowpitch, start' in bench.said[-1]
    assert bench.send({'rgripper': 0.1, 'rwristgripper': 0.2}) is None


def test_silence_is_neutral_once_and_then_left_to_others():
    """Neutral is the nearest value to 0 in the range; cmd_vel commands again after it."""
    bench = Bench()
    bench.send({'xvel': 0.2, 'rgripper': 0.5})
    bench.wait(0.5)
    assert bench.core.message(bench.now) is None
    bench.wait(0.01)
    assert bench.core.message(bench.now) == {'xvel': 0.0, 'rgripper': 0.1}
    for _ in range(100):
        bench.wait(0.02)
        assert bench.core.message(bench.now) is None
    assert bench.send({'yvel': 1.0}) == {'yvel': 1.0}, 'old values do not come back'


def test_reset_is_neutral_at_once():
    """And only the sender's own entries are touched."""
    bench = Bench()
    bench.send({'xvel': 0.2})
    assert bench.send({'type': 'reset'}) == {'xvel': 0.0}
    assert bench.send({'type': 'reset'}) is None
    bench.core.take(b'{"type": "reset"}', VR, bench.now, bench.now)
    assert bench.send({'xvel': 0.1}) == {'xvel': 0.1}, 'both between two ticks'


def test_the_first_valid_sender_owns_the_commands():
    """Two operators must not pull at one robot; who sends rubbish owns nothing."""
    bench = Bench()
    assert bench.send(b'rubbish', OTHER) is None
    assert bench.core.owner is None
    assert bench.send({'xvel': 0.1}) == {'xvel': 0.1}
    assert bench.send({'xvel': 0.4}, OTHER) is None
    assert bench.send({'xvel': 0.4}, (VR[0], 40001)) is None, 'another program on the same host'
    assert bench.core.counters.not_owner == 2
    assert bench.said[-1] == '192.168.1.6 port 40000 is ignored: 192.168.1.5 port 40000 commands'
    bench.wait(1.0)
    assert bench.send({'xvel': 0.4}, OTHER) == {'xvel': 0.0}, 'silent for 1 s, and no longer'
    bench.wait(0.001)
    assert bench.send({'yvel': 0.4}, OTHER) == {'yvel': 0.4}
    assert bench.core.owner == OTHER


def test_rubbish_does_not_keep_the_commands():
    """An owner whose datagrams are all refused is silent."""
    bench = Bench()
    bench.send({'xvel': 0.1})
    for _ in range(6):
        bench.wait(0.2)
        bench.send({'xvel': 'fast'})
    assert bench.core.owner is None


def test_only_those_who_are_allowed_are_heard():
    """Beyond loopback anybody can send."""
    bench = Bench('192.168.1.5', '10.0.0.0/8', 'fd00::/8')
    assert bench.send({'xvel': 0.1}, OTHER) is None
    assert bench.core.counters.not_allowed == 1
    assert bench.send({'xvel': 0.1}, ('127.0.0.1', 40000)) is None
    assert bench.send({'xvel': 0.1}, ('fe80::1%eth0', 40000)) is None
    assert bench.send({'xvel': 0.1}, VR) == {'xvel': 0.1}
    bench.wait(1.01)
    bench.core.message(bench.now)
    assert bench.send({'xvel': 0.2}, ('10.1.2.3', 40000)) == {'xvel': 0.2}
    bench.wait(1.01)
    bench.core.message(bench.now)
    assert bench.send({'xvel': 0.3}, ('fd00::1', 40000)) == {'xvel': 0.3}


def test_a_datagram_that_waited_is_no_command():
    """After a stopped process goes on, its sender may be long gone."""
    bench = Bench()
    assert bench.send({'xvel': 0.1}, age=0.51) is None
    assert bench.core.counters.late == 1
    assert bench.send({'xvel': 0.1}, age=-1.0) is None, 'a clock that was set'
    assert bench.send({'xvel': 0.1}, age=0.3) == {'xvel': 0.1}
    bench.wait(0.21)
    assert bench.core.message(bench.now) == {'xvel': 0.0}, 'its time-out began when it arrived'


def test_without_a_policy_nothing_is_sent():
    """Names and ranges are the policy's; a gone policy's commands are not kept for another."""
    bench = Bench(ranges=None)
    assert bench.send({'xvel': 0.1}) is None
    assert 'no policy node is heard yet' in bench.said[-1]
    bench.core.set_ranges(RANGES)
    assert bench.send({'xvel': 0.1, 'yvel': 0.2}) == {'xvel': 0.1, 'yvel': 0.2}
    bench.core.set_ranges({'yvel': (0.0, 0.1)})
    assert bench.send({'yvel': 0.3}) == {'yvel': 0.1}
    bench.core.set_ranges(None)
    bench.core.set_ranges(RANGES)
    assert bench.send({'xvel': 0.1}) == {'xvel': 0.1}


def test_the_end_is_neutral():
    """As Ctrl-C of teleop."""
    bench = Bench()
    assert bench.core.end(bench.now) is None
    bench.send({'xvel': 0.1})
    assert bench.core.end(bench.now) == {'xvel': 0.0}


def test_a_flood_fills_no_log():
    """At most one warning of a kind in five seconds, whoever sends what."""
    bench = Bench('192.168.1.0/24')
    for port in range(500):
        bench.send({f'x{port}': 1.0}, (VR[0], port))
        bench.send({'xvel': 0.1}, ('10.0.0.1', port))
        bench.wait(0.002)
    assert len(bench.said) == 2


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([VR, OTHER, ('10.0.0.1', 1)]),
        st.sampled_from(
            [
                {'xvel': 9.0}, {'xvel': -9.0, 'yvel': 0.5}, {'type': 'reset'}, {'xvel': 'x'}, {},
                {'rgripper': 0.3}, {'commands': {'yvel': -2}, 'start': 1},
            ]
        ),
        st.floats(0.0, 1.2),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_whatever_arrives_the_rules_hold(actions):
    """In the ranges, of the policy alone, from the owner alone, neutral after the time-out."""
    bench = Bench('192.168.1.0/24')
    last_valid, sent = -10 * S, {}
    for sender, content, pause in actions:
        bench.wait(pause)
        owner_before = bench.core.owner if bench.now - last_valid <= S else None
        expected_neutral = bench.now - last_valid > S // 2
        quiet = bench.core.message(bench.now)
        if quiet is not None:
            assert expected_neutral
            assert not any(v for n, v in quiet.items() if n != 'rgripper')
            sent = quiet
        if expected_neutral:
            assert sent.get('xvel', 0.0) == 0.0
        before = bench.core.counters.accepted
        found = bench.send(content, sender)
        if bench.core.counters.accepted > before:
            assert sender[0].startswith('192.168.')
            assert owner_before in (None, sender)
            last_valid = bench.now
        else:
            assert found is None
        sent = found if found is not None else sent
        for name, value in sent.items():
            low, high = RANGES[name] or (-3, 3)
            assert low <= value <= high


@pytest.mark.parametrize('content', [{'start': True}, {'enable': 1}, {'type': 'start'}])
def test_it_starts_and_enables_nothing(content):
    """The core has no way to: it only ever returns commands."""
    bench = Bench()
    assert bench.send(content) is None
    assert bench.core.owner is None
