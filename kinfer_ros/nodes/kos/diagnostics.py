"""What a KOS robot says on /diagnostics."""

from kinfer_ros.bridges.kos.loop import ReadSchedule
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.nodes.sample_messages import joint_values


def describe(robot: KosRobot, schedule: ReadSchedule) -> tuple[list[str], dict[str, object]]:
    """:return: problems and values."""
    watch, health = robot.watch, robot.watch.health
    problems = [problem for problem in (watch.problem, watch.imu_problem) if problem]
    faults = health.faults if health else {}
    problems += [f'{joint} reports {", ".join(texts)}' for joint, texts in faults.items()]
    entries: dict[str, object] = {
        'address': robot.client.connection.address,
        'backend': robot.backend.name,
        'connected': watch.connected,
        'reads': watch.reads,
        'failed_reads': watch.failed_reads,
        'skipped_reads': schedule.skipped,
        'targets_sent': robot.drive.sent,
        'targets_replaced': robot.drive.replaced,
    }
    if health is not None:
        columns = {
            'temperature': (health.temperature, ' deg C'),
            'voltage': (health.voltage, ' V'),
            'current': (health.current, ' A'),
            'torque_on': (health.torque_on, ''),
        }
        entries |= joint_values(robot.robot, columns)
        if not robot.backend.torque_limit:
            entries['torque_limit'] = f'{robot.backend.name} does not obey it'
    return problems, entries
