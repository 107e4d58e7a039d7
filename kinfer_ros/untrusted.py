"""Reads files that nobody has to mean well: bounded in size, time and memory.

All limits of files stand here; docs/security.md lists them.
"""

import errno
import re
from collections.abc import Callable
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.errors import KinferRosError
from kinfer_ros.file_kind import HEAD
from kinfer_ros.file_kind import stand_in
from kinfer_ros.yaml_composer import compose_node

MEGABYTE = 1 << 20
MAX_YAML_BYTES = MEGABYTE // 4
"""Far above any hand-written file; PyYAML takes a second or two for that."""
MAX_YAML_VALUES = 50_000
"""Values of a YAML file once aliases (`*name`) and merges (`<<`) are followed."""
MAX_YAML_DEPTH = 40
MAX_JSON_BYTES = 4 * MEGABYTE
MAX_XML_BYTES = 10 * MEGABYTE
"""Of a URDF or an MJCF, each file of it."""
MAX_XML_FILES = 64
"""Files that an MJCF includes."""
MAX_SAFETENSORS_BYTES = 64 * MEGABYTE
"""Of the initial states of a network; an LSTM of 512 numbers has 4 KiB."""
MAX_SAFETENSORS_HEADER = MEGABYTE
MAX_LINKS = 2000
"""Links of a URDF, bodies of an MJCF."""
MAX_HEIGHT_FIELD = 4_000_000
"""Values of a height field."""
MAX_REPLICAS = 10_000
"""Copies that <replicate> makes, all together."""
MAX_CHUNK_BYTES = 64 * MEGABYTE
"""Of a chunk of a bag, decompressed; recorders write chunks of a megabyte or so."""
MAX_RATIO = 1000
"""Decompressed over compressed size; recordings reach 20, a file made to fill the memory more."""
LOAD_SECONDS = 20.0
"""For a policy file to be loaded and run once, in a process of its own."""
LOAD_MEMORY_MB = 4096
"""MB that it may take there; a network of 30 million weights takes under 256."""

ESCAPE = re.compile(
    r'\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
    r'|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)',
    re.DOTALL,
)
"""An escape in JSON; `half` is one of half a character."""

PYTHON_TAG = 'tag:yaml.org,2002:python/'

Fail = Callable[[str], KinferRosError]
"""Makes the error of a reader from what is wrong with its file."""


def read_bytes(path: Path, limit: int, fail: Fail) -> bytes:
    """
    Read a whole file.

    :param fail: takes `cannot be read: ...`, `is larger than ...` or `is a git-LFS pointer ...`.
    :raises KinferRosError: of `fail`.
    """
    try:
        if path.is_fifo():  # opening it waits for its other end
            raise OSError(errno.EINVAL, 'it is a FIFO')
        with path.open('rb') as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise fail(f'cannot be read: {error.strerror}') from None
    except ValueError:  # a NUL in the path
        raise fail('cannot be read: its name has a NUL character') from None
    if len(data) > limit:
        raise fail(f'is larger than {limit} bytes')
    if other := stand_in(data):
        raise fail(other)
    return data


def json_text(data: bytes | str) -> str:
    """
    Return JSON for `json.loads`, without escapes of half a character: U+FFFD is in their place.

    Python makes strings of them that no file and no message can hold.

    :raises ValueError: it is no UTF-8.
    """
    text = data.decode('utf-8-sig') if isinstance(data, bytes) else data
    return ESCAPE.sub(lambda found: r'\ufffd' if found['half'] else found[0], text)


def compose_yaml(text: str | bytes) -> Any:
    """
    Read YAML as nodes, and refuse what would grow.

    :return: the root node, or None of an empty file.
    :raises yaml.YAMLError: it is not YAML, is nested too deep, or has too many values.
    """
    try:
        node = compose_node(text)
    except RecursionError:
        raise yaml.YAMLError('it is nested too deep') from None
    if node is not None:
        _count_values(node, {}, set())
    return node


def untag(node: yaml.Node, seen: set[int]) -> None:
    """Make plain lists, mappings and nulls of what has a tag of Python."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if node.tag.startswith(PYTHON_TAG):
            node.tag = 'tag:yaml.org,2002:null'
            node.value = ''
        return
    if node.tag.startswith(PYTHON_TAG):
        kind = 'map' if isinstance(node, yaml.MappingNode) else 'seq'
        node.tag = f'tag:yaml.org,2002:{kind}'
    for entry in node.value:
        for part in entry if isinstance(entry, tuple) else (entry,):
            untag(part, seen)


def load_yaml(text: str | bytes) -> Any:
    """
    Read YAML as plain data; see `compose_yaml`.

    :raises yaml.YAMLError: as there, or a value cannot be made.
    """
    node = compose_yaml(text)
    if node is None:
        return None
    reader = yaml.SafeLoader('')
    try:
        return reader.construct_document(node)
    finally:
        reader.dispose()


def _parts(node: Any) -> Iterable[Any]:
    """Return the keys and values of a mapping, the entries of a list."""
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _count_values(node: Any, known: dict[int, int], above: set[int]) -> int:
    """Count the values of a node with aliases followed; each node is looked at once."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise yaml.YAMLError('an alias refers to a mapping or list that it is part of')
    if len(above) > MAX_YAML_DEPTH:
        raise yaml.YAMLError(f'it is nested deeper than {MAX_YAML_DEPTH} levels')
    above.add(id(node))
    total = 1
    for part in _parts(node):
        total += 1 if isinstance(part, yaml.ScalarNode) else _count_values(part, known, above)
        if total > MAX_YAML_VALUES:
            raise yaml.YAMLError(
                f'it has more than {MAX_YAML_VALUES} values, once aliases are followed'
            )
    above.discard(id(node))
    known[id(node)] = total
    return total


