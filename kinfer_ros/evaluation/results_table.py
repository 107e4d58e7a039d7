"""Writes the results of an evaluation as a table, CSV or Parquet: a row for each job."""

import csv
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RunError

SUFFIXES = ('.csv', '.parquet')


def check_path(path: Path, option: str = '--out', suffixes: Sequence[str] = SUFFIXES) -> None:
    """:raises ConfigError: another format, or no folder; found before the first job."""
    if path.suffix.lower() not in suffixes:
        raise ConfigError(
            f'{option}: found {path}, expected a file that ends in {" or ".join(suffixes)}'
        )
    if not path.parent.is_dir():
        raise ConfigError(f'{option}: found no folder {path.parent} to write {path.name} into')


def write_table(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    """
    Write a row for each job, a column for each number; nothing where a job has none.

    :return: number of rows.
    :raises RunError: the file cannot be written.
    """
    return write_rows([_row(record) for record in records], path)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> int:
    """
    Write rows, a column for each key.

    :return: number of rows.
    :raises RunError: the file cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        if path.suffix.lower() == '.csv':
            _write_csv(rows, names, path)
        else:
            _write_parquet(rows, names, path)
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror or error})') from error
    return len(rows)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a record: `velocity/vx`, `drawn/friction`."""
    command, condition, seed = str(record['job']).split('/')
    row: dict[str, Any] = {'command': command, 'condition': condition, 'seed': int(seed)}
    _flatten(row, '', record)
    return row


def _flatten(row: dict[str, Any], path: str, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        name = f'{path}/{key}' if path else str(key)
        if isinstance(value, Mapping):
            _flatten(row, name, value)
        else:
            row[name] = value


def _write_csv(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> None:
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> None:
    # Here, because pyarrow is an extra.
    import pyarrow as pa
    from pyarrow import parquet

    arrays = {}
    for name in names:
        values = [row.get(name) for row in rows]
        numbers = all(value is None or type(value) in (int, float) for value in values)
        decimal = numbers and any(isinstance(value, float) or value is None for value in values)
        arrays[name] = pa.array(values, pa.float64() if decimal else None)
    parquet.write_table(pa.table(arrays), path, compression='zstd')
