"""Plays command sequences by name: `ros2 param set /command_sequences play wave`.

| topic | type | |
|---|---|---|
| /diagnostics | diagnostic_msgs/DiagnosticArray | in: names and ranges of the command |
| policy_command | sensor_msgs/JointState | out: the entries of the sequence, while it plays |
"""

import time
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from kinfer_ros.commands.player import SequencePlayer
from kinfer_ros.commands.sequence import load_folder
from kinfer_ros.errors import ConfigError
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
"""s between two commands."""
LAST_COMMANDS_TIMEOUT = 0.5
"""s that the end waits until the neutral commands have arrived."""
PLAY = 'play'

SEQUENCE_PARAMETERS = (
    Declared(PLAY, '', '',
             'Name of the sequence that plays. Setting it begins one, an empty text blends it '
             'out; it is empty when the sequence is over.'),
    Declared('folder', '', '',
             'Folder of the sequences; empty: those of the package.', read_only=True),
    Declared('policy_node', 'policy_node', '', 'Name of the policy node.', read_only=True),
)  # fmt: skip


class CommandSequences(Node):
    """Publishes the commands of one sequence at a time."""

    def __init__(self, node_name: str = 'command_sequences', **kwargs: Any) -> None:
        """:raises ConfigError: a parameter or a file cannot be used."""
        super().__init__(node_name, **kwargs)
        declare(self, SEQUENCE_PARAMETERS)
        refuse_misspelt_parameters(self)
        if given := value(self, PLAY):
            raise ConfigError(f'parameter {PLAY}: found {given} at the start, expected it later')
        folder = value(self, 'folder')
        self._player = SequencePlayer(load_folder(Path(folder).expanduser() if folder else None))
        self._showing = False
        self._publisher = self.create_publisher(JointState, 'policy_command', QoSProfile(depth=10))
        group = PollOnlyGroup(self)
        self._commands = PolicyCommands(self, value(self, 'policy_node'), group)
        self.add_on_set_parameters_callback(self._check)
        self.add_post_set_parameters_callback(self._apply)
        self.create_timer(PERIOD, self._poll, clock=Clocks(self).steady)

    def stop(self) -> None:
        """Send neutral commands, if a sequence plays."""
        self._send(self._player.end())
        self._publisher.wait_for_all_acked(Duration(seconds=LAST_COMMANDS_TIMEOUT))

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        asked = [each.value for each in parameters if each.name == PLAY]
        reason = '' if self._showing or not asked else self._player.refusal(asked[-1])
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply(self, parameters: list[Parameter]) -> None:
        for each in parameters:
            if each.name == PLAY and not self._showing:
                self._player.play(each.value, time.monotonic())

    def _poll(self) -> None:
        self._commands.poll()
        gone = describe_gone(self._commands.heard_s)
        self._player.set_ranges(None if gone else self._commands.ranges)
        self._send(self._player.message(time.monotonic()))
        if not self._player.playing and value(self, PLAY):
            self._showing = True
            try:
                self.set_parameters([Parameter(PLAY, value='')])
            finally:
                self._showing = False

    def _send(self, commands: dict[str, float] | None) -> None:
        if commands is None:
            return
        message = JointState(name=list(commands), position=list(commands.values()))
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node as a process; return its exit code."""
    return run_node(CommandSequences, args)


if __name__ == '__main__':
    raise SystemExit(main())
