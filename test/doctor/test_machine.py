"""The machine checks, on fake /proc, /sys and /dev trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinfer_ros.contract.report import Row
from kinfer_ros.doctor.machine import _check_memory
from kinfer_ros.doctor.machine import _check_priority
from kinfer_ros.doctor.machine import check_machine

GOOD = {
    'proc/loadavg': '0.10 0.20 0.30 1/100 4242',
    'proc/version': 'Linux version 6.8.1-rt (gcc) #1 SMP PREEMPT_RT',
    'proc/locks': '',
    'proc/sys/net/core/rmem_max': '212992',
    'sys/devices/system/cpu/isolated': '3',
    'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance',
    'sys/devices/system/clocksource/clocksource0/current_clocksource': 'tsc',
}


@pytest.fixture
def rows(tmp_path: Path):
    """Check a machine with the files of GOOD, with the given changes."""

    def look(**changes: str) -> dict[str, Row]:
        (tmp_path / 'dev/shm').mkdir(parents=True, exist_ok=True)
        for name, text in (GOOD | changes).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {row.what: row for row in check_machine(tmp_path / 'runs', tmp_path)}

    return look


def test_a_good_machine_has_nothing_to_mend(rows):
    """No warnings, apart from this machine's own limits and clock."""
    found = rows()
    mine = ('real-time priority', 'locked memory', 'clock is kept', 'disk')
    assert {row.what for row in found.values() if row.verdict != 'ok'} <= set(mine)
    assert 'PREEMPT_RT' in found['kernel'].found
    assert found['isolated CPUs'].found == '3'


@pytest.mark.parametrize(
    ('name', 'text', 'what'),
    [
        ('proc/loadavg', '900.0 1 1 1/1 1', 'load'),
        ('proc/sys/net/core/rmem_max', '4096', 'net.core.rmem_max'),
        (
            'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', 'powersave', 'CPU governor',
        ),
        (
            'sys/devices/system/clocksource/clocksource0/current_clocksource', 'hpet',
            'clock source',
        ),
    ],
)  # fmt: skip
def test_what_costs_time_is_a_warning_with_a_remedy(rows, name, text, what):
    """Not a failure."""
    row = rows(**{name: text})[what]
    assert row.verdict == 'warn'
    assert row.remedy


def test_limits_that_nobody_raised_are_told_with_the_parameter():
    """The warning names the parameter that is not granted."""
    assert [_check_priority(limit).verdict for limit in (0, 98, -1)] == ['warn', 'ok', 'ok']
    assert [_check_memory(limit).verdict for limit in (8 << 20, 1 << 30, -1)] == [
        'warn',
        'ok',
        'ok',
    ]
    assert 'thread_priority' in _check_priority(0).found
    assert 'lock_memory' in _check_memory(0).found


def test_a_container_that_shows_nothing_is_no_fault(tmp_path):
    """Without /proc and /sys each line is ok; without /dev/shm DDS is slow."""
    found = {row.what: row for row in check_machine(tmp_path, tmp_path)}
    assert [row.what for row in found.values() if row.verdict == 'fail'] == ['/dev/shm']
    assert all(row.found for row in found.values())


def test_only_segments_that_nobody_holds_are_stale(rows, tmp_path):
    """A running robot's segments are not stale."""
    folder = tmp_path / 'dev/shm'
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f'fastdds_{number:02}').write_bytes(b'0' * 100_000)
        (folder / f'fastdds_{number:02}_el').touch()
    (folder / 'fastrtps_without_lock_file').touch()
    (folder / 'somebody_elses').touch()
    assert rows()['stale memory'].verdict == 'warn'
    assert rows()['stale memory'].found.startswith('40 unused segments')
    held = [(folder / f'fastdds_{number:02}_el').stat().st_ino for number in range(30)]
    locks = '\n'.join(
        f'{n}: FLOCK  ADVISORY  WRITE 42 00:1b:{inode} 0 EOF' for n, inode in enumerate(held)
    )
    row = rows(**{'proc/locks': locks})['stale memory']
    assert row.verdict == 'ok'
    assert row.found.startswith('10 unused segments')


def test_a_run_directory_that_cannot_be_written_fails(tmp_path):
    """/proc is never writable."""
    found = {row.what: row for row in check_machine(Path('/proc/runs'), tmp_path)}
    assert found['run directory'].verdict == 'fail'
    assert found['run directory'].remedy


def test_a_run_directory_that_is_no_directory_goes_to_its_parent(tmp_path):
    """Runs create it."""
    found = {row.what: row for row in check_machine(tmp_path / 'a' / 'b', tmp_path)}
    assert str(tmp_path) in found['run directory'].found
    assert not (tmp_path / 'a').exists()
