"""A datagram of commands: K-Scale's forms are read, and nothing that anybody sends does harm."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from kinfer_ros.commands.datagram import MAX_BYTES
from kinfer_ros.commands.datagram import MAX_ENTRIES
from kinfer_ros.commands.datagram import Datagram
from kinfer_ros.commands.datagram import parse_datagram
from kinfer_ros.control.command import MAX_VALUE
from kinfer_ros.errors import MessageError


def parse(content: object) -> Datagram:
    return parse_datagram(json.dumps(content).encode())


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('{"commands": {"xvel": 0.5, "rgripper": 0}}\n', {'xvel': 0.5, 'rgripper': 0.0}),
        ('{"type": "normal", "commands": {"xvel": -1e-3}}', {'xvel': -0.001}),
        ('{"xvel": 0.5, "type": "normal"}', {'xvel': 0.5}),
        ('{"commands": {}}', {}),
        ('{}', {}),
        (' {"commands" : {"dof_left_wrist_gripper_05": 1}} ', {'dof_left_wrist_gripper_05': 1.0}),
    ],
)
def test_forms_of_k_scale(text, values):
    """VR teleoperation sends a line with `commands`; pyfirmware takes names at the top, too."""
    assert parse_datagram(text.encode()) == Datagram(False, values)


def test_reset_is_neutral_and_no_more():
    """Pyfirmware's reset of its commands; it must not reset a robot."""
    assert parse({'type': 'reset'}) == Datagram(True, {})
    assert parse({'type': 'reset', 'commands': {'xvel': 1.0}}) == Datagram(True, {}, ('xvel',))
    assert parse({'type': 'reset', 'xvel': 1.0}) == Datagram(True, {}, ('xvel',))


def test_what_is_no_command_is_named():
    """A sender that asks for more than commands gets no more, and its user a word."""
    found = parse({'commands': {'xvel': 0.1}, 'start': True, 'enable': {'motors': 1}})
    assert found == Datagram(False, {'xvel': 0.1}, ('start', 'enable'))


DEEP = '{"a":' * 700
HUGE = '1' * 3000


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'is no JSON'),
        ('xvel=1', 'is no JSON'),
        ('{"xvel": 0.5} {}', 'is no JSON: Extra data'),
        (b'{"xv\xff": 1}', 'is no JSON'),
        ('[0.1, 0.2]', 'found [0.1, 0.2], expected a JSON object'),
        ('0.5', 'found 0.5, expected a JSON object'),
        ('{"commands": [0.1]}', 'commands: found [0.1], expected an object'),
        ('{"commands": null}', 'commands: found None'),
        ('{"type": "start"}', 'type: found \'start\', expected "normal" or "reset"'),
        ('{"type": ["reset"]}', "type: found ['reset']"),
        ('{"type": null, "xvel": 1}', 'type: found None'),
        ('{"xvel": "0.5"}', "xvel: found '0.5', expected a number"),
        ('{"xvel": true}', 'xvel: found True, expected a number'),
        ('{"xvel": null}', 'xvel: found None, expected a number'),
        ('{"xvel": {"a": 1}}', 'xvel: found {'),
        ('{"xvel": NaN}', 'found NaN, expected a finite number'),
        ('{"commands": {"xvel": -Infinity}}', 'found -Infinity'),
        ('{"xvel": 1e999}', 'xvel: found inf, expected a number below 1e+06'),
        ('{"xvel": -1000000}', 'xvel: found -1000000.0, expected a number below'),
        (f'{{"xvel": {HUGE}}}', 'found a number of 3000 characters'),
        (f'{{"xvel": 0.{HUGE}}}', 'found a number of 3002 characters'),
        ('{"xvel": 1, "xvel": 2}', "has the key 'xvel' twice"),
        ('{"commands": {"xvel": 1}, "commands": {"xvel": 2}}', "has the key 'commands' twice"),
        ('{"": 1}', "commands: found the name ''"),
        ('{"x\\u001b[2J": 1}', 'commands: found the name'),
        (json.dumps({'x' * 65: 1}), 'commands: found the name'),
        (json.dumps({f'x{i}': i for i in range(MAX_ENTRIES + 1)}), f'found {MAX_ENTRIES + 1} of'),
        (DEEP, 'is no JSON'),
        ('[' * MAX_BYTES, 'is no JSON'),
        ('{"x": 1}' + ' ' * MAX_BYTES, f'found more than {MAX_BYTES} bytes'),
    ],
    ids=range(30),
)
def test_refused_as_a_whole(text, words):
    """One line says what is wrong, and no part of it is used."""
    with pytest.raises(MessageError) as error:
        parse_datagram(text if isinstance(text, bytes) else text.encode())
    assert words in str(error.value)
    assert str(error.value).isprintable()


def test_the_largest_datagram_is_read():
    """A limit that is one too low would drop a sender's longest commands."""
    text = '{"xvel": 1.0}'
    assert parse_datagram((text + ' ' * (MAX_BYTES - len(text))).encode()).values == {'xvel': 1.0}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
KEYS = st.sampled_from(['xvel', 'yvel', 'type', 'commands', 'start', 'normal', 'reset'])
SHAPED = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, st.floats() | JSON) | KEYS, max_size=5)


@settings(deadline=None)
@given(st.binary(max_size=200) | (JSON | SHAPED).map(lambda content: json.dumps(content).encode()))
def test_whatever_is_sent_is_valid_or_refused(data):
    """Never another error, and never a number that is not one."""
    try:
        found = parse_datagram(data)
    except MessageError:
        return
    assert len(found.values) <= MAX_ENTRIES
    for name, value in found.values.items():
        assert isinstance(name, str)
        assert isinstance(value, float)
        assert math.isfinite(value)
        assert abs(value) < MAX_VALUE
    assert not (found.neutral and found.values)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(['xvel', 'yvel', 'rgripper']), st.floats(-10, 10)))
def test_what_is_sent_is_what_is_read(values):
    """To the bit."""
    assert parse({'commands': values}).values == values
