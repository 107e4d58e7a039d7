"""A script written for kinfer runs here by changing its import, and gets the same actions."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from helpers.policies import models
from helpers.policies.kinfer_script import script_actions
from helpers.shared import kinfer_archives
from kinfer_ros.errors import ProviderError
from kinfer_ros.kinfer import ModelProviderABC
from kinfer_ros.kinfer import PyModelRunner
from kinfer_ros.policy.policy import load_model

SHIPPED = Path(__file__).parents[2] / 'robots' / 'biped' / 'walk.kinfer'
FAST = timedelta(milliseconds=1)


class Provider(ModelProviderABC):
    """As kinfer's examples are: what it needs is set in __new__."""

    def __new__(cls, inputs, slow_s=0.0):
        """Kinfer's base class, made in Rust, takes no arguments."""
        self = super().__new__(cls)
        self.inputs, self.slow_s = inputs, slow_s
        self.calls, self.actions, self.times = [], [], []
        return self

    def pre_fetch_inputs(self, input_types, metadata):
        """Note the call."""
        self.calls.append(('pre_fetch', list(input_types), time.monotonic()))

    def get_inputs(self, input_types, metadata):
        """:return: all inputs, whatever is asked for."""
        self.calls.append(('get', list(input_types), time.monotonic()))
        self.metadata = metadata
        return self.inputs

    def take_action(self, action, metadata):
        """Keep it."""
        self.times.append(time.monotonic())
        self.actions.append(np.array(action))
        time.sleep(self.slow_s)


@pytest.fixture
def leaky(tmp_path):
    """A policy with a carry that matters, and inputs for it."""
    path = models.write_kinfer(
        tmp_path / 'leaky.kinfer',
        models.init_fn([0.3, -0.2]),
        models.leaky_step(),
        models.metadata(2, ['xvel', 'yvel', 'yawrate']),
    )
    policy = load_model(path)
    return path, policy, {each.name: np.full(each.shape, 0.5) for each in policy.contract.inputs}


def test_the_loop_of_kinfer(leaky):
    """Inputs by name and without the carry, a fresh carry for each run, float32 actions."""
    path, policy, inputs = leaky
    provider = Provider(inputs | {'more': [1.0]})
    runner = PyModelRunner(str(path), provider, None)
    runner.run(FAST, total_steps=3)
    expected = [policy.step(inputs) for _ in range(3)]
    np.testing.assert_array_equal(provider.actions, expected)
    assert provider.actions[0].dtype == np.float32
    names = [each.name for each in policy.contract.inputs]
    assert [(call, asked) for call, asked, _ in provider.calls] == [('get', names)] * 3
    assert provider.metadata.joint_names == list(policy.contract.joint_names)
    assert provider.metadata.carry_size == list(policy.contract.carry_shape)
    runner.run(FAST, total_steps=1)
    np.testing.assert_array_equal(provider.actions[3], expected[0])
    runner.step_and_take_action()
    np.testing.assert_array_equal(provider.actions[4], expected[1])


def test_a_single_step_begins_with_the_carry_of_the_file(leaky):
    """Kinfer's own begins with zeros, for which no policy was trained."""
    path, policy, inputs = leaky
    provider = Provider(inputs)
    PyModelRunner(path, provider).step_and_take_action()
    np.testing.assert_array_equal(provider.actions[0], policy.step(inputs))


def test_time_of_the_loop(leaky):
    """Steps keep an absolute schedule, from one period after the start."""
    path, _, inputs = leaky
    provider = Provider(inputs)
    runner = PyModelRunner(path, provider, None)
    begin = time.monotonic()
    runner.run(timedelta(milliseconds=20), total_runtime=timedelta(milliseconds=200))
    assert provider.times[0] - begin >= 0.02
    assert 0.2 <= provider.times[-1] - begin < 2.0
    # On a busy machine steps are left out.
    assert 10 <= len(provider.actions) + runner.schedule.missed < 100
    assert runner.schedule.late.count == len(provider.actions)


def test_steps_that_are_late_are_left_out(leaky):
    """Not made in a burst, which would run the policy at many times its rate."""
    path, _, inputs = leaky
    provider = Provider(inputs, slow_s=0.05)
    runner = PyModelRunner(path, provider, None)
    runner.run(timedelta(milliseconds=10), total_steps=5)
    assert np.diff(provider.times).min() > 0.049
    assert runner.schedule.missed >= 12


