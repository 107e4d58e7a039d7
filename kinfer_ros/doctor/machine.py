"""Checks a machine's timing, shared memory, clocks and files, without changing anything.

Late ticks and lost samples often come from a CPU governor, a full /dev/shm or an unsynchronised
clock.
"""

import ctypes
import os
import re
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
SHM = '/dev/shm'  # noqa: S108 - only read
WARN_SHM = 64 * MEGABYTE
"""Fast DDS uses 0.5 MB for each participant, and some for each port; docker's default is 64 MB."""
MIN_SHM = 8 * MEGABYTE
MAX_STALE = 16
"""Stale segments before there is a warning: a killed process leaves two or three."""
MIN_RMEM = 212_992
"""Linux' default of net.core.rmem_max; with less, bursts lose samples."""
WARN_DISK, MIN_DISK = 1024 * MEGABYTE, 100 * MEGABYTE
MIN_MEMLOCK = 1024 * MEGABYTE
"""mlockall locks all mapped memory of a process, including ONNX Runtime and MuJoCo."""
GOOD_CLOCKS = ('tsc', 'kvm-clock', 'arch_sys_counter', 'hyperv_clocksource_tsc_page', 'xen')
TIME_ERROR = 5
"""Return value of adjtimex for an unsynchronised clock."""


def check_machine(runs_dir: Path, root: Path = Path('/')) -> list[Row]:
    """
    Run all checks of the machine.

    :param runs_dir: directory for the runs.
    :param root: parent of /proc, /sys and /dev.
    """
    return [
        _check_load(root),
        _check_kernel(root),
        _check_isolated_cpus(root),
        _check_governor(root),
        *_check_limits(),
        *_check_shared_memory(root),
        _check_receive_buffer(root),
        _check_clock_source(root),
        _check_clock_sync(),
        *_check_runs_dir(runs_dir),
    ]


def _read_text(path: Path) -> str:
    """Return the text of a kernel file; '' where it cannot be read."""
    try:
        return path.read_text(errors='replace').strip()
    except OSError:
        return ''


def _check_load(root: Path) -> Row:
    cores = len(os.sched_getaffinity(0))
    words = _read_text(root / 'proc/loadavg').split()
    if not words:
        return Row('load', OK, f'{cores} cores; load average not available')
    found = f'{float(words[0]):.1f} over the last minute, on {cores} cores'
    if float(words[0]) > cores:
        remedy = 'ticks will be late: stop other programs, or isolate a core'
        return Row('load', WARN, found, f'at most {cores}', remedy)
    return Row('load', OK, found)


def _check_kernel(root: Path) -> Row:
    version = _read_text(root / 'proc/version')
    release = ' '.join(version.split()[2:3]) or 'unknown'
    if _read_text(root / 'sys/kernel/realtime') == '1' or 'PREEMPT_RT' in version:
        return Row('kernel', OK, f'{release}, PREEMPT_RT')
    return Row('kernel', OK, f'{release}, without PREEMPT_RT (recommended above about 500 Hz)')


def _check_isolated_cpus(root: Path) -> Row:
    cpus = _read_text(root / 'sys/devices/system/cpu/isolated')
    return Row('isolated CPUs', OK, cpus or 'none (isolcpus= reserves a core for the ticks)')


def _check_governor(root: Path) -> Row:
    files = sorted(root.glob('sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor'))
    found = sorted({_read_text(file) for file in files} - {''})
    if not found:
        return Row('CPU governor', OK, 'not available here')
    if found == ['performance']:
        return Row('CPU governor', OK, 'performance')
    remedy = 'sudo cpupower frequency-set -g performance'
    return Row('CPU governor', WARN, ', '.join(found), 'performance', remedy)


def _check_limits() -> list[Row]:
    """Check what the policy node's parameters thread_priority and lock_memory can get."""
    if os.geteuid() == 0:
        names = ('real-time priority', 'locked memory')
        return [Row(what, OK, 'allowed for root') for what in names]
    priority, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    memory, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return [_check_priority(priority), _check_memory(memory)]


def _check_priority(limit: int) -> Row:
    what = 'real-time priority'
    if limit:
        return Row(what, OK, 'unlimited' if limit < 0 else f'up to {limit}')
    found = 'none (RLIMIT_RTPRIO 0): thread_priority is not granted'
    remedy = "put '@realtime - rtprio 98' into /etc/security/limits.d, and yourself into realtime"
    return Row(what, WARN, found, 'some', remedy)


