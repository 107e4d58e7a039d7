"""The diagnostics of a KOS robot, published once a second."""

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from kinfer_ros.bridges.kos.loop import ReadSchedule
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.control.timing import Histogram
from kinfer_ros.nodes.sample_messages import robot_status


def make_robot_status(
    name: str, robot: KosRobot, age: Histogram, schedule: ReadSchedule
) -> DiagnosticStatus:
    """
    Describe a robot: the worst of its state, its joints' faults and its sensors.

    :param age: of the samples that commands answered, at arrival.
    """
    watch = robot.watch
    problems = [problem for problem in (watch.problem, watch.imu_problem) if problem]
    faults = watch.health.faults if watch.health else {}
    problems += [f'{joint} reports {", ".join(texts)}' for joint, texts in faults.items()]
    level = DiagnosticStatus.OK if robot.state == ENABLED else DiagnosticStatus.WARN
    if problems or robot.state == DAMPING:
        level = DiagnosticStatus.ERROR
    entries = {
        'address': robot.client.connection.address,
        'backend': robot.backend.name,
        'connected': watch.connected,
        'session': robot.holder,
        'reads': watch.reads,
        'failed_reads': watch.failed_reads,
        'skipped_reads': schedule.skipped,
        'targets_sent': robot.drive.sent,
        'targets_replaced': robot.drive.replaced,
        'sample_age_p50_us': age.quantile_ns(0.5) // 1000,
        'sample_age_p99_us': age.quantile_ns(0.99) // 1000,
        **robot.counts,
        **_health_values(robot),
    }
    texts = [robot.state_text, *problems]
    return robot_status(name, robot.robot.name, level, texts, entries)


def _health_values(robot: KosRobot) -> dict[str, str]:
    """Return what the robot reports of each joint: temperature, voltage, current, torque on."""
    health: Health | None = robot.watch.health
    if health is None:
        return {}
    found = {}
    columns = (
        ('temperature', health.temperature, ' deg C'),
        ('voltage', health.voltage, ' V'),
        ('current', health.current, ' A'),
        ('torque_on', health.torque_on, ''),
    )
    for what, column, unit in columns:
        for joint, number in zip(robot.robot.joint_names, column, strict=True):
            if np.isfinite(number):
                found[f'{what} {joint}'] = f'{number:g}{unit}'
    if not robot.backend.torque_limit:
        found['torque_limit'] = f'{robot.backend.name} does not obey it'
    return found
