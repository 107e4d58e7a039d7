"""Writes a step log as a CSV or Parquet table: one row per tick, one column per number."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError


def write_csv(columns: Columns, series: Sequence[Series], path: Path) -> None:
    """
    Write the table as CSV; float32 with all digits that restore its bits, NaN as nothing.

    :raises RunError: the file cannot be written.
    """
    policy = ['policy'] if columns.policies else []
    head = ['step_id', 'time', 'mode', *policy, 'events', *(each.name for each in series)]
    events = _events(columns)
    numbers = np.zeros((len(columns.step_id), len(series)))
    for place, each in enumerate(series):
        numbers[:, place] = each.values
    try:
        with path.open('w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(head)
            for index, row in enumerate(numbers.tolist()):
                writer.writerow(
                    [
                        int(columns.step_id[index]),
                        f'{columns.time[index]:.9f}',
                        columns.modes[index],
                        *columns.policies[index : index + 1],
                        '; '.join(events[index]),
                        *('' if v != v else v for v in row),
                    ]
                )
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error


def write_parquet(
    run: RecordedRun, columns: Columns, series: Sequence[Series], path: Path
) -> None:
    """
    Write the table as Parquet, with run.json in the file's metadata under `run.json`.

    Logged numbers are float32, as in the log; null where a record has none.

    :raises RunError: the file cannot be written.
    """
    # Here, because pyarrow is an extra.
    import pyarrow as pa
    from pyarrow import parquet

    arrays: dict[str, object] = {
        'step_id': pa.array(columns.step_id),
        'time': pa.array(columns.time),
        'mode': pa.array(columns.modes).dictionary_encode(),
    }
    if columns.policies:
        arrays['policy'] = pa.array(columns.policies).dictionary_encode()
    arrays['events'] = pa.array(_events(columns), pa.list_(pa.string()))
    for each in series:
        logged = each.values if each.derived else each.values.astype(np.float32)
        arrays[each.name] = pa.array(logged, mask=np.isnan(logged))
    table = pa.table(arrays).replace_schema_metadata({'run.json': orjson.dumps(dict(run.facts))})
    try:
        parquet.write_table(table, path, compression='zstd')
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error})') from error


def _events(columns: Columns) -> list[list[str]]:
    """Return the event texts of each record."""
    events: list[list[str]] = [[] for _ in columns.modes]
    for index, text in columns.events:
        events[index].append(text)
    return events
