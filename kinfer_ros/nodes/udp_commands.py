"""K-Scale's JSON commands over UDP, as `policy_command`: VR teleoperation and other senders.

| topic | type | |
|---|---|---|
| /diagnostics | diagnostic_msgs/DiagnosticArray | in: the policy's entries; out: status |
| policy_command | sensor_msgs/JointState | out: the sender's entries, by name |

It takes commands and nothing else: a datagram cannot start, stop, reset or enable anything.
"""

import dataclasses
import socket
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from kinfer_ros.commands.udp_commands import SECOND
from kinfer_ros.commands.udp_commands import UdpCommands
from kinfer_ros.commands.udp_socket import check_host
from kinfer_ros.commands.udp_socket import open_socket
from kinfer_ros.commands.udp_socket import read_networks
from kinfer_ros.commands.udp_socket import receive
from kinfer_ros.parameters import Declared
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.live.policy_commands import PolicyCommands
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.process import run_node
from kinfer_ros.viewers.live_state import describe_gone

PERIOD = 0.02
"""s between two looks at the socket: the fastest rate of policy_command is 50 Hz."""
LAST_COMMANDS_TIMEOUT = 0.5
"""s that the end waits until the neutral commands have arrived."""

UDP_PARAMETERS = (
    Declared('host', '127.0.0.1', '',
             'Address to listen on. Beyond loopback (0.0.0.0: all addresses of this machine) '
             'allow_from must name the senders.', read_only=True),
    Declared('port', 10000, '', 'UDP port.', 1, 65535, read_only=True),
    Declared('allow_from', [''], '',
             'Senders that are heard, as addresses or networks: 192.168.1.5, 192.168.1.0/24. '
             'Empty: all, on loopback only.', read_only=True),
    Declared('policy_node', 'policy_node', '', 'Name of the policy node.', read_only=True),
    Declared('command_timeout', 0.5, 's',
             'Time after which the commands of a silent sender are neutral.', 0.02, 1.0,
             read_only=True),
)  # fmt: skip


class UdpCommandsNode(Node):
    """Publishes the commands of one UDP sender at a time."""

    def __init__(self, node_name: str = 'udp_commands', **kwargs: Any) -> None:
        """:raises ConfigError: a parameter cannot be used, or the port is taken."""
        super().__init__(node_name, **kwargs)
        declare(self, UDP_PARAMETERS)
        refuse_misspelt_parameters(self)
        networks = read_networks(value(self, 'allow_from'))
        host, port = check_host(value(self, 'host'), networks), value(self, 'port')
        timeout_ns = round(value(self, 'command_timeout') * SECOND)
        self._core = UdpCommands(networks, timeout_ns, self.get_logger().warning)
        self._publisher = self.create_publisher(JointState, 'policy_command', QoSProfile(depth=10))
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        group = PollOnlyGroup(self)
        self._commands = PolicyCommands(self, value(self, 'policy_node'), group)
        self._socket: socket.socket | None = open_socket(host, port)
        self._address = f'{host} port {port}'
        steady = Clocks(self).steady
        self.create_timer(PERIOD, self._poll, clock=steady)
        self.create_timer(1.0, self._publish_status, clock=steady)
        heard = ', '.join(map(str, networks)) or 'this machine alone'
        self.get_logger().info(f'listens on UDP {self._address} to {heard}')

    def stop(self) -> None:
        """Send neutral commands, and hear no more."""
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        self._send(self._core.end(time.monotonic_ns()))
        self._publisher.wait_for_all_acked(Duration(seconds=LAST_COMMANDS_TIMEOUT))

    def _poll(self) -> None:
        if self._socket is None:
            return
        self._commands.poll()
        gone = describe_gone(self._commands.heard_s)
        self._core.set_ranges(None if gone else self._commands.ranges)
        for data, sender, age_ns in receive(self._socket):
            now_ns = time.monotonic_ns()
            self._core.take(data, sender, now_ns - age_ns, now_ns)
        self._send(self._core.message(time.monotonic_ns()))

    def _send(self, commands: dict[str, float] | None) -> None:
        if commands is None:
            return
        message = JointState(name=list(commands), position=list(commands.values()))
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _publish_status(self) -> None:
        core, heard = self._core, self._commands
        problem = describe_gone(heard.heard_s) or heard.problem
        if heard.heard_s is None:
            problem = 'no policy node is heard'
        sender = f'{core.owner[0]} port {core.owner[1]}' if core.owner else ''
        values = {'address': self._address, 'sender': sender, **dataclasses.asdict(core.counters)}
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if problem else DiagnosticStatus.OK,
            name=f'{self.get_fully_qualified_name()}: commands',
            message=problem or (f'{sender} commands' if sender else 'no sender'),
            values=[KeyValue(key=key, value=str(entry)) for key, entry in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def main(args: list[str] | None = None) -> int:
    """Run the node as a process; return its exit code."""
    return run_node(UdpCommandsNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
