"""Adds what an MJCF without any actuator lacks: mjlab keeps its robots so, and adds it in code."""

from typing import Any

import mujoco

from kinfer_ros.robot.robot import Robot

FLOOR = 'kinfer_ros_floor'


def add_parts(robot: Robot, spec: Any, *, free: bool) -> tuple[str, ...]:
    """
    Add a position servo for each joint of the robot, and a floor below a free base without any.

    Only where the MJCF has no actuator at all: where it has some, others are meant to be passive.
    The integrator is mjlab's, too: with Euler's, the damping of a servo on a light link would
    make the simulation unstable. `JointDrive` writes the gains in force.

    :return: what was added, in words.
    """
    if list(spec.actuators):
        return ()
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
    if free and not any(_is_fixed(geom.parent) for geom in spec.geoms):
        spec.worldbody.add_geom(
            name=FLOOR,
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0.0, 0.0, 0.05],
            contype=1,
            conaffinity=1,
        )
        added.append('a floor')
    return tuple(added)


def _is_fixed(body: Any) -> bool:
    """Whether a body cannot move: it is the world, or joined to it."""
    while body.parent is not None:
        if list(body.joints):
            return False
        body = body.parent
    return True
