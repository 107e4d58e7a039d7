"""Policies for several tests of policy/."""

from __future__ import annotations

import pytest

from helpers.policies import models
from helpers.policies import policy_cases as cases


@pytest.fixture
def leaky(tmp_path):
    """A policy with action = next = 0.5 carry + joint_angles + command[0], from (4, -4)."""
    return cases.load(tmp_path)


@pytest.fixture
def sqrt(tmp_path):
    """Action: joint_angles + sqrt of command 0; the carry counts from 10, + sqrt of command 1."""
    return cases.load(tmp_path, models.init_fn([10.0]), models.sqrt_step())
