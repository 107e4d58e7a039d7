"""What differs between Unitree's robots, and the numbers of their machines."""

from kinfer_ros.bridges.unitree.messages import FAMILIES
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.errors import ConfigError

AUTO = 'auto'
_OF_ROBOT = {'g1': 'hg', 'g1_23': 'hg', 'go2': 'go'}

_WAIST, _WRISTS = frozenset({13, 14}), frozenset({20, 21, 27, 28})
_KINDS: tuple[tuple[frozenset[int], tuple[int, ...]], ...] = (
    (frozenset(), (2, 5, 11, 13, 15)),  # 29 joints
    (_WAIST, (3, 6, 12, 14, 16)),  # waist locked
    (_WAIST | _WRISTS, (1, 4, 10)),  # 23 joints
)
WITHOUT = {machine: places for places, machines in _KINDS for machine in machines}
"""G1: places without a joint that moves, by mode_machine.
Source: the README of g1_description in github.com/unitreerobotics/unitree_ros."""


def family_of(name: str, robot: str) -> Family:
    """
    Return a family by its name; `auto` depends on the robot.

    :raises ConfigError: there is no such family, or none is known for the robot.
    """
    found = _OF_ROBOT.get(robot, '') if name == AUTO else name
    if found not in FAMILIES:
        known = ', '.join(_OF_ROBOT)
        raise ConfigError(
            f'found family {name!r} for the robot {robot!r}, expected {" or ".join(FAMILIES)} '
            f'({AUTO} knows {known}): hg for G1 and H1-2, go for Go2, B2 and H1'
        )
    return FAMILIES[found]