def test_sensors_are_read_ahead(leaky):
    """Asked for, and read the given time later, so that the sample is fresh at the step."""
    path, policy, inputs = leaky
    provider = Provider(inputs)
    PyModelRunner(path, provider, 30).step_and_take_action()
    (first, asked, at), (second, _, then) = provider.calls
    assert (first, second) == ('pre_fetch', 'get')
    assert asked == [each.name for each in policy.contract.inputs]
    assert then - at >= 0.03


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'joint_angles': None}, 'Shape mismatch for joint_angles: expected 2 f32s, got 1'),
        ({'joint_angles': [0.1] * 3}, 'Shape mismatch for joint_angles: expected 2 f32s, got 3'),
        ({'joint_angles': ['a', 'b']}, 'input joint_angles: could not convert'),
        ({'joint_angles': [0.1, np.nan]}, 'input joint_angles: found nan at [1]'),
        ({'joint_angles': ...}, 'Missing input: joint_angles'),
    ],
)
def test_inputs_that_do_not_fit(leaky, change, words):
    """A RuntimeError, as kinfer raises; no action, and the carry stays."""
    path, policy, inputs = leaky
    wrong = {name: each for name, each in (inputs | change).items() if each is not ...}
    provider = Provider(wrong)
    runner = PyModelRunner(path, provider, None)
    with pytest.raises(RuntimeError, match='joint_angles') as error:
        runner.step_and_take_action()
    assert words in str(error.value)
    assert provider.actions == []
    provider.inputs = inputs
    runner.step_and_take_action()
    np.testing.assert_array_equal(provider.actions[0], policy.step(inputs))


def test_what_a_provider_raises_ends_the_run(leaky):
    """With its own error as the cause."""
    path, _, inputs = leaky
    provider = Provider(None)
    with pytest.raises(ProviderError, match=r'get_inputs returned a NoneType'):
        PyModelRunner(path, provider).run(FAST, total_steps=1)
    with pytest.raises(RuntimeError, match=r'get_inputs: NotImplementedError: Must') as error:
        PyModelRunner(path, ModelProviderABC()).run(FAST)
    assert isinstance(error.value.__cause__, NotImplementedError)
    with pytest.raises(ValueError, match='dt: found 0:00:00'):
        PyModelRunner(path, Provider(inputs)).run(timedelta(0))
    with pytest.raises(RuntimeError, match='no such file'):
        PyModelRunner('none.kinfer', provider)


def test_the_log_of_kinfer(leaky, tmp_path, monkeypatch):
    """One line a step with kinfer's keys, null where the policy lacks an input; appended to."""
    path, _, inputs = leaky
    monkeypatch.setenv('KINFER_LOG_PATH', str(tmp_path / 'logs'))
    monkeypatch.setenv('KINFER_LOG_UUID', '../run7')
    for steps in (3, 2):
        provider = Provider(inputs)
        runner = PyModelRunner(path, provider)
        runner.run(FAST, total_steps=steps)
        del runner
    lines = (tmp_path / 'logs' / 'run7.ndjson').read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record['step_id'] for record in records] == [0, 1, 2, 0, 1]
    assert list(records[0]) == [
        'step_id', 't_us', 'joint_angles', 'joint_vels', 'projected_g', 'accel', 'gyro',
        'command', 'output',
    ]  # fmt: skip
    assert records[0]['joint_angles'] == [0.5, 0.5]
    assert records[0]['gyro'] is None
    np.testing.assert_array_equal(np.float32(records[4]['output']), provider.actions[1])
    assert abs(records[0]['t_us'] / 1e6 - time.time()) < 60


@pytest.mark.parametrize('model', [SHIPPED, *kinfer_archives()[:1]], ids=lambda path: path.stem)
def test_a_script_for_kinfer_runs_by_changing_its_import(tmp_path, model):
    """The one that test_kinfer_peer.py runs in kinfer itself; here to the bit as `Policy.step`."""
    policy = load_model(model)
    rng = np.random.default_rng(3)
    inputs = {
        each.name: rng.uniform(-0.5, 0.5, (40, *each.shape)).astype(np.float32)
        for each in policy.contract.inputs
    }
    found = script_actions(model, inputs, tmp_path)
    policy.reset()
    rows = [{name: each[step] for name, each in inputs.items()} for step in range(40)]
    np.testing.assert_array_equal(found, [policy.step(row) for row in rows])
