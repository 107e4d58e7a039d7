"""The diagnostics of a Unitree robot, published once a second."""

from diagnostic_msgs.msg import DiagnosticStatus

from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.bridges.unitree.robot import UnitreeRobot
from kinfer_ros.control.timing import Histogram
from kinfer_ros.nodes.sample_messages import robot_status


def make_robot_status(
    name: str, robot: UnitreeRobot, age: Histogram, now_ns: int
) -> DiagnosticStatus:
    """
    Describe a robot: the worst of its state, its motors' errors and what it sends.

    :param age: of the samples that commands answered, at arrival.
    """
    watch, health = robot.watch, robot.watch.health
    problems = [watch.problem(now_ns), watch.rival_problem(), watch.imu_problem]
    problems += [
        f'{joint} reports {fault}' for joint, fault in (health.faults if health else {}).items()
    ]
    problems = [problem for problem in problems if problem and problem not in robot.state_text]
    level = DiagnosticStatus.OK if robot.state == ENABLED else DiagnosticStatus.WARN
    if problems or robot.state == DAMPING:
        level = DiagnosticStatus.ERROR
    entries = {
        'session': robot.holder,
        'mode_machine': watch.machine,
        'states': watch.states,
        'bad_states': watch.bad_states,
        'repeated_states': watch.repeated_states,
        'messages_made': robot.drive.sent,
        'sample_age_p50_us': age.quantile_ns(0.5) // 1000,
        'sample_age_p99_us': age.quantile_ns(0.99) // 1000,
        'torque_limit': "the motors take none: the policy node's guards apply it",
        **robot.counts,
        **_health_values(robot),
    }
    texts = [robot.state_text, *problems]
    return robot_status(name, robot.robot.name, level, texts, entries)


def _health_values(robot: UnitreeRobot) -> dict[str, str]:
    """Return what the robot reports of each joint: temperature and voltage."""
    health = robot.watch.health
    found: dict[str, str] = {}
    if health is None:
        return found
    names = robot.robot.joint_names
    for joint, degrees in zip(names, health.temperature, strict=True):
        found[f'temperature {joint}'] = f'{degrees:g} deg C'
    if health.voltage is not None:
        for joint, volts in zip(names, health.voltage, strict=True):
            found[f'voltage {joint}'] = f'{volts:g} V'
    return found
