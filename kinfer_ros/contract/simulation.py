"""Checks whether a policy and a robot can be simulated: what `walk` and `eval` need besides."""

import importlib.util

from kinfer_ros.arrays import Bools
from kinfer_ros.contract.report import ASSUMED
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.robot.robot import Robot

WHAT = 'MuJoCo model'


def check_simulation(contract: Contract, robot: Robot) -> list[Row]:
    """Open the robot's MJCF, and look at it with the policy's gains; no rows if it has none."""
    if robot.mjcf is None:
        return []
    if importlib.util.find_spec('mujoco') is None:
        found = f'{robot.mjcf} was not opened: the Python module mujoco is not installed'
        return [Row(WHAT, ASSUMED, found)]
    # Imported here: a robot without a simulation needs no MuJoCo.
    from kinfer_ros.bridges.mujoco.pacer import Timing
    from kinfer_ros.bridges.mujoco.robot import MujocoRobot

    try:
        simulated = MujocoRobot(robot)
        wanted = gains(contract, robot)
        simulated.set_gains(wanted.kp, wanted.kd, wanted.torque_limit)
        period_ns = round(1e9 / (contract.control_rate_hz or DEFAULT_RATE_HZ))
        Timing(period_ns, period_ns, period_ns).substeps(simulated.timestep_ns)
    except KinferRosError as error:
        return [Row(WHAT, FAIL, str(error))]
    refusal = simulated.start_refusal(LiveSettings().max_tilt)
    if refusal:
        return [Row(WHAT, FAIL, refusal)]
    rows = _check_wheels(contract, robot, simulated.fitted.by_velocity)
    imu = simulated.fitted.imu.describe()
    rows += [Row(WHAT, OK, f'{len(robot.joints)} joints of {robot.mjcf.name}; IMU: {imu}')]
    return rows + [Row(what, WARN, text) for what, text in simulated.warnings().items()]


def _check_wheels(contract: Contract, robot: Robot, by_velocity: Bools) -> list[Row]:
    """Refuse position targets for joints that the MJCF drives by velocity."""
    moved = () if contract.spec is None else contract.spec.action.joints
    found = [
        name
        for name, is_wheel in zip(robot.joint_names, by_velocity, strict=True)
        if is_wheel
        and name in (moved or contract.joint_names)
        and name not in contract.velocity_joints
    ]
    if not found:
        return []
    text = f'{", ".join(found)} have a <velocity> actuator in the MJCF and position targets'
    remedy = 'target: velocity in a group of the action (docs/specs.md), or <position> actuators'
    return [Row('wheels', FAIL, text, 'velocity targets', remedy)]
