"""Names and sizes that a provider gets, as kinfer 0.6 gives them."""

from __future__ import annotations

import json

import pytest

from kinfer_ros.kinfer import PyInputType
from kinfer_ros.kinfer import PyModelMetadata
from kinfer_ros.kinfer import get_version
from kinfer_ros.kinfer import metadata_from_json


def test_metadata_goes_to_json_and_back():
    """A script that packs archives writes it with to_json."""
    metadata = PyModelMetadata(['a', 'b'], ['xvel'], [2, 3])
    text = '{"joint_names": ["a", "b"], "command_names": ["xvel"], "carry_size": [2, 3]}'
    assert json.loads(metadata.to_json()) == json.loads(text)
    assert metadata_from_json(text) == metadata
    assert repr(metadata).startswith('ModelMetadata("{')
    metadata.carry_size = [4]
    assert metadata_from_json(text) != metadata


def test_files_of_before_0_6_are_read():
    """Kinfer 0.6 refuses them."""
    found = metadata_from_json('{"joint_names": ["a"], "num_commands": 3}')
    assert found == PyModelMetadata(['a'], ['xvel', 'yvel', 'yawrate'], [])


@pytest.mark.parametrize('text', ['', '[]', '{"joint_names": 3}', '{"a": ' * 3000])
def test_wrong_metadata_is_a_value_error(text):
    """As kinfer raises."""
    with pytest.raises(ValueError, match='Invalid model metadata'):
        metadata_from_json(text)


def test_input_types():
    """The eight of kinfer, with their shapes."""
    metadata = PyModelMetadata(['a', 'b'], ['xvel'], [2, 3])
    shapes = {
        'joint_angles': [2], 'joint_angular_velocities': [2], 'projected_gravity': [3],
        'accelerometer': [3], 'gyroscope': [3], 'command': [1], 'time': [1], 'carry': [2, 3],
    }  # fmt: skip
    for name, shape in shapes.items():
        assert PyInputType(name).get_shape(metadata) == shape
        assert PyInputType(name).get_name() == name
    assert PyInputType('time') == PyInputType('time')
    assert PyInputType('time') != PyInputType('carry')
    assert repr(PyInputType('time')) == 'InputType(time)'
    with pytest.raises(ValueError, match='Invalid input type: imu'):
        PyInputType('imu')
    assert get_version().count('.') == 2
