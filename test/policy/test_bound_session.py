"""The bound session: unusual graphs, failures, the direct call, finite checks."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.policies import models
from helpers.policies.policy_cases import OBS
from helpers.policies.policy_cases import write
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy import bound_graph
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.session import finite_check


@pytest.mark.parametrize('shape', [(), (0,), (1,), (2, 3), (2, 1, 4)])
def test_carry_of_any_rank(tmp_path, shape):
    """Only the carry can have any rank."""
    graph = models.Builder()
    following = graph.op('Add', 'carry', graph.const(1.0))
    action = graph.op('Identity', 'joint_angles')
    shapes = {'joint_angles': (2,), 'carry': shape}
    step = graph.build(shapes, {action: (2,), following: shape})
    policy = load_model(write(tmp_path, models.init_fn(np.full(shape, 2.0)), step))
    assert policy.contract.carry_shape == shape
    policy.step({'joint_angles': [0.0, 0.0]})
    policy.step({'joint_angles': [0.0, 0.0]})
    assert policy.carry.shape == shape
    assert (policy.carry == 4.0).all()


def test_output_that_is_an_input(tmp_path):
    """Onnxruntime passes such an output through and does not write the bound buffer."""
    graph = models.Builder()
    step = graph.build(
        {'joint_angles': (2,), 'carry': (3,)}, {'joint_angles': (2,), 'carry': (3,)}
    )
    policy = load_model(write(tmp_path, models.init_fn([1.0, 2.0, 3.0]), step))
    for value in (1.0, 2.0, 3.0):
        assert policy.step({'joint_angles': [value, 0.0]}).tolist() == [value, 0.0]
        assert policy.carry.tolist() == [1.0, 2.0, 3.0]


def test_output_that_is_a_constant(tmp_path):
    """Onnxruntime folds a constant action, which must still arrive."""
    graph = models.Builder()
    action = graph.op('Identity', graph.const([1.0, 2.0]))
    following = graph.op('Identity', graph.const([3.0]))
    step = graph.build({'joint_angles': (2,), 'carry': (1,)}, {action: (2,), following: (1,)})
    policy = load_model(write(tmp_path, models.init_fn([0.0]), step))
    for _ in range(3):
        assert policy.step({'joint_angles': [0.0, 0.0]}).tolist() == [1.0, 2.0]
        assert policy.carry.tolist() == [3.0]


def failing_step() -> bytes:
    """A step_fn that fails when command[0] is not the index of a joint."""
    graph = models.Builder()
    index = graph.op('Cast', graph.take('command', 0, 1), to=7)
    picked = graph.op('Gather', 'joint_angles', index, axis=0)
    action = graph.op('Add', 'joint_angles', picked)
    following = graph.op('Add', 'carry', graph.const([1.0]))
    shapes = {'joint_angles': (2,), 'command': (3,), 'carry': (1,)}
    return graph.build(shapes, {action: (2,), following: (1,)})


def test_failure_inside_the_model(tmp_path, capfd):
    """An onnxruntime error during a run is a short ModelError; nothing is printed."""
    policy = load_model(write(tmp_path, models.init_fn([0.0]), failing_step()))
    obs = {'joint_angles': [1.0, 2.0], 'command': [7.0, 0.0, 0.0]}
    with pytest.raises(ModelError, match=r'step_fn\.onnx: cannot be run: .*out of'):
        policy.step(obs)
    assert capfd.readouterr() == ('', '')
    assert policy.carry.tolist() == [0.0]
    with pytest.raises(RuntimeError, match='without an infer'):
        policy.accept()
    assert policy.step(obs | {'command': [1.0, 0.0, 0.0]}).tolist() == [3.0, 4.0]


def test_failure_because_of_a_broken_sensor(tmp_path):
    """Where a NaN makes onnxruntime fail, the error names the NaN."""
    policy = load_model(write(tmp_path, models.init_fn([0.0]), failing_step()))
    with pytest.raises(NonFiniteError, match='input command: found nan'):
        policy.step({'joint_angles': [1.0, 2.0], 'command': [np.nan, 0.0, 0.0]})


def test_public_api_is_enough(tmp_path, monkeypatch):
    """Without onnxruntime's private names the public wrapper is used."""
    calls = []

    def no_short_cut(session, bindings):
        calls.append(1)
        return real(Hidden(session), bindings)

    class Hidden:
        def __init__(self, session):
            self.run_with_iobinding = session.run_with_iobinding

    real = bound_graph._direct_call
    monkeypatch.setattr(bound_graph, '_direct_call', no_short_cut)
    policy = load_model(write(tmp_path, models.init_fn([4.0, -4.0]), models.leaky_step()))
    assert calls
    assert [policy.step(OBS).tolist() for _ in range(2)] == [[3.5, 0.5], [3.25, 2.75]]


def test_short_cut_is_taken(leaky):
    """A change in onnxruntime's private names must be noticed here."""
    assert leaky._session._graphs[0].call.__self__ is leaky._session.graph.session._sess


def test_two_policies_do_not_share(tmp_path):
    """Each policy has its own buffers."""
    path = write(tmp_path, models.init_fn([4.0, -4.0]), models.leaky_step())
    one, other = load_model(path), load_model(path)
    one.step(OBS)
    assert other.carry.tolist() == [4.0, -4.0]


def test_step_does_not_grow(tmp_path):
    """A step keeps no memory."""
    meta = models.metadata(12, models.COMMANDS_3)
    policy = load_model(write(tmp_path, *models.mlp_policy(), meta))
    obs = {each.name: np.zeros(each.shape, np.float32) for each in policy.contract.inputs}

    def run(steps):
        for _ in range(steps):
            policy.step(obs)
            policy.infer()
            policy.accept()

    tracemalloc.start()
    try:
        run(200)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        run(2000)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A few hundred bytes are the interpreter's own; one action more a step would be 100 kB.
    assert after - before < 2000
    assert peak - before < 4000


@given(
    hnp.arrays(
        np.float32,
        st.integers(0, 40),
        elements=st.one_of(
            st.floats(width=32), st.sampled_from([np.nan, np.inf, -np.inf, 3.4e38, 1e-45])
        ),
    )
)
@settings(max_examples=300, deadline=None)
@pytest.mark.parametrize('action', ['ignore', 'error'])
def test_quick_check_agrees_with_isfinite(action, vector):
    """Also on overflow, and with warnings as errors."""
    with warnings.catch_warnings(action=action):
        assert finite_check(vector)() == np.isfinite(vector).all()


@pytest.mark.filterwarnings('ignore:overflow encountered in dot')
def test_quick_check_of_a_long_vector():
    """Long vectors are checked in chunks, including the last element."""
    vector = np.ones(30_001, np.float32)
    check = finite_check(vector)
    assert check()
    for at in (0, 8191, 8192, 30_000):
        vector[at] = np.nan
        assert not check()
        vector[at] = 1e30
        assert check()
        vector[at] = 0.0
