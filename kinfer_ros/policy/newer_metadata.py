"""Keys that newer exporters of K-Scale's format add to metadata.json.

`joint_biases` as a list of {joint_name, reference_angle, weight}, `home_position` and
`command_type_info`. Angles are in rad; a weight is that of the training's reward and not used.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.text import is_name
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32

Problem = Callable[[str, str, str], None]
"""Notes a problem: what, found, expected."""

ENTRY = '{joint_name, reference_angle, weight} or [name, angle, weight]'
FIELD = '{name, description, units, range: [lowest, highest] or null}'
MAX_FIELDS = 4096

_SI = {
    'm': ('m', 'meter', 'meters', 'metre', 'metres'),
    'm/s': ('m/s', 'm s^-1', 'mps', 'meters/second', 'meters per second'),
    'rad': ('rad', 'radian', 'radians'),
    'rad/s': ('rad/s', 'rad s^-1', 'radians/second', 'radians per second'),
}
"""How exporters write the units of commands."""
_ANGLES = ('base', 'rshoulder', 'lshoulder', 'relbow', 'lelbow', 'rwristroll', 'lwristroll')
_UNITS = {'xvel': 'm/s', 'yvel': 'm/s', 'yawrate': 'rad/s', 'yaw': 'rad', 'baseheight': 'm'}


def is_entries(value: Any) -> bool:
    """Whether a pose is given as one entry a joint, each with its name."""
    if isinstance(value, Mapping):
        return bool(value) and all(isinstance(entry, Mapping) for entry in value.values())
    return bool(
        isinstance(value, list)
        and value
        and not all(is_float32(entry) for entry in value)
        and any(isinstance(entry, list | Mapping) for entry in value)
    )


def read_entries(
    key: str, value: Any, names: Sequence[str], problem: Problem
) -> tuple[float, ...] | None:
    """
    Read the angle of each joint from entries.

    :param names: of the policy's joints; other joints may have entries as well.
    :return: rad, in the order of `names`; None, with the problem noted, where it is none.
    """
    if isinstance(value, Mapping):
        value = [{'joint_name': name, **entry} for name, entry in value.items()]
    angles: dict[str, float] = {}
    for index, entry in enumerate(value):
        parsed = _entry(entry)
        if parsed is None:
            problem(f'{key}[{index}]', format_value(entry), f'{ENTRY}, finite numbers')
            return None
        if parsed[0] in angles:
            problem(key, f'{parsed[0]} more than once (duplicate)', 'one entry a joint')
            return None
        angles[parsed[0]] = parsed[1]
    missing = [name for name in names if name not in angles]
    if missing:
        problem(key, f'no entry for {", ".join(missing)}', 'one for each joint')
        return None
    return tuple(angles[name] for name in names)


def _entry(entry: Any) -> tuple[str, float] | None:
    """:return: name and angle; None where it is no entry."""
    if isinstance(entry, Mapping):
        entry = [
            entry.get('joint_name', entry.get('name')),
            entry.get('reference_angle', entry.get('angle')),
            *([] if entry.get('weight') is None else [entry['weight']]),
        ]
    if not isinstance(entry, list) or len(entry) not in (2, 3) or not is_name(entry[0]):
        return None
    if not all(is_float32(number) for number in entry[1:]):
        return None
    return entry[0], float(entry[1])


def read_fields(
    raw: Mapping[str, Any], problem: Problem, notes: list[str]
) -> dict[str, tuple[float, float] | None]:
    """
    Return the entries of the command that `command_type_info` names, each with its range.

    :param notes: gets what to say of their units.
    """
    info = raw.get('command_type_info')
    if info is None:
        return {}
    fields = info.get('fields') if isinstance(info, Mapping) else None
    if not isinstance(fields, list) or len(fields) > MAX_FIELDS:
        expected = f'an object with the list fields of {FIELD}'
        problem('command_type_info', format_value(info), expected)
        return {}
    kind = info.get('command_type')
    if kind is not None and not is_name(kind):
        problem('command_type_info.command_type', format_value(kind), 'a text')
    found: dict[str, tuple[float, float] | None] = {}
    for index, field in enumerate(fields):
        name = field.get('name') if isinstance(field, Mapping) else None
        bounds = field.get('range') if isinstance(field, Mapping) else None
        if not is_name(name) or not (bounds is None or _is_range(bounds)) or name in found:
            problem(f'command_type_info.fields[{index}]', format_value(field), FIELD)
            return {}
        if note := _unit_note(str(name), field.get('units')):
            notes.append(note)
        found[str(name)] = None if bounds is None else (float(bounds[0]), float(bounds[1]))
    return found


def _unit_note(name: str, units: Any) -> str:
    """Return what to say where an entry is not in the unit in which its command comes, or ''."""
    sent = _UNITS.get(name) or ('rad' if name.startswith(_ANGLES) else '')
    if not sent or not isinstance(units, str) or units.strip().lower() in ('', *_SI[sent]):
        return ''
    return (
        f'command_type_info: {name} is in {units[:40]!a}, but its command comes in {sent} '
        'and is not converted'
    )


def _is_range(value: Any) -> bool:
    good = isinstance(value, list) and len(value) == 2 and all(map(is_float32, value))
    return good and bool(value[0] <= value[1])
