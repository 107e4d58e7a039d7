"""Looks at what a machine does to timing, shared memory, clocks and files.

Without this module late ticks and lost samples would be searched in the code, when a governor, a
full /dev/shm or a clock that nobody sets is to blame. Everything is read, nothing is changed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row

MEGABYTE = 1 << 20
SHM = '/dev/shm'  # noqa: S108 - it is looked at, nothing is written there
GOOD_SHM = 64 * MEGABYTE
"""Fast DDS takes half a MB a participant and some for each port; docker gives 64 MB in all."""
MIN_SHM = 8 * MEGABYTE
MAX_STALE = 16
"""Segments that nobody holds before it is worth a word: a kill leaves two or three."""
MIN_RMEM = 212_992
"""Linux' own default of net.core.rmem_max; less drops samples that come in a burst."""
GOOD_DISK, MIN_DISK = 1024 * MEGABYTE, 100 * MEGABYTE
MIN_MEMLOCK = 1024 * MEGABYTE
"""mlockall takes all that a process maps, ONNX Runtime and MuJoCo with it."""
GOOD_CLOCKS = ('tsc', 'kvm-clock', 'arch_sys_counter', 'hyperv_clocksource_tsc_page', 'xen')
TIME_ERROR = 5
"""What adjtimex returns while nobody keeps the clock."""


def check_machine(runs_dir: Path, root: Path = Path('/')) -> list[Row]:
    """
    Look at everything.

    :param runs_dir: where runs will be written.
    :param root: of /proc, /sys and /dev.
    """
    return [
        _load(root),
        _kernel(root),
        _isolated(root),
        _governor(root),
        *_limits(),
        *_shared_memory(root),
        _receive_buffer(root),
        _clock_source(root),
        _clock_is_kept(),
        *_runs(runs_dir),
    ]


def _text(path: Path) -> str:
    """What a file of the kernel says; '' where there is none."""
    try:
        return path.read_text(errors='replace').strip()
    except OSError:
        return ''


def _load(root: Path) -> Row:
    cores = len(os.sched_getaffinity(0))
    words = _text(root / 'proc/loadavg').split()
    if not words:
        return Row('load', OK, f'{cores} cores; no load average to be seen')
    found = f'{float(words[0]):.1f} over the last minute, on {cores} cores'
    if float(words[0]) > cores:
        remedy = 'ticks will be late: end what else runs, or isolate a core'
        return Row('load', WARN, found, f'at most {cores}', remedy)
    return Row('load', OK, found)


def _kernel(root: Path) -> Row:
    version = _text(root / 'proc/version')
    release = ' '.join(version.split()[2:3]) or 'unknown'
    if _text(root / 'sys/kernel/realtime') == '1' or 'PREEMPT_RT' in version:
        return Row('kernel', OK, f'{release}, PREEMPT_RT')
    return Row('kernel', OK, f'{release}, without PREEMPT_RT (wanted from some 500 Hz on)')


def _isolated(root: Path) -> Row:
    cpus = _text(root / 'sys/devices/system/cpu/isolated')
    return Row('isolated CPUs', OK, cpus or 'none (isolcpus= keeps a core for the ticks)')


def _governor(root: Path) -> Row:
    files = sorted(root.glob('sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor'))
    found = sorted({_text(file) for file in files} - {''})
    if not found:
        return Row('CPU governor', OK, 'not to be seen here')
    if found == ['performance']:
        return Row('CPU governor', OK, 'performance')
    remedy = 'sudo cpupower frequency-set -g performance'
    return Row('CPU governor', WARN, ', '.join(found), 'performance', remedy)


def _limits() -> list[Row]:
    """What the parameters thread_priority and lock_memory of the policy node can be granted."""
    if os.geteuid() == 0:
        return [Row(what, OK, 'root may') for what in ('real-time priority', 'locked memory')]
    priority, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    memory, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return [_priority(priority), _memory(memory)]


def _priority(limit: int) -> Row:
    what = 'real-time priority'
    if limit:
        return Row(what, OK, 'unlimited' if limit < 0 else f'up to {limit}')
    found = 'none (RLIMIT_RTPRIO 0): thread_priority is not granted'
    remedy = "put '@realtime - rtprio 98' into /etc/security/limits.d, and yourself into realtime"
    return Row(what, WARN, found, 'some', remedy)


def _memory(limit: int) -> Row:
    what = 'locked memory'
    if limit < 0 or limit >= MIN_MEMLOCK:
        return Row(what, OK, 'unlimited' if limit < 0 else f'{limit / MEGABYTE:.0f} MB')
    found = f'{limit / MEGABYTE:.0f} MB (RLIMIT_MEMLOCK): lock_memory is not granted'
    remedy = "put '@realtime - memlock unlimited' into /etc/security/limits.d"
    return Row(what, WARN, found, 'unlimited', remedy)


