"""What a provider in kinfer's style gets to know of a policy: names and sizes."""

import dataclasses
import json
from dataclasses import dataclass

from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import MetadataError
from kinfer_ros.policy.contract import CARRY
from kinfer_ros.policy.contract import KNOWN_INPUTS
from kinfer_ros.policy.metadata import default_command_names
from kinfer_ros.policy.metadata import parse_metadata
from kinfer_ros.untrusted import json_text

_VECTORS = {
    'projected_gravity': 3, 'accelerometer': 3, 'gyroscope': 3, 'time': 1,
    'quaternion': 4, 'initial_heading': 1,
}  # fmt: skip


@dataclass
class PyModelMetadata:
    """
    Names and sizes of a policy.

    :ivar joint_names: in the order of `joint_angles` and of the action.
    :ivar command_names: in the order of `command`.
    :ivar carry_size: shape of the carry.
    """

    joint_names: list[str]
    command_names: list[str]
    carry_size: list[int]

    def to_json(self) -> str:
        """Return it as metadata.json of a `.kinfer` archive."""
        return json.dumps(dataclasses.asdict(self))

    def __repr__(self) -> str:
        """Show it as kinfer does."""
        return f'ModelMetadata({json.dumps(self.to_json())})'


class PyInputType:
    """The kind of an input, by name."""

    def __init__(self, input_type: str) -> None:
        """:raises MetadataError: kinfer has no such input."""
        if input_type not in KNOWN_INPUTS and input_type != CARRY:
            known = ', '.join([*KNOWN_INPUTS, CARRY])
            raise MetadataError(f'Invalid input type: {input_type} (must be one of {known})')
        self._name = input_type

    def get_name(self) -> str:
        """Return its name."""
        return self._name

    def get_shape(self, metadata: PyModelMetadata) -> list[int]:
        """Return its shape in a policy."""
        if self._name == CARRY:
            return list(metadata.carry_size)
        if self._name == 'command':
            return [len(metadata.command_names)]
        return [_VECTORS.get(self._name, len(metadata.joint_names))]

    def __repr__(self) -> str:
        """Show it as kinfer does."""
        return f'InputType({self._name})'

    def __eq__(self, other: object) -> bool:
        """Whether it is the same kind."""
        return isinstance(other, PyInputType) and other.get_name() == self._name

    def __hash__(self) -> int:
        """Equal kinds have equal hashes."""
        return hash(self._name)


def metadata_from_json(text: str) -> PyModelMetadata:
    """
    Read metadata.json of a `.kinfer` archive; kinfer reads those of 0.6 alone.

    :raises MetadataError: it is no JSON object, or a key is wrong.
    """
    try:
        raw = json.loads(json_text(text))
    except (ValueError, RecursionError) as error:
        raise MetadataError(f'Invalid model metadata: {error}') from None
    if not isinstance(raw, dict):
        raise MetadataError('Invalid model metadata: expected a JSON object')
    try:
        found = parse_metadata(raw, 'metadata')
    except KinferRosError as error:
        raise MetadataError(f'Invalid model metadata: {error}') from None
    commands = found.command_names
    if commands is None:
        commands = default_command_names(found.num_commands or 0)
    return PyModelMetadata(list(found.joint_names), list(commands), list(found.carry_size or ()))
