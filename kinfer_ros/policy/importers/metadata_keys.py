"""Reads the values of ONNX custom metadata by type, and remembers which keys were read.

A value is text: entries separated by commas, with `;` between the numbers of one entry, or JSON.
"""

import json
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.untrusted import json_text
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32

ABSENT = ('', 'null', 'none')
TRUE, FALSE = ('true', '1'), ('false', '0')


class MetadataKeys:
    """
    The custom metadata of one network.

    :ivar where: the file, for errors.
    """

    def __init__(self, texts: Mapping[str, str], where: str) -> None:
        self.where = where
        self._texts = texts
        self._read: set[str] = set()

    def there(self) -> list[str]:
        """Return all keys, sorted."""
        return sorted(self._texts)

    def unread(self) -> list[str]:
        """Return the keys that nothing has asked for, sorted."""
        return sorted(self._texts.keys() - self._read)

    def names(self, *keys: str) -> list[str] | None:
        """
        Read a list of names under the first of these keys that is there.

        :raises ModelError: it is none, or empty.
        """
        key, value = self._find(keys)
        if value is None:
            return None
        good = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        if not good or not all(entry.strip() for entry in value):
            raise self.wrong(key, 'names, separated by commas')
        return [entry.strip() for entry in value]

    def numbers(self, names: Sequence[str], *keys: str) -> list[float] | None:
        """
        Read a number for each name: one for all, a list in their order, or JSON by name.

        :raises ModelError: it is something else.
        """
        key, value = self._find_by_name(names, keys)
        if value is None:
            return None
        expected = f'{len(names)} numbers, one each for {", ".join(names)}'
        numbers = self._numbers(key, value, expected)
        if len(numbers) == 1:
            numbers *= len(names)
        if len(numbers) != len(names):
            raise self.wrong(key, expected)
        return numbers

    def entries(self, names: Sequence[str], *keys: str) -> list[list[float]] | None:
        """
        Read one or more numbers for each name.

        :raises ModelError: it is something else, or not as many entries as names.
        """
        key, value = self._find_by_name(names, keys)
        if value is None:
            return None
        expected = f'{len(names)} entries, one each for {", ".join(names)}'
        if not isinstance(value, list) or len(value) != len(names):
            raise self.wrong(key, expected)
        return [
            self._numbers(key, entry if isinstance(entry, list) else [entry], expected)
            for entry in value
        ]

    def number(self, unit: str, low: float, high: float, *keys: str) -> float | None:
        """
        Read one number, with or without its unit behind it.

        :raises ModelError: it is something else, or not in the range.
        """
        key, value = self._find(keys)
        if value is None:
            return None
        entries = value if isinstance(value, list) else [value]
        expected = f'one number ({unit}) from {low:g} to {high:g}'
        words = [e.removesuffix(unit).strip() if isinstance(e, str) else e for e in entries]
        numbers = self._numbers(key, words, expected)
        if len(numbers) != 1 or not low <= numbers[0] <= high:
            raise self.wrong(key, expected)
        return numbers[0]

    def ranges(self, key: str) -> dict[str, list[float] | None] | None:
        """
        Read [lowest, highest] by name, or null.

        :raises ModelError: it is something else.
        """
        _, value = self._find((key,))
        if value is None:
            return None
        expected = '{name: [lowest, highest], ...}, finite numbers'
        if not isinstance(value, dict):
            raise self.wrong(key, expected)
        found: dict[str, list[float] | None] = {}
        for name, bounds in value.items():
            pair = None if bounds is None else self._numbers(key, bounds, expected)
            if pair is not None and (
                len(pair) != 2 or not all(map(is_float32, pair)) or pair[0] > pair[1]
            ):
                raise self.wrong(key, expected)
            found[name] = pair
        return found

    def flags(self, names: Sequence[str], *keys: str) -> list[bool] | None:
        """
        Read true or false for each name.

        :raises ModelError: it is something else.
        """
        key, value = self._find(keys)
        if value is None:
            return None
        entries = value if isinstance(value, list) else [value]
        words = [
            str(entry).strip().lower().removesuffix('.000').removesuffix('.0') for entry in entries
        ]
        if len(words) == 1:
            words *= len(names)
        if len(words) != len(names) or not all(word in TRUE + FALSE for word in words):
            raise self.wrong(key, f'true or false for each of {", ".join(names)}')
        return [word in TRUE for word in words]

    def text(self, key: str) -> str | None:
        """
        Read a text, as it is or as JSON.

        :raises ModelError: it is JSON of something else.
        """
        text = self._texts.get(key, '').strip()
        self._read.add(key)
        if text.lower() in ABSENT or not text.startswith('"'):
            return None if text.lower() in ABSENT else text
        try:
            return str(json.loads(json_text(text)))
        except (ValueError, RecursionError):
            raise self.wrong(key, 'a text, or one as JSON') from None

    def first(self, keys: Sequence[str]) -> str:
        """Return the first of these keys that is there."""
        return next(key for key in keys if key in self._texts)

    def wrong(self, key: str, expected: str) -> ModelError:
        """Return the error for the value of a key."""
        found = self._texts.get(key, '')
        hint = '; it is the text of a tensor: export .tolist()' if 'tensor(' in found else ''
        text = f'found {format_value(found)}, expected {expected}{hint}'
        return ModelError(f'{self.where}: {key}: {text}')

    def _find(self, keys: Sequence[str]) -> tuple[str, Any]:
        """:return: the first key that is there and its value; ('', None) where none is."""
        found: list[tuple[str, Any]] = []
        for key in keys:
            if key in self._texts:
                self._read.add(key)
                value = self._parse(key)
                if value is not None:
                    found.append((key, value))
        for key, value in found[1:]:
            if _comparable(value) != _comparable(found[0][1]):
                raise self.wrong(key, f'the same as {found[0][0]}, {self._texts[found[0][0]]!r}')
        return found[0] if found else ('', None)

    def _parse(self, key: str) -> Any:
        text = self._texts[key].strip()
        if text.lower() in ABSENT:
            return None
        if text[0] in '[{"':
            try:
                value = json.loads(json_text(text))
            except (ValueError, RecursionError):
                raise self.wrong(key, 'JSON, or entries separated by commas') from None
            if not isinstance(value, str):
                return value
            text = value
        return [
            [part.strip() for part in entry.split(';')] if ';' in entry else entry.strip()
            for entry in text.split(',')
        ]

    def _find_by_name(self, names: Sequence[str], keys: Sequence[str]) -> tuple[str, Any]:
        """:return: as `_find`, with JSON by name as a list in the order of the names."""
        key, value = self._find(keys)
        if not isinstance(value, dict):
            return key, value
        if value.keys() != set(names):
            raise self.wrong(key, f'exactly the names {", ".join(names)}')
        return key, [value[name] for name in names]

    def _numbers(self, key: str, value: Any, expected: str) -> list[float]:
        entries = value if isinstance(value, list) else [value]
        if any(isinstance(entry, bool) for entry in entries):
            raise self.wrong(key, expected)
        try:
            return [float(entry) for entry in entries]
        except (TypeError, ValueError, OverflowError):
            raise self.wrong(key, expected) from None


def _comparable(value: Any) -> Any:
    """:return: a value with its numbers as such, so that 0 and 0.000 are the same."""
    if isinstance(value, list):
        return [_comparable(entry) for entry in value]
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