def _shared_memory(root: Path) -> list[Row]:
    folder = root / 'dev/shm'
    try:
        stat = os.statvfs(folder)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        remedy = 'mount a tmpfs on /dev/shm: Fast DDS sends through it on one machine'
        return [Row(SHM, FAIL, str(error.strerror), 'a tmpfs', remedy)]
    size, free = stat.f_frsize * stat.f_blocks, stat.f_frsize * stat.f_bavail
    found = f'{free / MEGABYTE:.0f} of {size / MEGABYTE:.0f} MB free'
    room = Row(SHM, OK, found)
    if free < GOOD_SHM:
        verdict = FAIL if free < MIN_SHM else WARN
        remedy = 'remove what is stale there; in a container: docker run --shm-size=512m'
        room = Row(SHM, verdict, found, f'{GOOD_SHM // MEGABYTE} MB free', remedy)
    return [room, _stale(folder, names, _locked(root))]


def _locked(root: Path) -> set[int]:
    """Inodes of the files that a living process holds a lock on."""
    found = set()
    for line in _text(root / 'proc/locks').splitlines():
        place = next((word for word in line.split() if word.count(':') == 2), '')
        if place:
            found.add(int(place.rpartition(':')[2]))
    return found


def _stale(folder: Path, names: Sequence[str], locked: set[int]) -> Row:
    """Count the segments of Fast DDS whose lock file nobody holds: their process was killed."""
    stale, size = 0, 0
    for name in names:
        if name.startswith(('fastdds_', 'fastrtps_')) and f'{name}_el' in names:
            try:
                inode = (folder / f'{name}_el').stat().st_ino
                bytes_ = (folder / name).stat().st_size
            except OSError:
                continue  # it has just gone
            if inode not in locked:
                stale, size = stale + 1, size + bytes_
    found = f'{stale} segments of Fast DDS that nobody holds, {size / MEGABYTE:.0f} MB'
    if stale > MAX_STALE:
        remedy = 'when no ROS runs here: fastdds shm clean, or rm /dev/shm/fast{dds,rtps}_*'
        return Row('stale memory', WARN, found, f'at most {MAX_STALE}', remedy)
    return Row('stale memory', OK, found)


def _receive_buffer(root: Path) -> Row:
    text = _text(root / 'proc/sys/net/core/rmem_max')
    if not text.isdigit():
        return Row('net.core.rmem_max', OK, 'not to be seen here')
    if int(text) < MIN_RMEM:
        remedy = f'sudo sysctl net.core.rmem_max={MIN_RMEM}'
        return Row('net.core.rmem_max', WARN, text, f'{MIN_RMEM} bytes', remedy)
    return Row('net.core.rmem_max', OK, f'{text} bytes')


def _clock_source(root: Path) -> Row:
    found = _text(root / 'sys/devices/system/clocksource/clocksource0/current_clocksource')
    if not found or found in GOOD_CLOCKS:
        return Row('clock source', OK, found or 'not to be seen here')
    remedy = 'each look at the clock costs microseconds: why has the kernel given tsc up (dmesg)?'
    return Row('clock source', WARN, found, 'tsc', remedy)


def _clock_is_kept() -> Row:
    """Ask the kernel whether chrony, ntpd or ptp keeps its clock; changes nothing."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, whose first field says: read only
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return Row('clock is kept', OK, 'not to be seen here')
    if state == TIME_ERROR:
        remedy = 'hosts of one robot need one time: chrony or ptp4l (one host alone does not)'
        return Row('clock is kept', WARN, 'nobody sets it', 'chrony, ntpd or ptp', remedy)
    return Row('clock is kept', OK, 'synchronised')


def _runs(runs_dir: Path) -> list[Row]:
    folder = runs_dir.expanduser().absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = 'set runs_dir to a directory that can be written'
        found = f'{folder}: {error.strerror}'
        return [Row('run directory', FAIL, found, 'one that can be written', remedy)]
    found = f'{free / MEGABYTE:.0f} MB free'
    disk = Row('disk', OK, found)
    if free < GOOD_DISK:
        verdict = FAIL if free < MIN_DISK else WARN
        remedy = 'python -m kinfer_ros runs --older 20 --remove'
        disk = Row('disk', verdict, found, f'{GOOD_DISK // MEGABYTE} MB', remedy)
    return [Row('run directory', OK, f'{folder} can be written'), disk]
