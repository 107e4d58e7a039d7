"""Measure a policy that holds a posture: pushes from all sides, entries, and how quiet it is.

`python -m training.evaluate robots/biped/stand.kinfer` calls `evaluate` here, because the policy
takes no command.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from training import interface as io
from training.evaluate import CALM
from training.evaluate import CORNERS
from training.evaluate import ROUGH
from training.evaluate import SEEDS
from training.evaluate import SETTLE_S
from training.evaluate import STAND
from training.evaluate import Command
from training.evaluate import Disturbance
from training.evaluate import Policy
from training.evaluate import Simulation

BIPED = io.ROBOT_XML.parent
DIRECTIONS = 12
PUSH_SEEDS = range(5)
SPEEDS = {'stand': (0.5, 0.6), 'crouch': (0.2, 0.3)}  # m/s, of the pushes
STILL = 0.02  # m; what noise moves a base that stands
PHASES = range(0, io.GAIT_TICKS, 4)
# Late and noisy; the pushes are given by hand.
UNPUSHED = Disturbance(delay_s=ROUGH.delay_s, noise=ROUGH.noise)


@dataclass
class Segment:
    """One policy, and for how long."""

    policy: Policy
    seconds: float
    command: Command = STAND


@dataclass
class Course:
    """What was seen in the last segment of a course, tick by tick."""

    base: np.ndarray  # position of the base, m
    contact: np.ndarray  # left and right foot on the floor
    joint_speed: np.ndarray  # rad/s, largest of all joints
    fell: bool

    @property
    def drift(self) -> float:
        """How far the base has got, m."""
        return float(np.linalg.norm(self.base[-1, :2] - self.base[0, :2]))

    @property
    def quiet(self) -> bool:
        """Whether the base stayed where it was in the last second."""
        end = slice(-round(1.0 / io.CONTROL_DT), None)
        moved = np.ptp(self.base[end, :2], axis=0).max()
        return bool(not self.fell and moved < STILL)


class Changeover:
    """The robot in MuJoCo, taken over by one policy after the other."""

    def __init__(self, policy: Policy) -> None:
        """Load the robot with the gains of a policy, which all share."""
        self.simulation = Simulation(policy)

    def run(
        self,
        segments: list[Segment],
        disturbance: Disturbance = UNPUSHED,
        seed: int = 0,
        push: tuple[float, float] | None = None,
    ) -> Course:
        """Run policies at once after each other.

        :param push: speed, m/s, and direction, rad, of a push in the middle of the last one.
        """
        simulation, rng = self.simulation, np.random.default_rng(seed)
        simulation.reset()
        data = simulation.data
        rows: list[tuple[Any, ...]] = []
        for segment in segments:
            rows.clear()
            simulation.policy = segment.policy
            simulation.policy.reset()
            ticks = round(segment.seconds / io.CONTROL_DT)
            for tick in range(ticks):
                if push and segment is segments[-1] and tick == ticks // 2:
                    heading = simulation.heading() + push[1]
                    data.qvel[:2] += push[0] * np.cos(heading), push[0] * np.sin(heading)
                simulation.tick(segment.command, disturbance, rng)
                touch = [data.sensor(f'{side}_foot_touch').data[0] > 1.0 for side in io.SIDES]
                speed = np.abs(data.qvel[simulation.qvel_at]).max()
                rows.append((data.qpos[:3].copy(), touch, speed))
                if simulation.fallen():
                    return Course(*map(np.array, zip(*rows, strict=True)), fell=True)
        return Course(*map(np.array, zip(*rows, strict=True)), fell=False)


def noise(policy: Policy, seconds: float = 20.0) -> dict[str, Any]:
    """Hold the posture, late and noisy: how often a foot is up, and how far it gets."""
    courses = [Changeover(policy).run([Segment(policy, seconds)], seed=seed) for seed in SEEDS]
    settled = slice(round(SETTLE_S / io.CONTROL_DT), None)
    return {
        'falls': sum(course.fell for course in courses),
        'feet_lifted': max(float((~course.contact[settled]).mean()) for course in courses),
        'drift_m': max(course.drift for course in courses),
        'joint_speed': max(float(np.median(course.joint_speed[settled])) for course in courses),
    }


def pushes(policy: Policy, speed: float, entry: list[Segment] | None = None) -> dict[str, Any]:
    """Push the robot once from each side, with several seeds, late and noisy."""
    changeover = Changeover(policy)
    falls, restless = [0] * DIRECTIONS, 0
    for direction, seed in product(range(DIRECTIONS), PUSH_SEEDS):
        angle = 2.0 * np.pi * direction / DIRECTIONS
        segments = [*(entry or []), Segment(policy, 8.0)]
        course = changeover.run(segments, seed=seed, push=(speed, angle))
        falls[direction] += course.fell
        restless += not course.fell and not course.quiet
    return {
        'speed': speed, 'runs': DIRECTIONS * len(PUSH_SEEDS), 'falls': sum(falls),
        'falls_by_direction': falls, 'restless': restless,
    }  # fmt: skip


def entries_from_walk(policy: Policy, walk: Policy) -> list[dict[str, Any]]:
    """Take over from the walk at once, at each corner of its commands and all through a gait."""
    changeover = Changeover(policy)
    results = []
    for command in [*CORNERS, *((vx, 0.0, 0.0) for vx in (-0.3, 0.3, 0.45))]:
        courses = []
        for phase in PHASES:
            seconds = 4.0 + phase * io.CONTROL_DT
            segments = [Segment(walk, seconds, command), Segment(policy, 4.0)]
            courses.append(changeover.run(segments, seed=phase))
        falls = sum(course.fell for course in courses)
        quiet = sum(course.quiet for course in courses)
        results.append({'command': command, 'runs': len(courses), 'falls': falls, 'quiet': quiet})
    return results


def entry(policy: Policy, before: list[Segment]) -> dict[str, Any]:
    """Take over from another policy: how long it takes until the base is as high as it stays."""
    course = Changeover(policy).run([*before, Segment(policy, 5.0)], CALM)
    if course.fell:
        return {'fell': True, 'quiet': False}
    height = course.base[:, 2]
    there = np.abs(height - height[-50:].mean()) < 0.01
    last_away = np.flatnonzero(~there)
    return {
        'fell': False,
        'lowered_m': float(height[0] - height[-1]),
        'seconds': float((last_away[-1] + 1 if len(last_away) else 0) * io.CONTROL_DT),
        'joint_speed': float(course.joint_speed[-100:].max()),
        'drift_m': course.drift,
        'quiet': course.quiet,
    }


def evaluate(path: Path, quick: bool = False) -> dict[str, Any]:
    """Measure one posture, and print as it goes."""
    policies = {name: Policy(BIPED / f'{name}.kinfer') for name in ('stand', 'walk', 'crouch')}
    name, policy = path.stem, Policy(path)
    if name not in ('stand', 'crouch'):
        raise SystemExit(f'{path}: expected stand.kinfer or crouch.kinfer')
    before = [Segment(policies['stand'], 2.0)]
    if name == 'stand':
        before.append(Segment(policies['crouch'], 3.0))
    print('entered', entered := entry(policy, before))
    print('noisy', noisy := noise(policy))
    parts = {'entered': entered, 'noisy': noisy, 'pushes': [], 'from_walk': [], 'walk_pushed': []}
    if not quick:
        for speed in SPEEDS[name]:
            parts['pushes'].append(pushes(policy, speed))
            print('pushed', parts['pushes'][-1], flush=True)
    if name == 'stand' and not quick:
        for row in entries_from_walk(policy, policies['walk']):
            parts['from_walk'].append(row)
            print('from the walk', row, flush=True)
        # For comparison: the same pushes while the walk stands.
        parts['walk_pushed'] = [pushes(policies['walk'], speed) for speed in SPEEDS[name]]
        print('the standing walk pushed', *parts['walk_pushed'], sep='\n  ')
    fallen = sum(row['falls'] for row in [*parts['pushes'], *parts['from_walk'], noisy])
    return {**parts, 'ok': bool(not entered['fell'] and entered['quiet'] and not fallen)}
