"""A policy at another control rate than that of its training: only where it was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies.getup import getup_set
from helpers.walking import MODEL
from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.parameters import POLICY_PARAMETERS
from kinfer_ros.run.setup import load_setup
from kinfer_ros.run.setup import other_rate

DEFAULTS = {each.name: each.default for each in POLICY_PARAMETERS}


def given(**more):
    return DEFAULTS | {'robot': 'biped', 'model': str(MODEL)} | more


@pytest.mark.parametrize('rate', [0.0, 50.0])
def test_its_own_rate_needs_no_words(rate):
    """0 is the file's."""
    assert load_setup(given(control_rate=rate)).rate_hz == 50.0


@pytest.mark.parametrize('rate', [25.0, 100.0, 49.0])
def test_another_rate_is_refused_unless_it_was_asked_for(rate):
    """A policy at half its rate sees a robot that moves twice as far in a step."""
    with pytest.raises(ConfigError, match=f'found {rate:g} Hz, expected 50 Hz') as caught:
        load_setup(given(control_rate=rate))
    assert 'other_control_rate' in str(caught.value)
    assert load_setup(given(control_rate=rate, other_control_rate=True)).rate_hz == rate


def test_runs_of_earlier_versions_load(tmp_path):
    """They have no such parameter, and a gait clock at the policy's own rate."""
    old = given(control_rate=25.0)
    del old['other_control_rate']
    assert load_setup(old).rate_hz == 25.0
    assert other_rate(old) is None
    assert other_rate(given(control_rate=25.0)) is None
    assert other_rate(given(control_rate=25.0, other_control_rate=True)) == 25.0


def test_the_gait_clock_keeps_its_frequency(tmp_path):
    """At half the rate it moves twice as far in a step."""
    content = flat_models.spec(
        [{'source': 'phase', 'encoding': ['phase']}],
        phase={'frequency': 1.0, 'start': [0.0], 'wrap': 'none'},
    )
    path = tmp_path / 'policy.onnx'
    path.write_bytes(flat_models.linear(1)[0])
    spec = flat_models.write_spec(tmp_path / 'spec.yaml', content)
    for rate in (None, 25.0):
        policy = load_model(path, spec=spec, control_rate_hz=rate)
        found = []
        for _ in range(3):
            policy.step({each.name: np.zeros(each.shape) for each in policy.contract.inputs})
            found.append(float(policy._session.flat[0]))
        step = 2.0 * np.pi / (rate or 50.0)
        np.testing.assert_allclose(np.diff(found), step, atol=1e-5)


def test_a_button_of_a_set_that_a_parameter_has_is_refused(tmp_path):
    """At configure, before anything can be pressed."""
    path = tmp_path / 'set.yaml'
    path.write_text(f'enter: walk\npolicies:\n  walk: {{model: {MODEL}, button: 2}}\n')
    wanted = given(model='', policies=str(path))
    assert load_setup(wanted).buttons == {'walk': 2}
    with pytest.raises(ConfigError, match=r'set.yaml: policies.walk.button: found 2, which the'):
        load_setup(wanted | {'joy_motion_stop_button': 2})


def test_recovery_needs_a_dead_man_button_and_a_policy_to_get_up_with(tmp_path):
    """Where it is allowed and could not happen, somebody relies on what is not there."""
    policies = {'model': '', 'policies': str(getup_set(tmp_path))}
    with pytest.raises(ConfigError, match='without a dead-man button') as caught:
        load_setup(given(**policies, allow_recovery=True))
    assert 'joy_deadman_button' in str(caught.value)
    with pytest.raises(ConfigError, match='but no policy to get up with'):
        load_setup(given(allow_recovery=True, joy_deadman_button=1))
    text = (tmp_path / 'set.yaml').read_text().replace('automatic: fallen, timeout_s: 3.0', '')
    (tmp_path / 'set.yaml').write_text(text.replace('to: getup, }', 'to: getup}'))
    with pytest.raises(ConfigError, match='but no policy to get up with'):
        load_setup(given(**policies, allow_recovery=True, joy_deadman_button=1))


def test_what_follows_a_fall_is_said_at_the_start(tmp_path):
    """A set with a get-up does nothing of the kind unless the operator allows it."""
    policies = {'model': '', 'policies': str(getup_set(tmp_path)), 'joy_deadman_button': 1}
    setup = load_setup(given(**policies))
    assert not setup.controller.recovery.allowed
    assert 'after a fall: a fault, latched (allow_recovery is false)' in setup.describe()
    setup = load_setup(given(**policies, allow_recovery=True))
    assert setup.controller.recovery.allowed
    assert 'after a fall: at most 2 recoveries' in setup.describe()
    assert 'after a fall' not in load_setup(given()).describe()
