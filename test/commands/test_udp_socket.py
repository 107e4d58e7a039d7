"""Where commands are heard: loopback unless senders are named; a flood keeps nothing old."""

from __future__ import annotations

import socket
import time

import pytest

from kinfer_ros.commands.udp_socket import MAX_TAKEN
from kinfer_ros.commands.udp_socket import check_host
from kinfer_ros.commands.udp_socket import open_socket
from kinfer_ros.commands.udp_socket import read_networks
from kinfer_ros.commands.udp_socket import receive
from kinfer_ros.errors import ConfigError


def test_beyond_loopback_needs_senders():
    """One that forgets them must not find out when the robot moves."""
    assert check_host('localhost', ()) == '127.0.0.1'
    assert check_host('127.0.0.2', ()) == '127.0.0.2'
    assert check_host('::1', ()) == '::1'
    for host in ('0.0.0.0', '192.168.1.9', '::'):
        with pytest.raises(ConfigError, match='name who may in allow_from'):
            check_host(host, ())
        assert check_host(host, read_networks(['10.0.0.1'])) == host
    for host in ('', 'robot.local', '10.0.0', '0'):
        with pytest.raises(ConfigError, match=r'parameter host: found .*, expected an address'):
            check_host(host, ())


def test_allow_from():
    """Addresses and networks, of both kinds; empty entries are YAML's."""
    found = read_networks(['', '192.168.1.5', '192.168.1.7/24', 'fd00::/8'])
    assert [str(each) for each in found] == ['192.168.1.5/32', '192.168.1.0/24', 'fd00::/8']
    for text in ('robot', '192.168.1', '192.168.1.0/33', ' 10.0.0.1'):
        with pytest.raises(ConfigError, match=r'allow_from: found .*, expected an address'):
            read_networks([text])


@pytest.fixture
def pair():
    opened = open_socket('127.0.0.1', 0)
    with opened, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(opened.getsockname())
        yield opened, sender


def test_what_arrived_with_sender_and_age(pair):
    """The age is the kernel's: it grows while nobody looks."""
    opened, sender = pair
    assert list(receive(opened)) == []
    # Linux begins to stamp datagrams a moment after it is asked to; until then their age is 0.
    for _ in range(50):
        sender.send(b'early')
        time.sleep(0.05)
        if next(iter(receive(opened)))[2] > 0.04e9:
            break
    sender.send(b'a' * 5000)
    sender.send(b'')
    time.sleep(0.2)
    (long, who, age), (empty, _, _) = receive(opened)
    assert len(long) == 4097, 'one more than is allowed, to be seen as too long'
    assert empty == b''
    assert who == sender.getsockname()
    assert 0.19e9 < age < 5e9


def test_a_flood_is_bounded(pair):
    """Neither the work of a tick nor what waits grows with it."""
    opened, sender = pair
    for number in range(5000):
        sender.send(b'%d' % number)
    looks = 0
    while found := list(receive(opened)):
        assert len(found) <= MAX_TAKEN
        looks += 1
    assert 1 < looks < 40, 'the kernel kept what fits its buffer, and no more'


def test_a_port_that_is_taken(pair):
    """Two receivers of one sender's datagrams would each get some."""
    number = pair[0].getsockname()[1]
    with pytest.raises(ConfigError, match=rf'UDP port {number} of 127.0.0.1: Address already'):
        open_socket('127.0.0.1', number)
    with pytest.raises(ConfigError, match=r'UDP port 9 of 192.0.2.1: Cannot assign'):
        open_socket('192.0.2.1', 9)
