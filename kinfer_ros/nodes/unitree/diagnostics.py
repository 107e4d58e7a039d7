"""What a Unitree robot says on /diagnostics."""

from kinfer_ros.bridges.unitree.robot import UnitreeRobot
from kinfer_ros.nodes.sample_messages import joint_values


def describe(robot: UnitreeRobot, now_ns: int) -> tuple[list[str], dict[str, object]]:
    """:return: problems that the state does not say, and values."""
    watch, health = robot.watch, robot.watch.health
    problems = [watch.problem(now_ns), watch.rival_problem(), watch.imu_problem]
    problems += [
        f'{joint} reports {fault}' for joint, fault in (health.faults if health else {}).items()
    ]
    entries: dict[str, object] = {
        'mode_machine': watch.machine,
        'states': watch.states,
        'bad_states': watch.bad_states,
        'repeated_states': watch.repeated_states,
        'messages_made': robot.drive.sent,
        'torque_limit': "the motors take none: the policy node's guards apply it",
    }
    if health is not None:
        columns = {
            'temperature': (health.temperature, ' deg C'),
            'voltage': (health.voltage, ' V'),
        }
        entries |= joint_values(robot.robot, columns)
    return [text for text in problems if text and text not in robot.state_text], entries
