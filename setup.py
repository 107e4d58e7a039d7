"""Installs the package: with colcon where `ros2 run` looks for it, with pip on PATH."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import find_packages
from setuptools import setup

PACKAGE = 'kinfer_ros'
SHARE = Path('share') / PACKAGE

NODES = [
    'command_sequences = kinfer_ros.nodes.command_sequences:main',
    'kinfer_ros = kinfer_ros.__main__:main',
    'kos_bridge = kinfer_ros.nodes.kos.node:main',
    'mujoco_bridge = kinfer_ros.nodes.mujoco.node:main',
    'policy_node = kinfer_ros.nodes.policy.node:main',
    'recorder = kinfer_ros.nodes.recorder:main',
    'ros2_control_bridge = kinfer_ros.nodes.ros2_control.node:main',
    'robot_state = kinfer_ros.nodes.robot_state:main',
    'udp_commands = kinfer_ros.nodes.udp_commands:main',
    'unitree_bridge = kinfer_ros.nodes.unitree.node:main',
]
"""What runs as a node, and the one door to every command: on PATH after `pip install`."""

COMMANDS = [
    'check = kinfer_ros.cli.policy.check:main',
    'completion = kinfer_ros.cli.completion:main',
    'doctor = kinfer_ros.cli.doctor:main',
    'eval = kinfer_ros.cli.evaluation.eval:main',
    'export = kinfer_ros.cli.runs.export:main',
    'import = kinfer_ros.cli.policy.import_:main',
    'inspect = kinfer_ros.cli.policy.inspect:main',
    'kos = kinfer_ros.cli.robot.kos:main',
    'node = kinfer_ros.cli.live.node:main',
    'pack = kinfer_ros.cli.policy.pack:main',
    'plot = kinfer_ros.cli.runs.plot:main',
    'repair = kinfer_ros.cli.runs.repair:main',
    'replay = kinfer_ros.cli.runs.replay:main',
    'report = kinfer_ros.cli.runs.report:main',
    'robot = kinfer_ros.cli.robot.robot:main',
    'runs = kinfer_ros.cli.runs.runs:main',
    'sequence = kinfer_ros.cli.live.sequence:main',
    'spec = kinfer_ros.cli.policy.spec:main',
    'teleop = kinfer_ros.cli.live.teleop:main',
    'top = kinfer_ros.cli.live.top:main',
    'unitree = kinfer_ros.cli.robot.unitree:main',
    'verdict = kinfer_ros.cli.runs.verdict:main',
    'walk = kinfer_ros.cli.walk.walk:main',
    'watch = kinfer_ros.cli.live.watch:main',
]
"""Started by `ros2 run kinfer_ros COMMAND`, or as `kinfer_ros COMMAND`; never on PATH."""

WHEEL_COMMANDS = {'bdist_wheel', 'dist_info', 'editable_wheel'}
"""setup.py's commands when pip installs. colcon and the ROS build farm run `install` or `develop`,
and setup.cfg then puts the executables into lib/kinfer_ros, where `ros2 run` looks."""


def executables() -> list[str]:
    """
    Choose what is installed to be run.

    :return: the entry point of each. A wheel's stand on PATH, where `import`, `top` or
        `watch` would hide the system's.
    """
    return NODES if WHEEL_COMMANDS & set(sys.argv) else NODES + COMMANDS


def tree(folder: str, pattern: str) -> list[tuple[str, list[str]]]:
    """
    Data files of one folder, with its subfolders kept.

    :return: (destination folder, source files) pairs for setuptools. Links that lead nowhere are
        left out: a colcon build with --symlink-install keeps them after a file was removed.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob(pattern)):
        if path.is_file() and not any(part.startswith(('.', '__')) for part in path.parts):
            found.setdefault(str(SHARE / path.parent), []).append(str(path))
    return list(found.items())


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed', 'run/*.json', 'analysis/page/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (str(SHARE), ['package.xml']),
        *tree('launch', '*launch.[pxy][yma]*'),
        *tree('config', '*'),
        *tree('robots', '*'),
        *tree('requirements', '*.txt'),
    ],
    python_requires='>=3.11',
    # What `import kinfer_ros` and the commands without ROS need. Exact versions stand in
    # requirements/, rclpy and the messages come with ROS.
    install_requires=['setuptools', 'numpy', 'onnxruntime', 'pyyaml', 'orjson', 'shtab'],
    extras_require={
        'sim': ['mujoco'],
        'foxglove': ['foxglove-sdk'],
        'kos': ['pykos', 'grpcio'],
        'bag': ['rosbags', 'mcap'],
        'parquet': ['pyarrow'],
        'plot': ['matplotlib'],
        'ray': ['ray'],
        'report': ['bokeh'],
        'rerun': ['rerun-sdk'],
        'zstd': ['backports.zstd'],
        'top': ['rich'],
        'unitree': ['cyclonedds'],
        'video': ['imageio-ffmpeg', 'PyOpenGL'],
        'test': ['pytest', 'hypothesis', 'fastjsonschema', 'mcap', 'onnx'],
    },
    zip_safe=False,
    author='The kinfer_ros authors',
    author_email='kinfer-ros@users.noreply.github.com',
    maintainer='The kinfer_ros authors',
    maintainer_email='kinfer-ros@users.noreply.github.com',
    url='https://github.com/kinfer-ros/kinfer_ros',
    description='Runs a trained locomotion policy on a robot inside a ROS 2 graph.',
    license='MIT',
    entry_points={'console_scripts': executables()},
)
