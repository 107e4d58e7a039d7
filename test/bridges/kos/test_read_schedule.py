"""When the KOS bridge reads."""

from __future__ import annotations

from kinfer_ros.bridges.kos.loop import ReadSchedule


def test_schedule_skips_and_steers():
    """Late reads are skipped and counted; the phase goes where commands want it."""
    schedule = ReadSchedule(5_000_000, lead_ns=1_000_000)
    assert schedule.next_read(0) == 5_000_000
    assert schedule.next_read(21_000_000) == 25_000_000
    assert schedule.skipped == 3
    due = 25_000_000
    for k in range(200):
        schedule.on_command(20_000_000 * k + 13_000_000)  # wants reads at 12 ms, modulo 5: 2 ms
        due = schedule.next_read(due)
    assert abs(due % 5_000_000 - 2_000_000) < 50_000
