"""Reads the regular files of a plain tar in memory.

A policy archive is untrusted. The standard library's tarfile follows links and sparse maps, and
has had headers that made it loop forever. Here every entry is a name, a kind and a slice of the
given bytes: no header can make this code open a file or allocate more memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = 512
MAX_PAX = 65536

_KINDS = {
    b'0': 'file',
    b'\0': 'file',
    b'7': 'file',
    b'1': 'hard link',
    b'2': 'symbolic link',
    b'3': 'character device',
    b'4': 'block device',
    b'5': 'directory',
    b'6': 'FIFO',
    b'L': 'long name record',
    b'K': 'long link record',
    b'S': 'sparse file',
}
_PAX_HEADERS = (b'x', b'g')
_PAX_OVERRIDES = (b'path', b'size', b'linkpath')


class TarError(Exception):
    """The bytes are not a tar, or not a plain one; the text says what is wrong and where."""


@dataclass(frozen=True)
class TarEntry:
    """One entry of a tar."""

    name: str
    kind: str
    """'file' for a regular file, else its type in words."""
    body: bytes


def read_tar(data: bytes) -> Iterator[TarEntry]:
    """
    Yield the entries of a tar, up to the end-of-archive mark or the end of the data.

    :raises TarError: on a damaged header, a body that runs past the end, data after the end mark,
        or a pax header that overrides a name or a size.
    """
    if len(data) < BLOCK:
        raise TarError(f'not a tar: only {len(data)} bytes')
    position = 0
    while position + BLOCK <= len(data):
        header = data[position : position + BLOCK]
        if not any(header):
            if data.count(0, position) != len(data) - position:
                raise TarError(f'data after the end-of-archive mark at byte {position}')
            return
        _check_sum(header, position)
        start = position + BLOCK
        size = _number(header[124:136], 'size', position)
        if size > len(data) - start:
            raise TarError(
                f'truncated: the entry at byte {position} claims {size} bytes,'
                f' {len(data) - start} are left'
            )
        flag = header[156:157]
        if flag in _PAX_HEADERS:
            _check_pax(data[start : start + size], position)
        else:
            kind = _KINDS.get(flag, f'entry of type {flag!r}')
            yield TarEntry(_name(header), kind, data[start : start + size])
        position = start + -(-size // BLOCK) * BLOCK
    if any(data[position:]):
        raise TarError(f'truncated: half a header at byte {position}')


def _name(header: bytes) -> str:
    name = header[:100].split(b'\0', 1)[0]
    prefix = header[345:500].split(b'\0', 1)[0] if header[257:263] == b'ustar\0' else b''
    return (prefix + b'/' + name if prefix else name).decode('utf-8', 'backslashreplace')


def _number(field: bytes, what: str, position: int) -> int:
    """Parse an octal number; the base-256 form is only for sizes far above the limit here."""
    text = field.strip(b' \0') or b'0'
    if not all(0x30 <= digit <= 0x37 for digit in text):
        raise TarError(f'not a tar: the {what} of the header at byte {position} is {field!r}')
    return int(text, 8)


def _check_sum(header: bytes, position: int) -> None:
    found = _number(header[148:156], 'checksum', position)
    expected = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    if found != expected:
        raise TarError(
            f'not a tar, or a damaged one: the header at byte {position} has checksum {found},'
            f' its bytes sum to {expected}'
        )


def _check_pax(body: bytes, position: int) -> None:
    """Refuse pax headers that change names or sizes; times and owners are harmless."""
    if len(body) > MAX_PAX:
        raise TarError(f'the pax header at byte {position} has {len(body)} bytes')
    start = 0
    while start < len(body):
        space = body.find(b' ', start, start + 8)
        digits = body[start:space]
        if space < 0 or not digits.isdigit() or int(digits) <= len(digits) + 1:
            raise TarError(f'damaged pax header at byte {position}')
        key = body[space + 1 : start + int(digits)].split(b'=', 1)[0]
        if key in _PAX_OVERRIDES or key.startswith(b'GNU.sparse'):
            raise TarError(f'the pax header at byte {position} overrides {key[:40]!r}')
        start += int(digits)
