"""Reads joints, limits, efforts and speeds from a URDF, to draft a robot file.

Nothing that it names is opened: meshes and packages are not needed here.
"""

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from kinfer_ros.errors import RobotError
from kinfer_ros.rotations import Quaternion
from kinfer_ros.rotations import from_euler
from kinfer_ros.rotations import multiply
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import MAX_LINKS
from kinfer_ros.untrusted import MAX_XML_BYTES
from kinfer_ros.untrusted import parse_xml
from kinfer_ros.untrusted import read_bytes

ROTARY = ('revolute', 'continuous')
OTHER = ('prismatic', 'fixed', 'floating', 'planar')
XACRO = ('${', '$(', 'xacro')


@dataclass(frozen=True)
class UrdfJoint:
    """One rotary joint; rad, Nm and rad/s, None where the URDF sets no limit."""

    name: str
    continuous: bool
    """It turns without end, and has no limits."""
    lower: float | None
    upper: float | None
    torque_limit: float | None
    velocity_limit: float | None


@dataclass(frozen=True)
class UrdfFacts:
    """The joints that can be driven, in the order of the file, and the base."""

    path: Path | None
    """None where it is no file of its own."""
    where: str
    """For errors."""
    joints: tuple[UrdfJoint, ...]
    base: str
    """The link without a parent; the one below a link called world."""
    passed_over: Mapping[str, tuple[str, ...]]
    """Names of the other movable joints by kind: mimic, prismatic, planar."""
    imu: 'UrdfImu | None'
    """None where no link has imu in its name."""


@dataclass(frozen=True)
class UrdfImu:
    """The link of the IMU; of several, one that is rigid with the base."""

    frame: str
    mounting: tuple[float, ...]
    """Quaternion w x y z in the base frame, all joints at zero."""
    joints: int
    """Movable joints between it and the base."""
    others: tuple[str, ...]
    """Other links with imu in their name."""


def read_urdf(path: Path) -> UrdfFacts:
    """
    Read a URDF.

    :raises RobotError: it cannot be read, is xacro or no tree, or has no rotary joint.
    """
    data = read_bytes(path, MAX_XML_BYTES, _failure(str(path)))
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise _failure(str(path))(f'is not UTF-8 text (byte {error.start})') from None
    return replace(parse_urdf(text, str(path)), path=path)


def _failure(where: str) -> Callable[[str], RobotError]:
    def fail(text: str) -> RobotError:
        separator = ' ' if text.startswith(('is ', 'has ', 'cannot ')) else ': '
        return RobotError(f'URDF {where}{separator}{text}')

    return fail


def parse_urdf(text: str, where: str) -> UrdfFacts:
    """
    Read the text of a URDF.

    :param where: its place, for errors.
    :raises RobotError: as read_urdf.
    """
    fail = _failure(where)
    if len(text) > MAX_XML_BYTES:
        raise fail(f'is larger than {MAX_XML_BYTES} bytes')
    root = parse_xml(text, fail)
    if root.tag != 'robot':
        raise fail(f'found <{root.tag[:40]}>, expected <robot>')
    if any(str(element.tag).startswith('{') and 'xacro' in element.tag for element in root.iter()):
        raise fail('is xacro, expected a URDF: run `xacro FILE > robot.urdf` first')
    entries = root.findall('joint')
    if len(entries) > MAX_LINKS:
        raise fail(f'has {len(entries)} joints, expected at most {MAX_LINKS}')
    _check_names(entries, where)
    rotary = [entry for entry in entries if _kind(entry, where) in ROTARY]
    joints = tuple(_joint(entry, where) for entry in rotary if entry.find('mimic') is None)
    if not joints:
        raise fail('found no revolute or continuous joint, expected those of a robot')
    links = [link.get('name', '') for link in root.findall('link')]
    base = _base(entries, links, where)
    return UrdfFacts(
        path=None,
        where=where,
        joints=joints,
        base=base,
        passed_over=_passed_over(entries),
        imu=_imu(entries, [link for link in links if 'imu' in link.lower()], base, where),
    )


def _check_names(entries: list[Element], where: str) -> None:
    names = [entry.get('name', '') for entry in entries]
    bad = [name for name in names if not is_name(name) or name.startswith(XACRO)]
    if bad:
        raise RobotError(f'URDF {where}: found the joint name {bad[0][:60]!r}, expected a name')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RobotError(f'URDF {where}: found {", ".join(twice)} more than once, expected once')


def _kind(entry: Element, where: str) -> str:
    kind = entry.get('type', '')
    if kind not in ROTARY + OTHER:
        raise RobotError(
            f'URDF {where}: joint {entry.get("name")!r}: found the type {kind[:40]!r}, expected '
            f'one of {", ".join(ROTARY + OTHER)}'
        )
    return kind


