"""Reads a URDF's joints and computes the pose of each link in its parent, for TF.

Shapes, limits and masses are not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RobotError
from kinfer_ros.rotations import from_euler
from kinfer_ros.untrusted import MAX_LINKS
from kinfer_ros.untrusted import MAX_XML_BYTES
from kinfer_ros.untrusted import parse_xml

ROTARY = ('revolute', 'continuous')
JOINT_TYPES = (*ROTARY, 'prismatic', 'fixed')


@dataclass(frozen=True)
class UrdfJoint:
    """Pose of `child` in `parent` at zero: `position` (m), `quat` (w x y z), and its axis."""

    name: str
    kind: str
    parent: str
    child: str
    position: Float64
    quat: Float64
    axis: Float64
    source: str
    """The joint whose angle is used: itself, or the one it mimics."""
    factor: float = 1.0
    offset: float = 0.0


class UrdfTree:
    """
    The joints of a URDF.

    :ivar root: the link without a parent.
    :ivar children: names of the child links, in the order of all arrays.
    :ivar parents: names of their parents.
    """

    def __init__(self, text: str, where: str) -> None:
        """
        Read a URDF.

        :param where: the file's name, for errors.
        :raises RobotError: it is not a URDF or not a tree, or has joints of other types.
        """
        root, self._joints = _read(text, where)
        self.parents = tuple(joint.parent for joint in self._joints)
        self.children = tuple(joint.child for joint in self._joints)
        self.root = _root(root, where, self.parents, self.children)
        self.names = tuple(joint.source for joint in self._joints)
        self._index: dict[str, list[tuple[int, float, float]]] = {}
        for i, joint in enumerate(self._joints):
            self._index.setdefault(joint.source, []).append((i, joint.factor, joint.offset))
        self._angles = np.zeros(len(self._joints))
        rotary = np.array([joint.kind in ROTARY for joint in self._joints], bool)
        slides = np.array([joint.kind == 'prismatic' for joint in self._joints], bool)
        axes = np.array([joint.axis for joint in self._joints]).reshape(-1, 3)
        self._turning = axes * rotary[:, None]
        self._positions = np.array([joint.position for joint in self._joints]).reshape(-1, 3)
        self._quats = np.array([joint.quat for joint in self._joints]).reshape(-1, 4)
        self._sliding = _rotate(self._quats, axes) * slides[:, None]

    def transforms(self, angles: Mapping[str, float]) -> tuple[Float64, Float64]:
        """
        Return the pose of every child link in its parent.

        :param angles: rad or m by joint name; other joints keep their last value, initially zero;
            unknown names are ignored.
        :return: positions [J, 3] in m and unit quaternions w x y z [J, 4].
        """
        for name, angle in angles.items():
            for row, factor, offset in self._index.get(name, ()):
                self._angles[row] = factor * angle + offset
        half = 0.5 * self._angles[:, None]
        rotation = np.hstack([np.cos(half), np.sin(half) * self._turning])
        not_rotary = ~self._turning.any(axis=1)
        rotation[not_rotary] = (1.0, 0.0, 0.0, 0.0)
        return (
            self._positions + self._sliding * self._angles[:, None],
            _multiply(self._quats, rotation),
        )


def _read(text: str, where: str) -> tuple[Element, tuple[UrdfJoint, ...]]:
    """:return: the root element, and the joints."""

    def fail(problem: str) -> RobotError:
        return RobotError(f'URDF {where} {problem}')

    if len(text) > MAX_XML_BYTES:
        raise fail(f'is larger than {MAX_XML_BYTES} bytes')
    root = parse_xml(text, fail)
    if root.tag != 'robot':
        raise RobotError(f'URDF {where}: found <{root.tag}>, expected <robot>')
    entries = root.findall('joint')
    if len(entries) > MAX_LINKS:
        raise fail(f'has {len(entries)} joints, expected at most {MAX_LINKS}')
    return root, tuple(_joint(entry, where) for entry in entries)


def _joint(entry: Element, where: str) -> UrdfJoint:
    name, kind = entry.get('name', ''), entry.get('type', '')
    if kind not in JOINT_TYPES:
        expected = ', '.join(JOINT_TYPES)
        raise RobotError(f'URDF {where}: joint {name!r} is of type {kind!r}, expected {expected}')
    links = [found.get('link', '') for tag in ('parent', 'child') for found in entry.findall(tag)]
    if len(links) != 2 or not all(links):
        raise RobotError(f'URDF {where}: joint {name!r} lacks its parent or its child link')
    origin, axis, mimic = entry.find('origin'), entry.find('axis'), entry.find('mimic')
    roll_pitch_yaw = _vector(origin, 'rpy', (0.0, 0.0, 0.0), name, where)
    direction = _vector(axis, 'xyz', (1.0, 0.0, 0.0), name, where)
    length = float(np.linalg.norm(direction))
    if kind != 'fixed' and length == 0.0:
        raise RobotError(f'URDF {where}: joint {name!r} has an axis of length 0')
    return UrdfJoint(
        name=name,
        kind=kind,
        parent=links[0],
        child=links[1],
        position=_vector(origin, 'xyz', (0.0, 0.0, 0.0), name, where),
        quat=np.array(from_euler(*map(float, roll_pitch_yaw))),
        axis=direction / length if length else direction,
        source=name if mimic is None else mimic.get('joint', name),
        factor=1.0 if mimic is None else _scalar(mimic, 'multiplier', 1.0, name, where),
        offset=0.0 if mimic is None else _scalar(mimic, 'offset', 0.0, name, where),
    )


def _vector(
    entry: Element | None, key: str, default: tuple[float, ...], name: str, where: str
) -> Float64:
    text = None if entry is None else entry.get(key)
    try:
        values = np.array(default if text is None else [float(word) for word in text.split()])
    except ValueError:
        values = np.empty(0)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise RobotError(
            f'URDF {where}: joint {name!r} has {key}="{text}", expected 3 finite numbers'
        )
    return values


def _scalar(entry: Element, key: str, default: float, name: str, where: str) -> float:
    text = entry.get(key)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise RobotError(
            f'URDF {where}: joint {name!r} has {key}="{text}", expected a finite number'
        )
    return value


def _root(robot: Element, where: str, parents: tuple[str, ...], children: tuple[str, ...]) -> str:
    """Return the link without a parent; :raises RobotError: there is not exactly one."""
    links = [entry.get('name', '') for entry in robot.findall('link')]
    unknown = sorted({*parents, *children} - {*links})
    inner = set(children)
    roots = [link for link in links if link not in inner]
    if unknown or len(roots) != 1 or len(set(children)) != len(children):
        raise RobotError(
            f'URDF {where} is not a tree of links: found the roots {roots[:8] or "none"}, '
            f'expected one; joints name links that are not there: {unknown[:8] or "none"}'
        )
    return roots[0]


def _multiply(a: Float64, b: Float64) -> Float64:
    """Hamilton product of quaternions w x y z, row by row."""
    aw, av, bw, bv = a[:, :1], a[:, 1:], b[:, :1], b[:, 1:]
    w = aw * bw - (av * bv).sum(axis=1, keepdims=True)
    return np.hstack([w, aw * bv + bw * av + np.cross(av, bv)])


def _rotate(quats: Float64, vectors: Float64) -> Float64:
    """Rotate each vector by its quaternion."""
    w, v = quats[:, :1], quats[:, 1:]
    t = 2.0 * np.cross(v, vectors)
    rotated: Float64 = vectors + w * t + np.cross(v, t)
    return rotated
