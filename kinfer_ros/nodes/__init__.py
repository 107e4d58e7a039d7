"""The ROS 2 nodes."""

NODES = {
    'command_sequences': ('kinfer_ros.nodes.command_sequences', 'CommandSequences'),
    'kos_bridge': ('kinfer_ros.nodes.kos.node', 'KosBridge'),
    'mujoco_bridge': ('kinfer_ros.nodes.mujoco.node', 'MujocoBridge'),
    'policy_node': ('kinfer_ros.nodes.policy.node', 'PolicyNode'),
    'recorder': ('kinfer_ros.nodes.recorder', 'Recorder'),
    'robot_state': ('kinfer_ros.nodes.robot_state', 'RobotState'),
    'ros2_control_bridge': ('kinfer_ros.nodes.ros2_control.node', 'Ros2ControlBridge'),
    'udp_commands': ('kinfer_ros.nodes.udp_commands', 'UdpCommandsNode'),
    'unitree_bridge': ('kinfer_ros.nodes.unitree.node', 'UnitreeBridge'),
}
"""Module and class of each executable; imported when needed: a bridge wants MuJoCo or gRPC."""
