"""Plays the sensors of a run's bag into a graph, with /clock, as `ros2 bag play --clock` does.

    python examples/play_bag.py runs/latest/bag

For the wheels, which bring no `ros2`, and for runs in real time: those in simulated time have a
/clock of their own. A policy node with dry_run and use_sim_time follows it.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock

TOPICS = ('/joint_states', '/imu/data', '/odom', '/cmd_vel')
"""What a robot and its operator send; the nodes that run send the rest themselves."""
CLOCK_PERIOD_NS = 5_000_000
DISCOVERY = 2.0
"""s for the readers to find this node before the first message."""


class Player(Node):
    """Publishes the recorded bytes in the recorded order, about at the recorded pace."""

    def __init__(self, bag: Path) -> None:
        super().__init__('play_bag')
        self._clock = self.create_publisher(Clock, '/clock', 10)
        self._reader = Reader(bag)

    def play(self) -> int:
        """Play once; :return: the number of messages."""
        count = 0
        with self._reader as reader:
            if '/clock' in reader.topics:
                raise ValueError('this run was in simulated time; expected one in real time')
            wanted = [each for each in reader.connections if each.topic in TOPICS]
            if not wanted:
                raise ValueError(f'found none of {", ".join(TOPICS)}, expected at least one')
            publishers = {
                each.topic: self.create_publisher(_type(each.msgtype), each.topic, 10)
                for each in wanted
            }
            time.sleep(DISCOVERY)
            now = reader.start_time
            for connection, stamp, data in reader.messages(wanted):
                while now + CLOCK_PERIOD_NS <= stamp:
                    now += CLOCK_PERIOD_NS
                    self._tick(now)
                publishers[connection.topic].publish(bytes(data))
                count += 1
        return count

    def _tick(self, now: int) -> None:
        """Publish the time; it never catches up, or a node that follows would miss ticks."""
        time.sleep(CLOCK_PERIOD_NS / 1e9)
        sec, nanosec = divmod(now, 10**9)
        self._clock.publish(Clock(clock=Time(sec=sec, nanosec=nanosec)))


def _type(name: str) -> type:
    """Return the class of 'package/msg/Name'."""
    package, _, kind = name.split('/')
    found: type = getattr(import_module(f'{package}.msg'), kind)
    return found


def main() -> int:
    """Play the bag that is named, or until Ctrl-C."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / 'metadata.yaml').is_file():
        print('usage: play_bag.py RUN/bag (a directory with metadata.yaml)', file=sys.stderr)
        return 2
    rclpy.init()
    player = Player(Path(sys.argv[1]))
    try:
        print(f'played {player.play()} messages')
        return 0
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    finally:
        player.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
