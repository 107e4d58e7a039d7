"""The socket of the node `udp_commands`: where it listens, and who is heard."""

import socket
import struct
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from ipaddress import ip_address
from ipaddress import ip_network

from kinfer_ros.commands.datagram import MAX_BYTES
from kinfer_ros.commands.udp_commands import Network
from kinfer_ros.commands.udp_commands import Sender
from kinfer_ros.errors import ConfigError

BUFFER_BYTES = 64 * 1024
"""For what arrives between two looks: old datagrams must not wait behind a flood."""
MAX_TAKEN = 32
"""Datagrams taken at one look; what a flood adds waits, and the kernel drops what does not fit."""

_STAMP = struct.Struct('qq')
_STAMP_OPTION = getattr(socket, 'SO_TIMESTAMPNS', 35)


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """
    Read `allow_from`.

    :raises ConfigError: an entry is no address and no network.
    """
    networks = []
    for text in texts:
        if not text:
            continue
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise ConfigError(
                f'parameter allow_from: found {text!r}, expected an address (192.168.1.5) or a '
                'network (192.168.1.0/24)'
            ) from None
    return tuple(networks)


def check_host(host: str, networks: Sequence[Network]) -> str:
    """
    Return the address to listen on.

    :raises ConfigError: it is no address, or it is beyond loopback and nobody is allowed.
    """
    try:
        address = ip_address('127.0.0.1' if host == 'localhost' else host)
    except ValueError:
        raise ConfigError(
            f'parameter host: found {host!r}, expected an address of this machine, such as '
            '127.0.0.1, or 0.0.0.0 for all'
        ) from None
    if not address.is_loopback and not networks:
        raise ConfigError(
            f'parameter host: on {address} anybody on the network could command the robot; name '
            'who may in allow_from (addresses or networks)'
        )
    return str(address)


def open_socket(host: str, port: int) -> socket.socket:
    """
    Listen on an address.

    :raises ConfigError: the machine does not have it, or another program has the port.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_DGRAM)
    try:
        found.setblocking(False)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        found.setsockopt(socket.SOL_SOCKET, _STAMP_OPTION, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise ConfigError(f'UDP port {port} of {host}: {error.strerror}') from None
    return found


def receive(opened: socket.socket) -> Iterator[tuple[bytes, Sender, int]]:
    """
    Take what has arrived, without waiting, MAX_TAKEN datagrams at most.

    :return: each datagram, one byte longer than MAX_BYTES where it was longer, with its sender
        and its age, ns: how long ago the kernel received it, by the system's clock; 0 for those
        of the first moments, before the kernel stamps them.
    """
    for _ in range(MAX_TAKEN):
        try:
            data, control, _, address = opened.recvmsg(MAX_BYTES + 1, 64)
        except BlockingIOError:
            return
        except OSError:  # such as an ICMP error of something sent to us
            continue
        yield data, (address[0], address[1]), _age_ns(control)


def _age_ns(control: Iterable[tuple[int, int, bytes]]) -> int:
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == _STAMP_OPTION and len(data) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            return int(time.time_ns() - (seconds * 1_000_000_000 + nanoseconds))
    return 0
