"""Checks Python, its packages and the settings of ROS 2, without importing any of them."""

import importlib.util
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.run.versions import ros_distro
from kinfer_ros.run.versions import version_of

PYTHONS = ((3, 11), (3, 13))
REQUIRED = ('numpy', 'onnxruntime', 'PyYAML', 'orjson')
OPTIONAL = {'mujoco': 'to simulate a robot', 'rosbags': 'to record a bag'}
EXTRAS = ('pykos', 'rich', 'matplotlib', 'imageio-ffmpeg', 'pyarrow', 'rerun-sdk', 'ray')
DISTROS = ('kilted', 'jazzy')

SAFE_DOMAINS = 101
"""Linux also gives the ports of higher domains to other programs."""
LAST_DOMAIN = 232
RANGES = ('SUBNET', 'LOCALHOST', 'OFF', 'SYSTEM_DEFAULT')


def check_packages(share: Path) -> list[Row]:
    """
    Compare installed packages with the tested versions.

    :param share: folder with requirements/.
    """
    pins = read_pins(share / 'requirements')
    rows = [_check_python()]
    rows += [_check_package(name, pins, needed='every command') for name in REQUIRED]
    rows += [_check_package(name, pins, wanted=why) for name, why in OPTIONAL.items()]
    found = [f'{name} {version}' for name in EXTRAS if (version := version_of(name))]
    rows.append(Row('extras', OK, ', '.join(found) or 'none'))
    return rows


def read_pins(folder: Path) -> dict[str, str]:
    """Return the versions in base.txt by lower-case package name; empty without the file."""
    try:
        text = (folder / 'base.txt').read_text()
    except OSError:
        return {}
    return {
        name.lower(): version
        for name, version in re.findall(r'^([\w.-]+)==([\w.+]+)', text, re.MULTILINE)
    }


def _check_python() -> Row:
    found = f'{platform.python_version()} ({sys.executable})'
    low, high = PYTHONS
    if sys.version_info[:2] < low:
        remedy = 'install one, and recreate the environment: make clean walk'
        return Row('Python', FAIL, found, f'{low[0]}.{low[1]} to {high[0]}.{high[1]}', remedy)
    if sys.version_info[:2] > high:
        return Row('Python', WARN, found, f'up to {high[0]}.{high[1]}', 'not tested')
    return Row('Python', OK, found)


def _check_package(
    name: str, pins: Mapping[str, str], *, needed: str = '', wanted: str = ''
) -> Row:
    version, pin = version_of(name), pins.get(name.lower(), '')
    if version is None:
        install = f'{sys.executable} -m pip install {name}{"==" if pin else ""}{pin}'
        verdict, why = (FAIL, f'for {needed}') if needed else (WARN, wanted)
        return Row(name, verdict, f'not installed, needed {why}', pin, install)
    if pin and version != pin:
        same = version.split('.')[0] == pin.split('.')[0]
        # No `pip install` here: the numpy of a system ROS 2 is part of it.
        remedy = 'not tested; requirements/base.txt in its own environment is'
        return Row(name, OK if same else WARN, f'{version}; tested with {pin}', '', remedy)
    return Row(name, OK, version)


def check_ros(environment: Mapping[str, str]) -> list[Row]:
    """Check rclpy, and the environment variables for discovery."""
    return [
        _check_rclpy(),
        _check_distro(),
        _check_middleware(environment),
        _check_domain(environment.get('ROS_DOMAIN_ID', '')),
        _check_discovery(environment),
    ]


def _check_rclpy() -> Row:
    if importlib.util.find_spec('rclpy') is None:
        remedy = 'source /opt/ros/<distro>/setup.bash, or run make walk once'
        return Row('rclpy', FAIL, f'{sys.executable} does not have it', 'ROS 2', remedy)
    return Row('rclpy', OK, version_of('ros-rclpy', 'rclpy') or 'found')


def _check_distro() -> Row:
    found = ros_distro()
    if found in DISTROS:
        return Row('ROS 2', OK, found)
    remedy = 'not tested; these are' if found else 'source one, or run make walk once'
    return Row('ROS 2', WARN, found or 'none', ' or '.join(DISTROS), remedy)


def _check_middleware(environment: Mapping[str, str]) -> Row:
    found = environment.get('RMW_IMPLEMENTATION', '')
    if found in ('', 'rmw_fastrtps_cpp'):
        return Row('RMW', OK, found or 'the default of the distribution')
    remedy = 'not tested; unset RMW_IMPLEMENTATION. All nodes of a graph need the same'
    return Row('RMW', WARN, found, 'rmw_fastrtps_cpp', remedy)


def _check_domain(text: str) -> Row:
    expected = f'a number from 0 to {SAFE_DOMAINS}'
    if not text:
        return Row('ROS_DOMAIN_ID', OK, '0 (not set)')
    if not (text.isascii() and text.isdigit()) or int(text) > LAST_DOMAIN:
        remedy = 'export ROS_DOMAIN_ID=0, the same for all nodes'
        return Row('ROS_DOMAIN_ID', FAIL, text[:40], expected, remedy)
    if int(text) > SAFE_DOMAINS:
        remedy = 'Linux also gives its ports to other programs: use a lower one'
        return Row('ROS_DOMAIN_ID', WARN, text, expected, remedy)
    return Row('ROS_DOMAIN_ID', OK, text)


def _check_discovery(environment: Mapping[str, str]) -> Row:
    name = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
    found = environment.get(name, '')
    if environment.get('ROS_LOCALHOST_ONLY', '0') not in ('', '0'):
        remedy = f'unset it; {name}=LOCALHOST replaces it'
        return Row(
            'discovery', WARN, 'ROS_LOCALHOST_ONLY is set, and takes precedence', '', remedy
        )
    if found not in ('', *RANGES):
        remedy = f'export {name}=SUBNET, or LOCALHOST for one machine'
        return Row('discovery', FAIL, found[:40], ' or '.join(RANGES), remedy)
    if found == 'OFF':
        remedy = f'export {name}=LOCALHOST; with OFF, nodes do not find each other'
        return Row('discovery', FAIL, 'OFF', 'SUBNET or LOCALHOST', remedy)
    peers = environment.get('ROS_STATIC_PEERS', '')
    with_peers = f', peers {peers[:60]}' if peers else ''
    return Row('discovery', OK, (found or 'SUBNET (not set)') + with_peers)
