"""Adds what an MJCF lacks: servos where it has no actuator, a floor where it has no ground.

mjlab keeps its robots without either, K-Scale without a floor; both add them in code.
"""

from typing import Any

import mujoco

from kinfer_ros.robot.robot import Robot

FLOOR = 'kinfer_ros_floor'
USUAL_FLOOR = 'floor'
"""Name by which a <pair> refers to the ground that is to be added."""


def add_parts(robot: Robot, spec: Any, *, free: bool) -> tuple[str, ...]:
    """
    Add a position servo for each joint of the robot, and a floor where there is no ground.

    Servos only where the MJCF has no actuator at all: where it has some, others are meant to be
    passive. A floor below a free base, or where a <pair> of contacts refers to one.

    :return: what was added, in words.
    """
    added = [] if list(spec.actuators) else _add_servos(robot, spec)
    named = _floor_of_pairs(spec)
    if named or (free and not any(_is_fixed(geom.parent) for geom in spec.geoms)):
        spec.worldbody.add_geom(
            name=named or FLOOR,
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0.0, 0.0, 0.05],
            contype=1,
            conaffinity=1,
        )
        added.append('a floor')
    return tuple(added)


def _floor_of_pairs(spec: Any) -> str:
    """Return the name by which a <pair> refers to a floor that is not there, or ''."""
    referred = {name for pair in spec.pairs for name in (pair.geomname1, pair.geomname2)}
    absent = USUAL_FLOOR not in {geom.name for geom in spec.geoms}
    return USUAL_FLOOR if absent and USUAL_FLOOR in referred else ''


def _add_servos(robot: Robot, spec: Any) -> list[str]:
    """
    Add the servos; `JointDrive` writes the gains in force.

    The integrator is mjlab's, too: with Euler's, the damping of a servo on a light link would
    make the simulation unstable.
    """
    for name in robot.joint_names:
        servo = spec.add_actuator(
            name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, gear=[1.0] + [0.0] * 5
        )
        servo.set_to_position(kp=1.0, kv=1.0)
        # Not the limits of a default class, which are meant for other actuators.
        servo.ctrllimited = servo.forcelimited = mujoco.mjtLimited.mjLIMITED_FALSE
        servo.inheritrange = 0.0
    added = [f'a position servo for {", ".join(robot.joint_names)}']
    if spec.option.integrator == mujoco.mjtIntegrator.mjINT_EULER:
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        added.append('the integrator implicitfast')
    return added


def _is_fixed(body: Any) -> bool:
    """Whether a body cannot move: it is the world, or joined to it."""
    while body.parent is not None:
        if list(body.joints):
            return False
        body = body.parent
    return True
