"""The layouts for Foxglove and PlotJuggler use topics and fields of the graph."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from helpers.foxglove_layout import paths_of
from helpers.foxglove_layout import topics_of
from helpers.processes import REPOSITORY
from kinfer_ros.robot.robot import load_robot

LAYOUTS = REPOSITORY / 'config' / 'layouts'
STANDARD = {'/joint_states', '/joint_commands', '/imu/data', '/odom', '/diagnostics'}
STORE = get_typestore(Stores.LATEST)


@pytest.fixture(scope='module')
def topics() -> dict[str, str]:
    """Topic -> type from docs/graph.md, plus the topics of every graph."""
    found = {'/rosout': 'rcl_interfaces/msg/Log'}
    for line in (REPOSITORY / 'docs' / 'graph.md').read_text().splitlines():
        cells = [cell.strip() for cell in line.split('|')]
        kind = re.match(r'\w+_msgs/\w+', cells[2]) if len(cells) > 3 else None
        if kind:
            for name in re.findall(r'`([\w/]+)`', cells[1]):
                found['/' + name.lstrip('/')] = kind[0].replace('/', '/msg/')
    assert len(found) > 10
    return found


def has_field(msgtype: str, fields: list[str]) -> bool:
    """Return whether a message type has this field; for an array, a field of its elements."""
    if not fields:
        return True
    fields_of = STORE.fielddefs[msgtype][1] if '/' in msgtype else []
    for name, (_, description) in fields_of:
        if name == fields[0]:
            while isinstance(description, tuple):  # of an array, or of a plain number
                first = description[0]
                description = first[1] if isinstance(first, tuple) else first
            return not fields[1:] or has_field(description, fields[1:])
    return False


def test_the_field_check_can_fail():
    """Otherwise the tests below could not fail."""
    assert has_field('nav_msgs/msg/Odometry', ['twist', 'twist', 'linear', 'x'])
    assert not has_field('nav_msgs/msg/Odometry', ['twist', 'linear'])
    assert not has_field('sensor_msgs/msg/JointState', ['torque'])


def test_foxglove(topics):
    """Each path, and each panel of the layout."""
    layout = json.loads((LAYOUTS / 'foxglove.json').read_text())
    shown = topics_of(layout)
    for path in paths_of(layout):
        topic, *fields = re.sub(r'\{.*?\}|\[.*?\]', '', path).split('.')
        assert has_field(topics[topic], fields), path
    assert shown >= STANDARD | {'/policy_node/mode', '/robot_description', '/markers'}
    assert shown <= set(topics)
    placed = re.findall(r'"((?:first|second))": "(.*?)"', json.dumps(layout['layout']))
    assert sorted(panel for _, panel in placed) == sorted(layout['configById'])


def test_plotjuggler(topics):
    """Curves as PlotJuggler names them: joints by name, attitude as angles, diagnostics by key."""
    root = ET.parse(LAYOUTS / 'plotjuggler.xml').getroot()
    joints = load_robot('biped').joint_names
    shown = set()
    curves = [each.get('name') for each in root.iter('curve')]
    for curve in curves:
        topic = max((t for t in topics if curve.startswith(t + '/')), key=len)
        fields = curve.removeprefix(topic + '/').split('/')
        shown.add(topic)
        if topics[topic].endswith('JointState'):
            assert fields[0] in joints, curve
            assert has_field(topics[topic], fields[1:]), curve
        elif topic == '/diagnostics':
            assert curve.startswith('/diagnostics/biped//policy_node: policy/')
        elif fields[-1] in ('roll', 'pitch'):
            assert has_field(topics[topic], [*fields[:-1], 'w']), curve
        else:
            assert has_field(topics[topic], fields), curve
    assert shown >= STANDARD
    for splitter in root.iter('DockSplitter'):
        assert (
            int(splitter.get('count'))
            == len(list(splitter))
            == len(splitter.get('sizes').split(';'))
        )
