"""Two simulated robots in one graph, on the clock of one of them: for two_robots.launch.py."""

from collections.abc import Mapping

from kinfer_ros.launching import arguments as walk
from kinfer_ros.launching import graph
from kinfer_ros.launching.graph import NodeSpec

SIDES = ('left', 'right')
"""The namespaces; the first one's bridge publishes /clock."""

_SHARED = (
    'model', 'spec', 'policies', 'robot', 'mjcf', 'imu_site', 'imu_mounting', 'params_file',
    'record', 'runs_dir', 'duration', 'vx', 'vy', 'wz', 'seed', 'robot_state',
)  # fmt: skip

ARGUMENTS = tuple(a for a in walk.ARGUMENTS if a.name in _SHARED)
"""Arguments of both robots; a params_file may differ for /left/... and /right/..."""


def both(arguments: Mapping[str, str]) -> dict[str, list[NodeSpec]]:
    """
    Return the nodes of each robot by namespace.

    The runs are in `runs_dir`/left and `runs_dir`/right; the bag of one leaves the other out.

    :param arguments: all or some of ARGUMENTS.
    :raises ConfigError: an unknown name, or a value of the wrong type.
    """
    found = {}
    for side in SIDES:
        one = walk.complete(arguments)
        one['namespace'] = side
        one['runs_dir'] = f'{one["runs_dir"]}/{side}'
        one['use_sim_time'] = 'true'
        one['publish_clock'] = 'true' if side == SIDES[0] else 'false'
        found[side] = graph.nodes(one)
        for spec in found[side]:
            if spec.executable == 'recorder':
                spec.given['exclude'] = [f'/{other}/.*' for other in SIDES if other != side]
    return found
