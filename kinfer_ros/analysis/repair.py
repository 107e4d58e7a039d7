"""Repairs a run that a kill or a power cut ended: its bag and its run.json.

A killed recorder leaves an MCAP file without index and footer, and no metadata.yaml. Every reader
refuses that, although all but the last second is there. The damaged bag is kept, renamed.
"""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from kinfer_ros.analysis.log_parts import log_parts
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.atomic_file import replace_file
from kinfer_ros.errors import RunError
from kinfer_ros.recording.mcap_scan import Channel
from kinfer_ros.recording.mcap_scan import Scan
from kinfer_ros.run.directory import iso_utc
from kinfer_ros.run.writer import read_steps

SETTLED_S = 3.0
"""s without a change after which a file counts as closed: a recorder flushes every second."""

KILLED = 'killed'
"""`reason` in run.json of a run whose process could not say why it ended."""


@dataclass
class BagRepair:
    """
    What was done to one bag.

    :ivar kept: where the damaged one is now; None: nothing was to be done.
    :ivar lost_bytes: bytes of it that could not be read.
    :ivar refused: topics left out, and why.
    """

    path: Path
    kept: Path | None = None
    messages: int = 0
    lost_bytes: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def bags_of(run: Path) -> list[Path]:
    """The bag directories of a run, in the order in which they were made."""
    found = [path for path in run.glob('bag*') if path.is_dir() and 'damaged' not in path.name]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def repair_bag(path: Path, now: float | None = None) -> BagRepair:
    """
    Write a bag again from what can be read of it; a whole bag is left alone.

    The damaged directory is renamed to `<name>-damaged`.

    :param now: s since the Unix epoch; default the present.
    :raises RunError: it is still written to, has no MCAP file, or the disk is full.
    """
    if (path / 'metadata.yaml').is_file():
        return BagRepair(path)
    files = sorted(path.glob('*.mcap'))
    if not files:
        raise RunError(f'{path}: no .mcap file in it, so there is nothing to repair')
    _check_settled(files[-1], time.time() if now is None else now)
    kept = _free(path.with_name(f'{path.name}-damaged'))
    path.rename(kept)
    try:
        return _rewrite([kept / file.name for file in files], path, kept)
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        kept.rename(path)
        if isinstance(error, OSError):
            raise RunError(f'{path}: cannot be written ({error.strerror})') from error
        raise


def _check_settled(file: Path, now: float) -> None:
    age = now - file.stat().st_mtime
    if age < SETTLED_S:
        raise RunError(
            f'{file}: was written to {max(age, 0.0):.1f} s ago: a recorder may still be at work; '
            f'stop it, or try again in {SETTLED_S:g} s'
        )


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f'{path.name}-{number}')
    return free


def _rewrite(files: Iterable[Path], path: Path, kept: Path) -> BagRepair:
    repair = BagRepair(path, kept)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections: dict[Channel, Any] = {}
        for file in files:
            scan = Scan()
            for message in scan.messages(file.read_bytes()):
                channel = message.channel
                if channel not in connections:
                    connections[channel] = _connect(writer, channel, repair)
                if connections[channel] is not None:
                    writer.write(connections[channel], message.stamp_ns, message.data)
                    repair.messages += 1
            repair.lost_bytes += scan.lost_bytes
        writer.set_custom_data('repaired', f'{repair.lost_bytes} bytes could not be read')
    return repair


def _connect(writer: Writer, channel: Channel, repair: BagRepair) -> Any:
    """Add a topic with the definition in the bag; None where rosbags refuses it."""
    try:
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(channel.definition, channel.msgtype))
        return writer.add_connection(
            channel.topic,
            channel.msgtype,
            typestore=store,
            offered_qos_profiles=parse_qos(channel.qos),
        )
    except Exception as error:  # rosbags' parser has no one base for what it raises
        repair.refused[channel.topic] = f'{channel.msgtype}: {error}'
        return None


def missing_steps(run: RecordedRun) -> tuple[int, list[list[int]]]:
    """
    Count the records of the step log, and list what is missing between them.

    :return: records; [first, last] step_id of each gap.
    """
    count, expected = 0, 0
    gaps: list[list[int]] = []
    for record in run.records():
        step_id = record.get('step_id')
        if not isinstance(step_id, int):
            continue
        count += 1
        if step_id > expected:
            gaps.append([expected, step_id - 1])
        expected = max(expected, step_id + 1)
    return count, gaps


def repair_facts(path: Path, now: datetime | None = None) -> list[str]:
    """
    Write into run.json that the run was killed, and what its step log holds, unless it ended.

    :return: what was done, in words; empty for a run that had ended.
    :raises RunError: run.json cannot be read or written.
    """
    run = RecordedRun.open(path)
    if run.facts.get('ended'):
        return []
    ended, count = None, 0
    gaps: list[list[int]] = []
    logs = [log for log in log_parts(run.log) if log.exists()]
    if logs:
        _check_settled(logs[-1], (now or datetime.now(UTC)).timestamp())
        count, gaps = missing_steps(run)
        ended = _last_time(run)
    repaired = {
        'records': count,
        'missing': gaps,
        'damaged_lines': len(run.damaged),
        'repaired': iso_utc(now or datetime.now(UTC)),
    }
    facts = dict(run.facts) | {'ended': ended, 'reason': KILLED, 'repair': repaired}
    try:
        replace_file(path / 'run.json', orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise RunError(f'{path}/run.json: cannot be written ({error.strerror})') from error
    text = f'run.json: ended {ended}, {count} records'
    return [text + (f', missing steps {gaps}' if gaps else ', none missing')]


def _last_time(run: RecordedRun) -> str | None:
    """Time of the last record, ISO 8601."""
    last = None
    for record in read_steps(run.log, run.offset):
        last = record.get('t_us', last)
    if not isinstance(last, int):
        return None
    return iso_utc(datetime.fromtimestamp(last / 1e6, UTC))
