"""Anything that can be done to a controller, as hypothesis strategies: steps of a drive."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import NAMES
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.parameters import declared
from kinfer_ros.policy.policy import Policy

S = 1_000_000_000
UPRIGHT = (1.0, 0.0, 0.0, 0.0)

TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    entry.name: (entry.low, entry.high)
    for entry in declared(LiveSettings)
    if entry.low is not None and entry.high is not None
}
TRIPLES = tuple(name for name in NAMES if name not in TUNABLE_RANGES)


@dataclass(frozen=True)
class Step:
    """What is asked, measured and commanded before one tick, and when that tick is."""

    request: str = ''
    position: tuple[float, float] | None = None
    velocity: tuple[float, float] = (0.0, 0.0)
    quaternion: tuple[float, float, float, float] = UPRIGHT
    gyro: float = 0.0
    joint_age_ns: int = 0
    imu_age_ns: int = 0
    period_ns: int = PERIOD_NS
    stamp_offset_ns: int = 0
    missed: int = 0
    command: tuple[float, float, float] | None = None
    tune: dict[str, object] = field(default_factory=dict)


REQUESTS = ('run', 'stop', 'fault', 'fade', 'reset', 'activate', 'swap', 'abandon')
"""Names of what `ask` can do."""


def ask(rig: Rig, request: str, other: Policy) -> None:
    """Do what a node does for a request of this name; an activation has to be allowed."""
    controller = rig.controller
    if request == 'run':
        controller.request_run()
    elif request == 'stop':
        controller.request_stop('stop requested')
    elif request == 'fault':
        controller.request_fault('bridge disabled')
    elif request == 'fade':
        controller.request_fade()
    elif request == 'reset':
        controller.reset_fault()
    elif request == 'abandon':
        controller.abandon()
    elif request == 'activate' and controller.mode is Mode.INACTIVE:
        measure(rig, Step(position=(0.2, -0.2), command=(0.0, 0.0, 0.0)))
        if not controller.checks.refusal(rig.now, rig.now, 2.0):
            rig.activate()
    elif request == 'swap' and rig.runner.bound.policy is not other:
        rig.swap(other)


def measure(rig: Rig, step: Step) -> None:
    """Let the clock go on and the samples of a step come."""
    rig.now += step.period_ns
    frame = rig.frame
    if step.position is not None:
        frame.position[:] = step.position
    frame.velocity[:] = step.velocity
    gyro = step.gyro or 1e-3 * float(np.sin(rig.now))
    frame.take_any_order()  # order is for the tests of the frame
    frame.update_imu(step.quaternion, (gyro, 0.0, 0.0), (0.0, 0.0, 9.81), rig.now)
    frame.imu_stamp_ns = rig.now + step.stamp_offset_ns - step.imu_age_ns
    frame.joint_stamp_ns = rig.now + step.stamp_offset_ns - step.joint_age_ns
    if step.command is not None:
        rig.controller.inputs.command.set_twist(*step.command, rig.now)
    if step.tune:
        rig.tune(**step.tune)


def _tunings(share: float) -> st.SearchStrategy[dict[str, object]]:
    """A few settings, within the share of their range next to the default."""
    defaults = LiveSettings()
    single = {
        name: st.integers(low, high)
        if isinstance(low, int)
        else st.floats(
            getattr(defaults, name) * (1 - share) + low * share,
            getattr(defaults, name) * (1 - share) + high * share,
        )
        for name, (low, high) in TUNABLE_RANGES.items()
    }
    single['target_slew'] |= st.floats(0.1, 5.0)
    triples = {name: st.tuples(*[st.floats(0.0, 1e6)] * 3) for name in TRIPLES}
    return st.fixed_dictionaries({}, optional=single | triples)


angles = st.floats(-1.1, 1.1) | st.sampled_from((-1.0, 0.9, 1.0))
pushes = st.sampled_from((-3.0, 0.0, 3.0)) | st.floats(-3.0, 3.0)
ages = st.integers(-2 * S, 2 * S) | st.integers(-(2**62), 2**62)

# Mostly what happens on a robot that works, so that a drive gets as far as walking at all.
calm = st.builds(
    Step,
    request=st.sampled_from(('', '', '', 'activate', 'activate', 'run', 'swap')),
    position=st.none() | st.tuples(angles, angles),
    velocity=st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
    command=st.tuples(st.just(0.0), pushes, st.just(0.0)),
    tune=st.just({}) | _tunings(0.2),
)
broken = st.builds(
    Step,
    position=st.none() | st.tuples(angles, angles),
    command=st.sampled_from(((-1.0, 0.0, 0.0), (1e4, 0.0, 0.0), (0.0, 0.0, 5.0))),
)
wild = st.builds(
    Step,
    request=st.sampled_from(('', *REQUESTS)),
    position=st.none() | st.tuples(st.floats(), st.floats()),
    velocity=st.tuples(st.floats(), st.floats()),
    quaternion=st.just(UPRIGHT) | st.tuples(*[st.floats()] * 4),
    gyro=st.floats(),
    joint_age_ns=st.just(0) | ages,
    imu_age_ns=st.just(0) | ages,
    period_ns=st.just(PERIOD_NS) | st.integers(-S, S),
    stamp_offset_ns=st.just(0) | ages,
    missed=st.integers(0, 20),
    command=st.none() | st.tuples(st.floats(), st.floats(), st.floats()),
    tune=st.just({}) | _tunings(1.0),
)
asking = st.builds(Step, request=st.sampled_from(REQUESTS))


def one_thing_wrong(step: Step, name: str) -> Step:
    """A calm step with one field of a wild one."""
    return replace(Step(), **{name: getattr(step, name)})


odd = st.builds(one_thing_wrong, wild, st.sampled_from([*Step.__dataclass_fields__]))
steps = st.one_of(calm, calm, calm, broken, odd, asking, wild)
