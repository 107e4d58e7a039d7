"""What is asked of the operating system, and that it is given back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import pytest

from kinfer_ros.realtime import Realtime
from kinfer_ros.realtime import RealtimeConfig


def test_garbage_is_set_aside_and_comes_back() -> None:
    """A collector that stayed frozen would leak in a program that activates many times."""
    before = gc.get_freeze_count()
    realtime = Realtime()
    realtime.begin(RealtimeConfig())
    assert gc.get_freeze_count() > before
    assert realtime.granted == {}
    realtime.end()
    realtime.end()
    assert gc.get_freeze_count() == 0


def test_affinity_is_granted_and_given_back() -> None:
    """The thread of a user's executor must not stay on one CPU when the robot is at rest."""
    before = os.sched_getaffinity(0)
    cpu = min(before)
    realtime = Realtime()
    realtime.begin(RealtimeConfig(cpus=(cpu,)))
    assert os.sched_getaffinity(0) == {cpu}
    assert realtime.granted == {f'CPUs {cpu}': 'granted'}
    realtime.end()
    assert os.sched_getaffinity(0) == before


def test_what_the_system_refuses_is_said() -> None:
    """A wish that failed in silence would be looked for on a real robot."""
    realtime = Realtime()
    realtime.begin(RealtimeConfig(cpus=(1023,)))
    realtime.end()
    assert realtime.refused == ['CPUs 1023 refused: Invalid argument']


def test_no_number_is_too_large_to_be_refused() -> None:
    """A typing error in a YAML must not end in a traceback, with the collector frozen."""
    realtime = Realtime()
    realtime.begin(RealtimeConfig(cpus=(2**40,)))
    realtime.end()
    assert 'refused' in ' '.join(realtime.refused)
    assert gc.get_freeze_count() == 0


def test_one_session_does_not_end_what_another_holds() -> None:
    """Two robots in one process: the second's garbage stays set aside."""
    first, second = Realtime(), Realtime()
    first.begin(RealtimeConfig())
    second.begin(RealtimeConfig())
    first.end()
    assert gc.get_freeze_count() > 0
    second.end()
    assert gc.get_freeze_count() == 0


def test_a_thread_can_leave_the_live_one_alone() -> None:
    """It inherits priority and CPUs: a model that is loaded would else stop the ticks."""
    before = os.sched_getaffinity(0), os.sched_getscheduler(0)
    found: list[object] = []
    realtime = Realtime()
    realtime.begin(RealtimeConfig(cpus=(min(before[0]),), priority=10))

    def load() -> None:
        realtime.reset_thread()
        found.extend((os.sched_getaffinity(0), os.sched_getscheduler(0)))

    thread = threading.Thread(target=load)
    thread.start()
    thread.join(10.0)
    realtime.end()
    assert found == list(before)


@pytest.mark.skipif(os.geteuid() == 0, reason='root is granted everything')
def test_a_user_without_the_right_is_told_so() -> None:
    """The usual case: no limits.conf yet."""
    realtime = Realtime()
    realtime.begin(RealtimeConfig(priority=50))
    realtime.end()
    assert 'Operation not permitted' in ' '.join(realtime.refused)


def test_priority_and_memory_are_asked_for_and_given_back() -> None:
    """Whether they are granted depends on the machine; that nothing stays behind does not."""
    # In a process of its own: to lock all that this one holds takes seconds.
    found = subprocess.run(
        [sys.executable, '-c', ASK], capture_output=True, text=True, check=True, timeout=30
    )
    granted, during, after = found.stdout.split('|')
    assert granted == 'memory lock, priority 10'
    assert during in ('granted fifo', 'refused')
    assert after.strip() == 'as before'


ASK = """
import os
from kinfer_ros.realtime import Realtime, RealtimeConfig
before = os.sched_getscheduler(0)
realtime = Realtime()
realtime.begin(RealtimeConfig(priority=10, lock_memory=True))
granted = realtime.granted['priority 10'] == 'granted'
fifo = os.sched_getscheduler(0) == os.SCHED_FIFO
during = f"{'granted' if granted else 'refused'}{' fifo' if fifo else ''}"
realtime.end()
after = 'as before' if os.sched_getscheduler(0) == before else 'changed'
print(', '.join(sorted(realtime.granted)), during, after, sep='|')
"""
