"""Message definitions for a bag: from the ROS distribution's known types, else from .msg files.

A bag contains the definition of every type in it, so that any machine can read it.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from kinfer_ros.errors import RunError

_TYPE = re.compile(r'([A-Za-z][A-Za-z0-9_]*)/msg/([A-Za-z][A-Za-z0-9_]*)')


class MessageTypes:
    """Definitions and hashes of message types, of a ROS distribution and installed packages."""

    def __init__(self, distro: str | None) -> None:
        """
        Load the distribution's types.

        :param distro: e.g. 'jazzy'; None or an unknown one means rosbags' latest.
        """
        name = f'ROS2_{(distro or "").upper()}'
        self._store = get_typestore(Stores.__members__.get(name, Stores.LATEST))

    def definition(self, msgtype: str) -> tuple[str, str]:
        """
        Return the full .msg text of a type, including nested types, and its RIHS01 hash.

        :param msgtype: 'package/msg/Name'.
        :raises RunError: the type, or a nested one, is not found or cannot be parsed.
        """
        self._register(msgtype)
        try:
            text, _ = self._store.generate_msgdef(msgtype, ros_version=2)
            return text, self._store.hash_rihs01(msgtype)
        except Exception as error:
            raise RunError(f'{msgtype}: its definition cannot be used ({error})') from error

    def _register(self, msgtype: str) -> None:
        """Register a type and its nested types, where the store lacks them."""
        definitions: dict[str, Any] = {}
        todo = [msgtype]
        while todo:
            name = todo.pop()
            if name in self._store.fielddefs or name in definitions:
                continue
            path = _find(name)
            try:
                definitions.update(get_types_from_msg(path.read_text(encoding='utf-8'), name))
            except Exception as error:  # rosbags' parser has no common exception class
                raise RunError(f'{path}: cannot be used as {name} ({error})') from error
            todo.extend(_nested_types(definitions[name]))
        if definitions:
            try:
                self._store.register(definitions)
            except Exception as error:
                raise RunError(f'{msgtype}: its definition cannot be used ({error})') from error


def _nested_types(definition: Any) -> list[str]:
    """List the message types in a parsed definition."""
    _, fields = definition
    names: list[str] = []
    for _, (_, description) in fields:
        # A type is a name; an array or sequence is (element type, length).
        while isinstance(description, tuple) and isinstance(description[0], tuple):
            description = description[0][1]
        if isinstance(description, str) and _TYPE.fullmatch(description):
            names.append(description)
    return names


def _find(msgtype: str) -> Path:
    """Find the .msg file of a type below AMENT_PREFIX_PATH, or in the Python environment."""
    match = _TYPE.fullmatch(msgtype)
    if match is None:
        raise RunError(f'{msgtype!r} is not a message type; expected package/msg/Name')
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    for prefix in (*prefixes, sys.prefix):
        path = Path(prefix) / 'share' / match[1] / 'msg' / f'{match[2]}.msg'
        if path.is_file():
            return path
    raise RunError(
        f'{msgtype}: definition not found: neither a standard type, nor in a file '
        f'share/{match[1]}/msg/{match[2]}.msg below AMENT_PREFIX_PATH; source its workspace'
    )
