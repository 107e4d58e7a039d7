"""Contacts with the ground against cases that are computed by hand."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from helpers.box import BOX
from kinfer_ros.evaluation import ground_contacts
from kinfer_ros.evaluation.ground_contacts import GroundContacts

WEIGHT = 2 * 9.81


class Box:
    """A box of 2 kg and 0.2 m that has come to rest on the floor."""

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(BOX)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_step(self.model, self.data, nstep=1000)
        self.contacts = GroundContacts(self.model, self.data)
        self.measure()

    def measure(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        self.contacts.measure()


@pytest.fixture
def box() -> Box:
    return Box()


def test_the_ground_carries_the_weight(box):
    """2 kg at rest: 19.62 N on the box, nothing in the air, and nothing on the world."""
    box.data.qpos[2] += 1.0
    box.measure()
    np.testing.assert_allclose(box.contacts.forces(), [[0.0, WEIGHT], [0.0, 0.0]], rtol=1e-3)


def test_slip_is_the_speed_of_what_touches(box):
    """A sliding box slides; a box that stands does not, and one in the air has no contact."""
    box.data.qvel[:2] = 0.3, 0.4
    box.measure()
    box.data.qpos[2] += 1.0
    box.measure()
    box.data.qpos[2] -= 1.0
    box.data.qvel[:] = 0.0
    box.data.qvel[5] = 2.0  # about its middle: every corner at the same speed
    box.measure()
    still, slides, turns = box.contacts.slips()
    assert still < 1e-3
    assert slides == pytest.approx(0.5, rel=1e-3)
    assert turns == pytest.approx(2.0 * 0.1 * np.sqrt(2), rel=1e-3)


def test_ticks_of_many_blocks_are_those_of_one(box, monkeypatch):
    """A long run is computed in pieces; the pieces must not show, nor must asking early."""
    monkeypatch.setattr(ground_contacts, 'BLOCK', 3)
    for tick in range(1, 8):
        box.data.qvel[0] = 0.1 * tick
        box.measure()
        if tick == 4:
            assert len(box.contacts.forces()) == 5
    assert len(box.contacts.forces()) == 8
    np.testing.assert_allclose(box.contacts.slips(), 0.1 * np.arange(8), atol=1e-3)


def test_a_run_without_a_tick_has_no_contact():
    """A policy that is refused at the start still has a result."""
    model = mujoco.MjModel.from_xml_string(BOX)
    contacts = GroundContacts(model, mujoco.MjData(model))
    assert contacts.forces().shape == (0, model.nbody)
    assert contacts.slips().shape == (0,)
