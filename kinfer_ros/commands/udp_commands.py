"""Who may command over UDP, and what is sent on: the core of the node `udp_commands`, no sockets.

The first sender of a valid datagram owns the commands until it has been silent for
OWNER_TIMEOUT. Its values hold for `command_timeout`, then all are neutral. A datagram sets
commands and nothing else: no field of it starts, resets or enables anything.
"""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from ipaddress import ip_address

from kinfer_ros.commands.datagram import Datagram
from kinfer_ros.commands.datagram import parse_datagram
from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.ranges import clip
from kinfer_ros.commands.ranges import neutral
from kinfer_ros.control.command import own_name
from kinfer_ros.errors import MessageError

SECOND = 1_000_000_000
OWNER_TIMEOUT_NS = SECOND
WARN_PERIOD_NS = 5 * SECOND
"""Between two warnings of one kind; there are five kinds."""

Sender = tuple[str, int]
Network = IPv4Network | IPv6Network


@dataclass
class Counters:
    """Datagrams since the start, by what became of them."""

    accepted: int = 0
    refused: int = 0
    not_owner: int = 0
    not_allowed: int = 0
    late: int = 0


class UdpCommands:
    """
    The commands of one sender at a time.

    :ivar owner: the sender that is obeyed, or None.
    :ivar counters: of datagrams.
    """

    def __init__(
        self,
        allow_from: Sequence[Network],
        command_timeout_ns: int,
        warn: Callable[[str], None],
    ) -> None:
        """:param allow_from: senders that are heard; empty: all, for a socket on loopback."""
        self._allow_from = tuple(allow_from)
        self._timeout_ns = command_timeout_ns
        self._warn = warn
        self._warned_ns: dict[str, int] = {}
        self._ranges: Ranges | None = None
        self._values: dict[str, float] = {}
        self._changed = False
        self._ended = False
        self._heard_ns = 0
        self.owner: Sender | None = None
        self.counters = Counters()

    def set_ranges(self, ranges: Ranges | None) -> None:
        """Take the entries of the policy's command; None: no policy is heard."""
        if ranges == self._ranges:
            return
        self._ranges = ranges
        self._values = {n: v for n, v in self._values.items() if ranges and n in ranges}

    def set_command_timeout(self, timeout_ns: int) -> None:
        """Change the time after which a silent sender's commands are neutral."""
        self._timeout_ns = timeout_ns

    def take(self, data: bytes, sender: Sender, arrived_ns: int, now_ns: int) -> None:
        """
        Take one datagram.

        :param arrived_ns: when the machine received it, on the clock of `now_ns`.
        """
        self._release_owner(now_ns)
        if not self._is_allowed(sender):
            self.counters.not_allowed += 1
            self._say('allow', now_ns, f'{_text(sender)} is not in allow_from: ignored')
        elif self.owner not in (None, sender):
            self.counters.not_owner += 1
            owner = _text(self.owner) if self.owner else ''
            self._say('owner', now_ns, f'{_text(sender)} is ignored: {owner} commands')
        elif not 0 <= now_ns - arrived_ns <= self._timeout_ns:
            self.counters.late += 1
            self._say('late', now_ns, f'{_text(sender)}: a datagram waited too long: ignored')
        else:
            self._take_allowed(data, sender, arrived_ns, now_ns)

    def message(self, now_ns: int) -> dict[str, float] | None:
        """Return the commands to send now, by name; None where there is nothing new."""
        if now_ns - self._heard_ns > self._timeout_ns:
            self._make_neutral()
        self._release_owner(now_ns)
        if not self._changed or self._ranges is None:
            return None
        self._changed = False
        found = {name: clip(value, self._ranges[name]) for name, value in self._values.items()}
        if self._ended:
            self._ended = False
            self._values = {}
        return found or None

    def end(self, now_ns: int) -> dict[str, float] | None:
        """Return the last commands to send: all neutral."""
        self._make_neutral()
        return self.message(now_ns)

    def _release_owner(self, now_ns: int) -> None:
        if self.owner is not None and now_ns - self._heard_ns > OWNER_TIMEOUT_NS:
            self.owner = None

    def _take_allowed(self, data: bytes, sender: Sender, arrived_ns: int, now_ns: int) -> None:
        try:
            datagram = parse_datagram(data)
            values = self._known(datagram, now_ns)
        except MessageError as error:
            self.counters.refused += 1
            self._say('refused', now_ns, f'{_text(sender)}: refused: {error}')
            return
        if datagram.ignored:
            listed = ', '.join(ascii(each[:40]) for each in datagram.ignored[:5])
            self._say('ignored', now_ns, f'{_text(sender)}: not obeyed: {listed}')
        if self.owner is None:
            self.owner, self._values = sender, {}
        self.counters.accepted += 1
        self._heard_ns = arrived_ns
        if datagram.neutral:
            self._make_neutral()
        else:
            self._values |= values
            self._changed, self._ended = True, False

    def _known(self, datagram: Datagram, now_ns: int) -> dict[str, float]:
        """
        Return the values of entries that the policy has, by its names.

        :raises MessageError: none of them is, or one has two values.
        """
        if self._ranges is None:
            raise MessageError('no policy node is heard yet')
        values: dict[str, float] = {}
        unknown = []
        for name, value in datagram.values.items():
            entry = own_name(name, self._ranges)
            if entry not in self._ranges:
                unknown.append(name)
            elif entry in values:
                raise MessageError(f'{name}: has two values, under two names')
            else:
                values[entry] = value
        listed = ', '.join(unknown[:5]) + (', ...' if len(unknown) > 5 else '')
        if not values and not datagram.neutral:
            raise MessageError(f'no entry of the policy ({", ".join(self._ranges)}): {listed}')
        if unknown:
            self._say('unknown', now_ns, f'not of this policy, ignored: {listed}')
        return values

    def _make_neutral(self) -> None:
        """Send the entries once more, as neutral, and then no longer: others may command them."""
        if not self._values or self._ranges is None:
            return
        self._values = {name: neutral(self._ranges[name]) for name in self._values}
        self._changed = self._ended = True

    def _is_allowed(self, sender: Sender) -> bool:
        if not self._allow_from:
            return True
        address = ip_address(sender[0].partition('%')[0])
        return any(address in network for network in self._allow_from)

    def _say(self, kind: str, now_ns: int, text: str) -> None:
        """Warn, at most once in WARN_PERIOD_NS for each kind: a flood must not fill the log."""
        if now_ns - self._warned_ns.get(kind, -WARN_PERIOD_NS) >= WARN_PERIOD_NS:
            self._warned_ns[kind] = now_ns
            self._warn(text)


def _text(sender: Sender) -> str:
    return f'{sender[0]} port {sender[1]}'