def _joint(entry: Element, where: str) -> UrdfJoint:
    name, limit = entry.get('name', ''), entry.find('limit')
    numbers: dict[str, float | None] = {
        key: None if limit is None else _number(limit, key, name, where)
        for key in ('lower', 'upper', 'effort', 'velocity')
    }
    lower, upper = numbers['lower'], numbers['upper']
    continuous = entry.get('type') == 'continuous'
    if continuous or (lower is None and upper is None) or lower == upper == 0.0:
        lower = upper = None
    else:
        lower, upper = lower or 0.0, upper or 0.0  # URDF's defaults
        if lower >= upper:
            raise RobotError(
                f'URDF {where}: joint {name!r}: found the limits {lower:g} to {upper:g}, expected '
                'lower below upper'
            )
    return UrdfJoint(
        name=name,
        continuous=continuous,
        lower=lower,
        upper=upper,
        torque_limit=_above_zero(numbers['effort']),
        velocity_limit=_above_zero(numbers['velocity']),
    )


def _above_zero(number: float | None) -> float | None:
    """Exporters write 0 for a limit that they do not know."""
    return None if number is None or number <= 0.0 else number


def _number(limit: Element, key: str, name: str, where: str) -> float | None:
    text = limit.get(key)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isinf(number) and key in ('effort', 'velocity'):
        return None
    if not math.isfinite(number):
        hint = '; run xacro first' if text.lstrip().startswith(XACRO) else ''
        raise RobotError(
            f'URDF {where}: joint {name!r}: found {key}="{text[:40]}", expected a finite '
            f'number{hint}'
        )
    return number


def _passed_over(entries: list[Element]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        kind = entry.get('type', '')
        if kind in ('prismatic', 'planar'):
            found.setdefault(kind, []).append(entry.get('name', ''))
        elif kind in ROTARY and entry.find('mimic') is not None:
            found.setdefault('mimic', []).append(entry.get('name', ''))
    return {kind: tuple(names) for kind, names in found.items()}


def _base(entries: list[Element], links: list[str], where: str) -> str:
    """:return: the root link; below `world`, its only child."""
    children: dict[str, list[str]] = {}
    for entry in entries:
        ends = [
            found.get('link', '') for tag in ('parent', 'child') for found in entry.findall(tag)
        ]
        if len(ends) != 2 or not all(map(is_name, ends)):
            name = entry.get('name')
            raise RobotError(f'URDF {where}: joint {name!r} lacks its parent or its child link')
        children.setdefault(ends[0], []).append(ends[1])
    below = {child for found in children.values() for child in found}
    roots = [link for link in dict.fromkeys([*links, *children]) if link not in below]
    if len(roots) != 1 or len(below) != len(entries) or _reached(roots[0], children) <= len(below):
        raise RobotError(
            f'URDF {where} is not a tree of links: found the roots {roots[:8] or "none"}, '
            'expected one'
        )
    inner = children.get(roots[0], [])
    return inner[0] if roots[0] == 'world' and len(inner) == 1 else roots[0]


def _reached(root: str, children: Mapping[str, list[str]]) -> int:
    """:return: how many links hang together with the root; the others are in a circle."""
    seen, at = {root}, [root]
    while at:
        inner = children.get(at.pop(), [])
        seen.update(inner)
        at += inner
    return len(seen)


def _imu(entries: list[Element], links: list[str], base: str, where: str) -> UrdfImu | None:
    if not links:
        return None
    above = {_end(entry, 'child'): entry for entry in entries if _end(entry, 'child') != base}
    found = [_mounted(link, above, where) for link in links]
    chosen = min(found, key=lambda imu: imu.joints)  # the first of equals
    return replace(chosen, others=tuple(link for link in links if link != chosen.frame))


def _mounted(link: str, above: Mapping[str, Element], where: str) -> UrdfImu:
    """:return: a link as an IMU, with its orientation in the base, above which is nothing."""
    mounting: Quaternion = (1.0, 0.0, 0.0, 0.0)
    joints, at = 0, link
    while (entry := above.get(at)) is not None:
        joints += entry.get('type') != 'fixed'
        mounting = multiply(_rotation(entry, where), mounting)
        at = _end(entry, 'parent')
    return UrdfImu(link, tuple(round(part, 9) + 0.0 for part in mounting), joints, ())


def _rotation(entry: Element, where: str) -> Quaternion:
    origin = entry.find('origin')
    text = '0 0 0' if origin is None else origin.get('rpy', '0 0 0')
    try:
        roll, pitch, yaw = (float(word) for word in text.split())
    except ValueError:
        roll = pitch = yaw = math.nan
    if not math.isfinite(roll + pitch + yaw):
        raise RobotError(
            f'URDF {where}: joint {entry.get("name")!r}: found rpy="{text[:40]}", expected 3 '
            'finite numbers'
        )
    return from_euler(roll, pitch, yaw)


def _end(entry: Element, tag: str) -> str:
    end = entry.find(tag)
    return '' if end is None else end.get('link', '')
