"""Figures of a gait against cases that are computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.walking import MODEL
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.evaluation.condition import CONDITIONS
from kinfer_ros.evaluation.gait import GaitMeter
from kinfer_ros.evaluation.gait import acceleration_error
from kinfer_ros.evaluation.gait import double_support
from kinfer_ros.evaluation.gait import gait_frequency
from kinfer_ros.evaluation.gait import heading_error
from kinfer_ros.evaluation.gait import legs_of
from kinfer_ros.evaluation.gait import settle
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.robot.robot import load_robot

PERIOD = 0.02
LEFT = '####....####....####....####....'


def contacts(*feet: str) -> np.ndarray:
    return np.array([[letter == '#' for letter in foot] for foot in feet]).T


def test_strides_per_second():
    """A foot comes down every 8 ticks of 20 ms: 6.25 Hz; the other every 16: 3.125."""
    moving = np.full(32, True)
    assert gait_frequency(contacts(LEFT), moving, PERIOD) == pytest.approx(6.25)
    slow = '.########........########.......'
    both = contacts(LEFT, slow)
    # touch-downs at 8, 16, 24 (two strides), and at 1, 17 (one stride)
    assert gait_frequency(both, moving, PERIOD) == pytest.approx((6.25 + 6.25 + 3.125) / 3)
    assert gait_frequency(contacts('#' * 32), moving, PERIOD) is None
    assert gait_frequency(np.zeros((0, 0), bool), np.zeros(0, bool), PERIOD) is None


def test_only_strides_that_begin_under_a_command_count():
    """Shuffling while standing is no gait."""
    moving = np.arange(32) < 10
    uneven = '.#...#.......#.......#..........'  # touch-downs at 1, 5, 13, 21
    rates = [1 / (4 * PERIOD), 1 / (8 * PERIOD)]
    assert gait_frequency(contacts(uneven), moving, PERIOD) == pytest.approx(np.mean(rates))
    assert gait_frequency(contacts(uneven), ~np.full(32, True), PERIOD) is None


def test_double_support():
    """Both feet for 2 ticks, three times, then for 3 that do not end: 40 ms, 9 of 20 ticks."""
    feet = contacts('####..######..######', '..####..##..####.###')
    both = (feet.sum(axis=1) == 2).tolist()
    assert ''.join('#' if each else '.' for each in both) == '..##....##....##.###'
    seconds, share = double_support(feet, np.full(20, True), PERIOD)
    assert seconds == pytest.approx(0.04), 'three spans of two ticks; the last one has no end'
    assert share == pytest.approx(9 / 20)
    assert double_support(feet, np.full(20, False), PERIOD) == (None, None)
    seconds, share = double_support(feet, np.arange(20) < 6, PERIOD)
    assert (seconds, share) == (pytest.approx(0.04), pytest.approx(2 / 6))


def test_a_bounce_is_no_step():
    """One or two ticks in the air are 20 or 40 ms; three are a step."""
    settled = settle(contacts('##.##..##...##'), PERIOD)[:, 0]
    assert ''.join('#' if each else '.' for each in settled) == '#########...##'


def test_the_bodies_of_one_leg_are_one_foot():
    """Heel and toe strike one after the other; a body above both legs is no leg."""
    # world 0, base 1, pelvis 2, left: thigh 3, heel 4, toe 5; right: thigh 6, foot 7
    parents = [0, 0, 1, 2, 3, 3, 2, 6]
    assert legs_of(parents, [4, 5, 7]) == {3: [4, 5], 6: [7]}
    assert legs_of(parents, [4]) == {4: [4]}
    assert legs_of(parents, []) == {}
    assert legs_of(parents, [1, 4]) == {1: [1], 2: [4]}


def test_heading_against_the_integral_of_the_command():
    """Turning at 0.5 rad/s past pi as told is no error; standing instead is a ramp of error."""
    rates = np.full(500, 0.5)
    told = np.arange(500) * PERIOD * 0.5
    yaws = np.angle(np.exp(1j * (told + 3.0)))
    assert heading_error(yaws.tolist(), rates, PERIOD) == pytest.approx(0.0, abs=1e-9)
    assert heading_error([1.0] * 500, rates, PERIOD) == pytest.approx(
        np.sqrt(np.square(told).mean())
    )
    assert heading_error([], np.zeros(0), PERIOD) is None


def test_acceleration_against_that_of_the_command():
    """0.1 m/s more in each tick of 20 ms is 5 m/s^2; of the command it is 4 of them."""
    velocities = np.stack([0.1 * np.arange(11), np.zeros(11)], axis=1)
    commands = np.stack([0.08 * np.arange(11), np.zeros(11)], axis=1)
    still = acceleration_error(velocities, np.zeros((11, 2)), PERIOD)
    assert still == {'ax': pytest.approx(5.0), 'ay': 0.0}
    assert acceleration_error(velocities, commands, PERIOD)['ax'] == pytest.approx(1.0)
    assert acceleration_error(velocities[:1], commands[:1], PERIOD) == {'ax': None, 'ay': None}


def test_a_run_that_never_began_has_no_gait():
    """A policy that is refused at the start is a result, with its reason."""
    found = GaitMeter(MujocoRobot(load_robot('biped')), PERIOD).result()
    assert found == {
        'heading_error_rad': None, 'acceleration_error': {'ax': None, 'ay': None}, 'gait_hz': None,
        'double_support_s': None, 'double_support': None, 'forces_n': {}, 'slip_mps': None,
    }  # fmt: skip


def test_the_gait_of_a_walk_that_is_known():
    """The shipped policy has a phase of 0.64 s, weighs 12.9 kg, and stands on two feet."""
    walk = Job('forward', {'xvel': 0.3}, 'calm', CONDITIONS['calm'], 0, 4.0)
    record = run_job(Subject(MODEL, 'biped'), walk)
    assert record['gait_hz'] == pytest.approx(1 / 0.64, rel=0.02)
    assert 0.0 < record['double_support'] < 0.4
    assert set(record['forces_n']) == {'left_foot', 'right_foot'}
    assert record['heading_error_rad'] < 0.1
    standing = run_job(Subject(MODEL, 'biped'), replace(walk, command='stand', values={}))
    assert standing['gait_hz'] is None
    assert standing['double_support'] is None
    weight = sum(each['mean'] for each in standing['forces_n'].values())
    assert weight == pytest.approx(12.93 * 9.81, rel=0.03)
