"""A height scan is a sensor like any other: awaited, of one width, finite, and never stale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.policy import load_model

GRID = {'size': [0.2, 0.1], 'resolution': 0.1, 'order': 'xy'}
SHAPE = (2, 3)
HEIGHTS = np.array([0.5, 0.4, 0.3, 0.5, 0.4, 0.3], np.float32)


class Seeing(Rig):
    """A rig that also gives a height scan, until it is told to stop."""

    silent = False
    heights = HEIGHTS

    def sense(self) -> None:
        """A fresh sample of everything."""
        super().sense()
        if not self.silent:
            self.frame.update_scan(self.heights, SHAPE, self.now)


def scan_policy(folder, name='scan', **grid):
    content = flat_models.spec(
        [{'source': 'height_scan', 'grid': GRID | grid}], default_pose=[0.0, 0.0, 0.0]
    )
    model = folder / f'{name}.onnx'
    model.write_bytes(flat_models.linear(6)[0])
    return load_model(model, spec=flat_models.write_spec(folder / f'{name}.yaml', content))


@pytest.fixture
def rig(tmp_path):
    robot = small_robot(tmp_path, tuple(flat_models.JOINTS), home=0.0)
    return Seeing(scan_policy(tmp_path), robot)


def test_the_scan_reaches_the_policy(rig):
    """As it was sent."""
    rig.run()
    inputs = rig.runner.bound.policy.inputs
    assert inputs['height_scan'].tobytes() == HEIGHTS.tobytes()


def test_a_stale_scan_is_a_fault(rig):
    """A robot that walks on old ground steps into what it has passed."""
    rig.run()
    rig.silent = True
    assert rig.tick(100) is Mode.FAULT
    assert 'height_scan is stale' in rig.controller.reason


def test_an_absent_scan_is_a_fault_and_awaited(rig):
    """As absent joint states are."""
    rig.silent = True
    rig.frame.scan_stamp_ns = 0
    assert 'no message yet on height_scan' in rig.controller.checks.missing_samples(
        rig.now, rig.now
    )
    rig.activate()
    rig.tick()
    assert rig.controller.mode is Mode.FAULT
    assert 'no message yet on height_scan' in rig.controller.reason


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_height_that_is_not_finite_is_a_fault(rig, bad):
    """A hole in the map: refused, never clamped."""
    rig.run()
    rig.heights = HEIGHTS.copy()
    rig.heights[4] = bad
    assert rig.tick() is Mode.FAULT
    assert f'height_scan: point 4 is {bad}, not a finite number' in rig.controller.reason


def test_level_ground_is_not_frozen(rig):
    """A robot that stands sees the same numbers for ever."""
    rig.run()
    for step in range(100):
        rig.frame.position[0] = rig.frame.gyro[0] = 1e-4 * step  # else these are frozen
        assert rig.tick() is Mode.RUN, rig.controller.reason


def test_an_older_scan_is_passed_over(rig):
    """Two publishers; the newest one stays."""
    rig.frame.update_scan(HEIGHTS, SHAPE, rig.now)
    rig.frame.update_scan(HEIGHTS + 1, SHAPE, rig.now - 1)
    assert rig.frame.scan[0] == HEIGHTS[0]
    assert rig.frame.scan_disorder == 1


@pytest.mark.parametrize(
    ('shape', 'words'),
    [
        ((3, 2), 'found 3 rows of 2 points, expected 2 of 3, or one row of 6'),
        ((1, 5), 'found 1 rows of 5 points'),
        ((6, 1), 'found 6 rows of 1 points'),
        ((0, 0), 'found 0 rows of 0 points'),
        ((100, 100), 'found 100 rows of 100 points'),
    ],
)
def test_another_width_is_refused(rig, shape, words):
    """Sides that are swapped have the right number of points in the wrong order."""
    before = rig.frame.scan.copy()
    with pytest.raises(ContractError, match=words):
        rig.frame.update_scan(np.ones(shape[0] * shape[1], np.float32), shape, rig.now)
    assert (rig.frame.scan == before).all()
    rig.frame.update_scan(HEIGHTS, (1, 6), rig.now)


def test_a_scan_that_cannot_be_used_is_a_fault_at_once(rig):
    """As malformed joint states are."""
    rig.run()
    rig.frame.scan_problem = 'height_scan: found 3 rows'
    assert rig.tick() is Mode.FAULT
    assert 'found 3 rows' in rig.controller.reason


def test_lockstep_waits_for_the_scan(rig, tmp_path):
    """A tick must not mix the ground of one state with the joints of another."""
    frame = rig.frame
    frame.joint_stamp_ns = frame.imu_stamp_ns = 20
    frame.scan_stamp_ns = 10
    assert (frame.oldest_ns, frame.newest_ns) == (10, 20)
    other = SensorFrame(small_robot(tmp_path))
    other.joint_stamp_ns = other.imu_stamp_ns = 20
    assert (other.oldest_ns, other.newest_ns) == (20, 20)


def test_other_points_cannot_take_over(rig, tmp_path):
    """The bridge goes on measuring those of the running policy."""
    running = rig.policy.contract
    other = scan_policy(tmp_path, 'other', center=[0.1, 0.0]).contract
    check_compatibility(scan_policy(tmp_path, 'same').contract, running, rig.robot, 50.0)
    with pytest.raises(ContractError, match='points of the height scan'):
        check_compatibility(other, running, rig.robot, 50.0)
