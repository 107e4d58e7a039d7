"""Measures a robot's contacts with the fixed world: the force on each body, and how they slip.

A tick only copies what MuJoCo has found; the figures of many ticks are computed together, which
takes a tenth of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices

BLOCK = 200
"""Ticks whose figures are computed together."""


@dataclass
class _Copies:
    """What was copied of the contacts of some ticks; a list has an entry for each tick."""

    counts: list[int] = field(default_factory=list)
    """Contacts of each tick, those of the robot with itself among them."""
    geoms: list[Any] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    """First row of each contact among the constraints; negative: it exerts no force."""
    positions: list[Float64] = field(default_factory=list)
    frames: list[Float64] = field(default_factory=list)
    forces: list[Float64] = field(default_factory=list)
    """[6] in the contact's frame, one for each contact."""
    velocities: list[Float64] = field(default_factory=list)
    """[bodies, 6], angular and linear, about the centre of mass of the body's tree."""
    centres: list[Float64] = field(default_factory=list)
    """[bodies, 3] these centres of mass."""


class GroundContacts:
    """
    The contacts of a simulated run; call `measure` once a tick.

    It reads the physics and changes nothing.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self._model = model
        self._data = data
        # Geoms and bodies of the world: a contact with one of them is one with the ground.
        self._body = model.geom_bodyid.astype(np.intp)
        self._fixed: Bools = model.body_weldid == 0
        self._root = model.body_rootid.astype(np.intp)
        self._copies = _Copies()
        self._forces: list[Float64] = []
        self._slips: list[Float64] = []

    def measure(self) -> None:
        """Copy the contacts of the present state."""
        copies, data = self._copies, self._data
        count = data.ncon
        copies.counts.append(count)
        if count:
            contact = data.contact
            copies.geoms.append(contact.geom.copy())
            copies.rows.append(contact.efc_address.copy())
            copies.positions.append(contact.pos.copy())
            copies.frames.append(contact.frame.copy())
            copies.velocities.append(data.cvel.copy())
            copies.centres.append(data.subtree_com.copy())
            for index in range(count):
                force = np.empty(6)
                mujoco.mj_contactForce(self._model, data, index, force)
                copies.forces.append(force)
        if len(copies.counts) == BLOCK:
            self._compute()

    def forces(self) -> Float64:
        """Return the size of the ground's force on each body, N [ticks, bodies]."""
        self._compute()
        return _joined(self._forces, (0, len(self._fixed)))

    def slips(self) -> Float64:
        """Return the mean tangential speed of the contact points, m/s, of ticks that have some."""
        self._compute()
        return _joined(self._slips, (0,))

    def _compute(self) -> None:
        """Compute the figures of the ticks that were copied."""
        copies, self._copies = self._copies, _Copies()
        ticks = len(copies.counts)
        force = np.zeros((ticks, len(self._fixed), 3))
        if copies.geoms:
            # With contacts only: a tick of the copies is one of those that have some.
            touched = np.flatnonzero(copies.counts)
            tick = np.repeat(np.arange(len(touched)), np.array(copies.counts)[touched])
            on_ground, body = self._grounded(copies)
            tick, body = tick[on_ground], body[on_ground]
            frame = np.concatenate(copies.frames)[on_ground].reshape(-1, 3, 3)
            wrench = np.array(copies.forces)[on_ground, :3]
            pushes = np.einsum('nij,ni->nj', frame, wrench)
            np.add.at(force, (touched[tick], body), pushes)
            speed = self._speed(copies, tick, body, on_ground)
            self._slips.append(_slip(speed, frame[:, 0], tick))
        if ticks:
            self._forces.append(np.sqrt(np.square(force).sum(axis=2)))

    def _grounded(self, copies: _Copies) -> tuple[Bools, Indices]:
        """Return which contacts are of a body with the fixed world, and the body of each."""
        geoms = np.concatenate(copies.geoms)
        bodies = self._body[np.maximum(geoms, 0)]
        fixed = self._fixed[bodies]
        on_ground = (np.concatenate(copies.rows) >= 0) & (fixed[:, 0] != fixed[:, 1])
        on_ground &= geoms.min(axis=1) >= 0  # what is flexible has no geom
        return on_ground, np.where(fixed[:, 0], bodies[:, 1], bodies[:, 0])

    def _speed(self, copies: _Copies, tick: Indices, body: Indices, on_ground: Bools) -> Float64:
        """Return the velocity of the bodies at their contact points, m/s [contacts, 3]."""
        twist = np.array(copies.velocities)[tick, body]
        centre = np.array(copies.centres)[tick, self._root[body]]
        arm = np.concatenate(copies.positions)[on_ground] - centre
        speed: Float64 = twist[:, 3:] + np.cross(twist[:, :3], arm)
        return speed


def _slip(speed: Float64, normal: Float64, tick: Indices) -> Float64:
    """Return the mean tangential speed by tick, of velocities [n, 3] and the ground's normals."""
    tangential = speed - (speed * normal).sum(axis=1, keepdims=True) * normal
    size = np.sqrt(np.square(tangential).sum(axis=1))
    _, tick = np.unique(tick, return_inverse=True)
    mean: Float64 = np.bincount(tick, size) / np.bincount(tick)
    return mean


def _joined(blocks: Sequence[Float64], empty: tuple[int, ...]) -> Float64:
    return np.concatenate(blocks) if blocks else np.zeros(empty)
