"""The parameters of the MuJoCo bridge, and their values as one object."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.node import Node

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.robot_parameters import ROBOT_PARAMETERS
from kinfer_ros.nodes.robot_parameters import read_robot
from kinfer_ros.parameters import Declared
from kinfer_ros.parameters import declared
from kinfer_ros.policy.spec.scan import MAX_POINTS
from kinfer_ros.policy.spec.scan import MAX_SIZE
from kinfer_ros.policy.spec.scan import MIN_RESOLUTION
from kinfer_ros.policy.spec.scan import ScanGrid
from kinfer_ros.robot.robot import Robot
from kinfer_ros.ros.parameters import declare
from kinfer_ros.ros.parameters import refuse_misspelt_parameters
from kinfer_ros.ros.parameters import value
from kinfer_ros.viewers.shot import Shot

MUJOCO_PARAMETERS = (
    *ROBOT_PARAMETERS,
    *declared(Scene),
    Declared('seed', 0, '', 'Seed of all random numbers.', 0, 2**31 - 1, read_only=True),
    Declared('physics_rate', 0.0, 'Hz',
             "Rate of physics steps; 0: the MuJoCo model's own.", 0.0, 100000.0, read_only=True),
    Declared('sensor_rate', 0.0, 'Hz',
             'Rate of samples; 0: one for each physics step. In lockstep there is one for each '
             'control period.', 0.0, 10000.0, read_only=True),
    Declared('control_rate', 50.0, 'Hz',
             'Rate of the control periods: lockstep waits for a command at each, and simulated '
             'time begins at one.', 0.1, 10000.0, read_only=True),
    Declared('lockstep', False, '',
             'Wait at each control period for its command: the same commands give the same run, '
             'to the bit.', read_only=True),
    Declared('publish_clock', False, '',
             'Publish /clock and stamp the sensors with simulated time. Implied by lockstep. '
             'Without it, use_sim_time makes the simulation follow the /clock of another '
             'publisher.', read_only=True),
    Declared('height_scan', [0.0, 0.0, 0.0, 0.0, 0.0], 'm',
             'Grid of the height scan: size along x and y, distance of its points, centre x and y '
             'in the base frame; a distance of 0: none is published. walk and the launch files '
             'take it from the policy spec.', read_only=True),
    Declared('slowdown', 1.0, '',
             'How many times slower than real time the simulation is. Over 1 it needs '
             'publish_clock, and no lockstep.', 1.0, 100.0, read_only=True),
    *declared(ImuNoise),
    *declared(Disturbance),
    Declared('viewer', False, '', 'Open a window.', read_only=True),
    Declared('video', '', '', 'Film the robot to this .mp4 file.', read_only=True),
    *declared(Shot),
    Declared('command_timeout', 0.5, 's',
             'Time without a command after which the joints are damped. Not used in lockstep.',
             0.001, 60.0),
    Declared('paused', False, '', 'Stop simulated time; the service ~/pause does the same.'),
    Declared('push', [0.0, 0.0, 0.0], 'm/s',
             'Setting it adds this velocity (world frame) to the base, once.'),
)  # fmt: skip


@dataclass(frozen=True)
class BridgeSettings:
    """What the parameters ask for."""

    robot: Robot
    timing: Timing
    timestep: float | None
    """s, in place of the MuJoCo model's own."""
    seed: int
    scan: ScanGrid | None
    scene: Scene
    noise: ImuNoise
    disturbance: Disturbance
    publish_clock: bool
    slowdown: float
    viewer: bool
    video: Path | None
    shot: Shot


def read_settings(node: Node) -> BridgeSettings:
    """
    Declare and read the parameters.

    :raises KinferRosError: a value cannot be used, or the robot's YAML is wrong.
    """
    declare(node, MUJOCO_PARAMETERS)
    refuse_misspelt_parameters(node)
    shot = Shot(**_values(node, Shot))
    shot.check()
    video = value(node, 'video')
    physics_rate = value(node, 'physics_rate')
    return BridgeSettings(
        robot=read_robot(node),
        timing=_timing(node),
        timestep=1.0 / physics_rate if physics_rate else None,
        seed=value(node, 'seed'),
        scan=_scan_grid(node),
        scene=Scene(**_values(node, Scene)),
        noise=ImuNoise(**_values(node, ImuNoise)),
        disturbance=_disturbance(node),
        publish_clock=value(node, 'publish_clock') or value(node, 'lockstep'),
        slowdown=_slowdown(node),
        viewer=value(node, 'viewer'),
        video=Path(video).expanduser() if video else None,
        shot=shot,
    )


def _values(node: Node, kind: Any) -> dict[str, Any]:
    """Read the parameters that are fields of a dataclass."""
    found = {}
    for field in dataclasses.fields(kind):
        each = value(node, field.name)
        found[field.name] = tuple(each) if isinstance(field.default, tuple) else each
    return found


def _slowdown(node: Node) -> float:
    slowdown: float = value(node, 'slowdown')
    if slowdown > 1.0 and (value(node, 'lockstep') or not value(node, 'publish_clock')):
        raise ConfigError(
            f'parameter slowdown: found {slowdown:g}, expected 1 with lockstep, which follows no '
            'clock, and without publish_clock, since the policy node then follows the real one'
        )
    return slowdown


def _scan_grid(node: Node) -> ScanGrid | None:
    found = [float(each) for each in value(node, 'height_scan')]
    if len(found) != 5 or not all(map(math.isfinite, found)):
        raise ConfigError(f'parameter height_scan: found {found}, expected five numbers')
    if found[2] == 0.0:
        return None
    good = all(0.0 <= size <= MAX_SIZE for size in found[:2])
    good = good and MIN_RESOLUTION <= found[2] <= MAX_SIZE
    grid = ScanGrid((found[0], found[1]), found[2], (found[3], found[4])) if good else None
    if grid is None or grid.rows * grid.columns > MAX_POINTS:
        raise ConfigError(
            f'parameter height_scan: found {found}, expected sizes of 0 to {MAX_SIZE:g} m, '
            f'points at least {MIN_RESOLUTION:g} m apart, and {MAX_POINTS} of them at most'
        )
    return grid


def _disturbance(node: Node) -> Disturbance:
    found = _values(node, Disturbance)
    delay = list(found['command_delay'])
    if len(delay) != 2 or not 0.0 <= delay[0] <= delay[1] <= 1.0:
        raise ConfigError(
            f'parameter command_delay: found {delay}, expected the shortest and the longest delay '
            'in s, from 0 to 1'
        )
    return Disturbance(**found | {'command_delay': (delay[0], delay[1])})


def _timing(node: Node) -> Timing:
    rate = value(node, 'sensor_rate')
    return Timing(
        period_ns=round(SECOND / value(node, 'control_rate')),
        tick_ns=round(SECOND / rate) if rate else 0,
        command_timeout_ns=round(SECOND * value(node, 'command_timeout')),
        lockstep=value(node, 'lockstep'),
    )


def with_tick(timing: Timing, timestep_ns: int) -> Timing:
    """
    Fill in the time between two samples: a physics step by default.

    :raises ConfigError: samples are asked for more often than there are states.
    """
    if not timing.tick_ns:
        return dataclasses.replace(timing, tick_ns=timestep_ns)
    if timing.tick_ns < timestep_ns * 0.999:
        raise ConfigError(
            f'sensor_rate of {SECOND / timing.tick_ns:g} Hz, expected at most the physics rate '
            f'of {SECOND / timestep_ns:g} Hz'
        )
    return timing