def read_yaml(path: Path, error: type[KinferRosError], what: str) -> Any:
    """
    Read a YAML file as plain data.

    :param what: the kind of file, for messages.
    :raises KinferRosError: of class `error`: it cannot be read, is too large or is not YAML.
    """

    def fail(text: str) -> KinferRosError:
        return error(f'{what} {path}: {text}')

    data = read_bytes(path, MAX_YAML_BYTES, fail)
    try:
        return load_yaml(data)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        text = ' '.join(str(problem).split())
        raise fail(f'is not YAML: {text[:200]}') from None


def check_mjcf(path: Path, error: type[KinferRosError]) -> dict[str, bytes]:
    """
    Look through an MJCF and all that it includes, before MuJoCo makes a model of it.

    :return: the files that it includes, by the names that it uses.
    :raises KinferRosError: of class `error`: it cannot be read, its model would be too large, or
        a mesh is only a pointer to one.
    """
    names, bodies, replicas = [path.name], 0, 0.0
    included: dict[str, bytes] = {}
    for at, name in enumerate(names):
        file = path.parent / name if at else path

        def fail(text: str, where: Path = file) -> KinferRosError:
            return error(f'MJCF {where} {text}')

        data = read_bytes(file, MAX_XML_BYTES, fail)
        if at:
            included[name] = data
        root = parse_xml(data, fail)
        if root.tag == 'robot':  # MuJoCo would read it, without a free base
            raise fail('is a URDF; expected an MJCF (<mujoco>)')
        _check_assets(root, path.parent, error)
        for element in root.iter():
            if element.tag == 'include' and element.get('file'):
                names.append(element.get('file', ''))
            elif element.tag == 'body':
                bodies += 1
            elif _height_field(element) > MAX_HEIGHT_FIELD:
                raise fail(f'a height field has over {MAX_HEIGHT_FIELD} values')
        replicas += _replicas(root, 1)
        if len(names) > MAX_XML_FILES:
            raise fail(f'it includes over {MAX_XML_FILES} files')
        if bodies > MAX_LINKS or replicas > MAX_REPLICAS:
            raise fail(
                f'found {bodies} bodies and {replicas} copies of <replicate>, expected at most '
                f'{MAX_LINKS} and {MAX_REPLICAS}'
            )
    return included


def _check_assets(root: ElementTree.Element, folder: Path, error: type[KinferRosError]) -> None:
    """:raises KinferRosError: a mesh or texture is a pointer, or a web page, in place of one."""
    folders = {
        folder / compiler.get(key, '')
        for compiler in [*root.iter('compiler'), ElementTree.Element('compiler')]
        for key in ('meshdir', 'texturedir', 'assetdir')
    }
    for element in root.iter():
        if element.tag not in ('mesh', 'texture', 'hfield', 'skin') or not element.get('file'):
            continue
        for place in folders:
            file = place / element.get('file', '')
            try:
                with file.open('rb') as opened:
                    other = stand_in(opened.read(HEAD))
            except (OSError, ValueError):
                continue  # MuJoCo says what is missing
            if other:
                raise error(f'{element.tag} {file} {other}')


def parse_xml(data: str | bytes, fail: Fail) -> ElementTree.Element:
    """
    Parse XML; entities and document types are refused.

    :raises KinferRosError: of `fail`.
    """
    if isinstance(data, bytes) and b'\x00' in data:
        raise fail('has NUL bytes; expected UTF-8 text')  # UTF-16 would hide a document type
    mark = '<!DOCTYPE' if isinstance(data, str) else b'<!DOCTYPE'
    if mark in data:  # type: ignore[operator]
        raise fail('has a document type, which could define entities')
    try:
        return ElementTree.fromstring(data)  # noqa: S314  bounded, and without entities
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise fail(f'cannot be read, it is not XML: {error}') from None


def _number(element: ElementTree.Element, key: str) -> float:
    text = element.get(key, '0').strip()
    return float(text) if re.fullmatch(r'\d{1,15}', text) else 0.0


def _height_field(element: ElementTree.Element) -> float:
    """Count the values of an element that is a height field."""
    if element.tag != 'hfield':
        return 0.0
    return _number(element, 'nrow') * _number(element, 'ncol')


def _replicas(element: ElementTree.Element, times: float) -> float:
    """Count the copies that <replicate> makes, with those inside one another multiplied."""
    total = 0.0
    for child in element:
        inner = times
        if child.tag == 'replicate':
            inner = times * max(_number(child, 'count'), 1.0)
            total += inner
        total += _replicas(child, inner)
        if total > MAX_REPLICAS:
            return total
    return total