def _check_memory(limit: int) -> Row:
    what = 'locked memory'
    if limit < 0 or limit >= MIN_MEMLOCK:
        return Row(what, OK, 'unlimited' if limit < 0 else f'{limit / MEGABYTE:.0f} MB')
    found = f'{limit / MEGABYTE:.0f} MB (RLIMIT_MEMLOCK): lock_memory is not granted'
    remedy = "put '@realtime - memlock unlimited' into /etc/security/limits.d"
    return Row(what, WARN, found, 'unlimited', remedy)


def _check_shared_memory(root: Path) -> list[Row]:
    folder = root / 'dev/shm'
    try:
        stat = os.statvfs(folder)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        remedy = 'mount a tmpfs on /dev/shm: Fast DDS of drivers and tools sends through it'
        return [Row(SHM, FAIL, str(error.strerror), 'a tmpfs', remedy)]
    size, free = stat.f_frsize * stat.f_blocks, stat.f_frsize * stat.f_bavail
    found = f'{free / MEGABYTE:.0f} of {size / MEGABYTE:.0f} MB free'
    row = Row(SHM, OK, found)
    if free < WARN_SHM:
        verdict = FAIL if free < MIN_SHM else WARN
        remedy = 'remove stale files there; in a container: docker run --shm-size=512m'
        row = Row(SHM, verdict, found, f'{WARN_SHM // MEGABYTE} MB free', remedy)
    return [row, _check_stale_segments(folder, names, _locked_inodes(root))]


def _locked_inodes(root: Path) -> set[int]:
    """Return the inodes of the files that a running process has locked."""
    device_inodes = re.findall(r'\S+:\S+:(\d+)\b', _read_text(root / 'proc/locks'))
    return {int(inode) for inode in device_inodes}


def _check_stale_segments(folder: Path, names: Sequence[str], locked: set[int]) -> Row:
    """Count Fast DDS segments whose lock file is not locked: their process was killed."""
    stale, size = 0, 0
    for name in names:
        if name.startswith(('fastdds_', 'fastrtps_')) and f'{name}_el' in names:
            try:
                inode = (folder / f'{name}_el').stat().st_ino
                bytes_ = (folder / name).stat().st_size
            except OSError:
                continue  # it was just removed
            if inode not in locked:
                stale, size = stale + 1, size + bytes_
    found = f'{stale} unused segments of Fast DDS, {size / MEGABYTE:.0f} MB'
    if stale > MAX_STALE:
        remedy = 'when no ROS runs here: fastdds shm clean, or rm /dev/shm/fast{dds,rtps}_*'
        return Row('stale memory', WARN, found, f'at most {MAX_STALE}', remedy)
    return Row('stale memory', OK, found)


def _check_receive_buffer(root: Path) -> Row:
    text = _read_text(root / 'proc/sys/net/core/rmem_max')
    if not text.isdigit():
        return Row('net.core.rmem_max', OK, 'not available here')
    if int(text) < MIN_RMEM:
        remedy = f'sudo sysctl net.core.rmem_max={MIN_RMEM}'
        return Row('net.core.rmem_max', WARN, text, f'{MIN_RMEM} bytes', remedy)
    return Row('net.core.rmem_max', OK, f'{text} bytes')


def _check_clock_source(root: Path) -> Row:
    found = _read_text(root / 'sys/devices/system/clocksource/clocksource0/current_clocksource')
    if not found or found in GOOD_CLOCKS:
        return Row('clock source', OK, found or 'not available here')
    remedy = 'reading the clock takes microseconds: see dmesg for why the kernel dropped tsc'
    return Row('clock source', WARN, found, 'tsc', remedy)


def _check_clock_sync() -> Row:
    """Check whether chrony, ntpd or ptp synchronises the clock."""
    buffer = ctypes.create_string_buffer(512)  # struct timex; its first field 0: read only
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return Row('clock is kept', OK, 'not available here')
    if state == TIME_ERROR:
        remedy = 'several hosts of a robot need one time: chrony or ptp4l (a single host does not)'
        return Row('clock is kept', WARN, 'not synchronised', 'chrony, ntpd or ptp', remedy)
    return Row('clock is kept', OK, 'synchronised')


def _check_runs_dir(runs_dir: Path) -> list[Row]:
    folder = runs_dir.expanduser().absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = 'set runs_dir to a writable directory'
        found = f'{folder}: {error.strerror}'
        return [Row('run directory', FAIL, found, 'a writable directory', remedy)]
    found = f'{free / MEGABYTE:.0f} MB free'
    disk = Row('disk', OK, found)
    if free < WARN_DISK:
        verdict = FAIL if free < MIN_DISK else WARN
        remedy = 'python -m kinfer_ros runs --older 20 --remove'
        disk = Row('disk', verdict, found, f'{WARN_DISK // MEGABYTE} MB', remedy)
    return [Row('run directory', OK, f'{folder} is writable'), disk]
