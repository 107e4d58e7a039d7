"""The height scan of a spec: its points, their order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import flat_models
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.spec.scan import ScanGrid
from kinfer_ros.policy.spec.spec import load_spec

GRID = {'size': [0.2, 0.1], 'resolution': 0.1, 'order': 'xy'}
SCAN = {'source': 'height_scan', 'grid': GRID}


def isaac_points(size, resolution, ordering):
    """As GridPatternCfg of Isaac Lab makes them."""
    x = np.arange(-size[0] / 2, size[0] / 2 + 1e-9, resolution)
    y = np.arange(-size[1] / 2, size[1] / 2 + 1e-9, resolution)
    grid = np.meshgrid(x, y, indexing='xy' if ordering == 'xy' else 'ij')
    return np.stack([each.ravel() for each in grid], axis=1)


@pytest.mark.parametrize('order', ['xy', 'yx'])
@pytest.mark.parametrize(
    ('size', 'resolution'), [([1.6, 1.0], 0.1), ([0.2, 0.1], 0.1), ([1.0, 0.35], 0.1), ([0, 0], 1)]
)
def test_points_are_those_of_isaac_lab(tmp_path, size, resolution, order):
    """A grid in another order looks right on level ground alone."""
    grid = {'size': size, 'resolution': resolution, 'order': order}
    spec = load_spec(
        flat_models.write_spec(
            tmp_path / 's.yaml', flat_models.spec([{'source': 'height_scan', 'grid': grid}])
        )
    )
    scan = spec.scan
    expected = isaac_points(size, resolution, order)
    np.testing.assert_allclose(scan.grid.points()[scan.places()], expected, atol=1e-9)
    assert scan.size == len(expected)


def test_the_centre_moves_all_points():
    """A scanner that looks ahead."""
    points = ScanGrid((0.2, 0.1), 0.1, (0.5, -0.1)).points()
    np.testing.assert_allclose(points.min(axis=0), [0.4, -0.15])
    np.testing.assert_allclose(points.max(axis=0), [0.6, -0.05])


@pytest.mark.parametrize(
    ('order', 'expected'), [('xy', [0, 1, 2, 3, 4, 5]), ('yx', [0, 3, 1, 4, 2, 5])]
)
def test_the_network_gets_them_in_its_order(tmp_path, order, expected):
    """Offset, clip and scale as for every term; the topic is row by row, x fastest."""
    term = SCAN | {'grid': GRID | {'order': order}, 'offset': -0.5, 'clip': [-1, 1], 'scale': 5.0}
    policy = flat_models.load(tmp_path, flat_models.linear(6)[0], flat_models.spec([term]))
    heights = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 9.0], np.float32)
    policy.step({'height_scan': heights, 'command': np.zeros(3)})
    wanted = (np.clip(heights - 0.5, -1.0, 1.0) * 5.0)[expected]
    np.testing.assert_allclose(policy._session.flat, wanted, atol=1e-6)


def test_points_without_a_grid_are_counted(tmp_path):
    """Other patterns: only their number is known."""
    term = {'source': 'height_scan', 'count': 4, 'scale': [1, 2, 3, 4]}
    policy = flat_models.load(tmp_path, flat_models.linear(4)[0], flat_models.spec([term]))
    (scan,) = (each for each in policy.contract.inputs if each.name == 'height_scan')
    assert (scan.shape, scan.unit) == ((4,), 'm')
    assert 'height scan: 4 points, in the order of the topic' in policy.contract.assumptions


def test_the_grid_is_listed_for_a_person(tmp_path):
    """No check can verify where the points of a training were."""
    policy = flat_models.load(tmp_path, flat_models.linear(6)[0], flat_models.spec([SCAN]))
    assert (
        'height scan: 3 x 2 points (x forward, y left), 0.1 m apart around (0, 0) m, x runs '
        'fastest, rear and right first'
    ) in policy.contract.assumptions


def test_a_robot_at_rest_stands_on_level_ground(tmp_path):
    """The height that the training subtracts; zero would be a step as high as the base."""
    term = SCAN | {'offset': -0.5}
    model = flat_models.linear(6)[0]
    policy = flat_models.load(tmp_path, model, flat_models.spec([term]))
    np.testing.assert_allclose(policy.target_at_rest(), flat_models.POSE, atol=1e-6)


def test_history_and_replay_from_the_carry(tmp_path):
    """Frames of a scan are frames like any other."""
    history = {'length': 3, 'layout': 'per_term', 'order': 'oldest_first', 'first': 'repeat'}
    content = flat_models.spec([SCAN], observation={'history': history})
    policy = flat_models.load(tmp_path, flat_models.linear(18)[0], content)
    rng = np.random.default_rng(4)
    steps = []
    for _ in range(5):
        obs = {'height_scan': rng.normal(size=6), 'command': np.zeros(3)}
        steps.append((obs, policy.carry.copy(), policy.step(obs)))
    for obs, carry, target in reversed(steps):
        policy.set_carry(carry)
        assert policy.step(obs).tobytes() == target.tobytes()


@pytest.mark.parametrize(
    ('term', 'words'),
    [
        ({}, 'found neither of grid and count'),
        ({'grid': GRID, 'count': 6}, 'found both of grid and count'),
        ({'count': 0}, 'a whole number from 1 to 4096'),
        ({'count': 5000}, 'a whole number from 1 to 4096'),
        ({'grid': GRID | {'order': 'up'}}, 'one of xy, yx'),
        ({'grid': {'size': [1, 1], 'resolution': 0.1}}, "missing key 'order'"),
        ({'grid': GRID | {'resolution': 0}}, 'from 0.001 to 100'),
        ({'grid': GRID | {'resolution': 0.01, 'size': [10, 10]}}, 'found 1001 x 1001 points'),
        ({'grid': GRID | {'size': [-1, 1]}}, 'two numbers from 0 to 100'),
        ({'grid': GRID | {'size': [1]}}, 'a list of 2 numbers'),
        ({'grid': GRID | {'center': ['a', 1]}}, 'a list of 2 numbers'),
        ({'grid': [1, 2]}, 'expected keys of its own'),
        ({'grid': GRID, 'frame': 'imu'}, "unknown key 'frame'"),
    ],
)
def test_what_is_no_scan_is_refused(tmp_path, term, words):
    """One clear line, and no guess."""
    content = flat_models.spec([{'source': 'height_scan'} | term])
    with pytest.raises(ModelError, match=words):
        load_spec(flat_models.write_spec(tmp_path / 's.yaml', content))


def test_two_scans_are_refused(tmp_path):
    """There is one topic."""
    other = SCAN | {'grid': GRID | {'size': [0.1, 0.2]}}
    with pytest.raises(ModelError, match='height scans with other points, expected one scan'):
        load_spec(flat_models.write_spec(tmp_path / 's.yaml', flat_models.spec([SCAN, other])))
    both = flat_models.spec([SCAN, SCAN | {'grid': GRID | {'order': 'yx'}}])
    assert load_spec(flat_models.write_spec(tmp_path / 't.yaml', both)).scan.size == 6


def test_another_width_than_the_network_is_refused(tmp_path):
    """The spec says 6 points."""
    with pytest.raises(ModelError):
        flat_models.load(tmp_path, flat_models.linear(7)[0], flat_models.spec([SCAN]))
