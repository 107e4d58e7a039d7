"""Finds joints whose gains do in the simulation something else than they say."""

from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.model import FittedModel

MOST_DAMPING = 1.0
"""kd dt / I of a joint. Over 1 a step turns the velocity round, over 2 it grows with each step."""
MOST_PASSIVE = 0.5
"""Damping of the MJCF's joint, as a share of kd, beside which kd still says how damped it is."""
MARGIN = 1.2
"""Of the remedies."""
LISTED = 6
"""Joints in one warning."""


def joint_warnings(
    fitted: FittedModel, data: Any, names: tuple[str, ...], kp: Float64, kd: Float64
) -> dict[str, str]:
    """
    Say what is wrong with gains (Nm/rad, Nm s/rad, each [N]) in a simulation.

    :param data: of a state whose forces are computed.
    :return: one text for each subject, with joints, figures and remedies; '' if all is well.
    """
    return {
        'joint stability': _unstable(fitted, data, names, kp, kd),
        'joint damping': _damped_twice(fitted, names, kd),
    }


def _unstable(
    fitted: FittedModel, data: Any, names: tuple[str, ...], kp: Float64, kd: Float64
) -> str:
    model = fitted.model
    step = float(model.opt.timestep)
    inertia = _inertia(fitted, data)
    explicit = np.where(fitted.servo, _servo_kd(fitted, kd), kd)
    # Symplectic Euler is stable while kd dt / I + kp dt^2 / (2 I) is below 2.
    figure = step * (explicit + 0.5 * step * kp) / inertia
    found = np.flatnonzero(figure > MOST_DAMPING)
    if not found.size:
        return ''
    figures = [f'{names[i]} ({figure[i]:.2g}, I {inertia[i]:.2g} kg m^2)' for i in found]
    armature = MARGIN * float((step * (explicit + 0.5 * step * kp) - inertia)[found].max())
    shorter = step / (MARGIN * float(figure.max()))
    return (
        f'explicit PD cannot be stable at a physics step of {step:g} s: kd dt / I is over '
        f'{MOST_DAMPING:g} for {_listed(figures)}. Give the joint an armature (for all of them '
        f'{armature:.2g} kg m^2 or more) in the MJCF, a physics step of '
        f'{shorter:.1g} s, or a <position> servo with the integrator '
        'implicitfast'
    )


def _servo_kd(fitted: FittedModel, kd: Float64) -> Float64:
    """Return the part of a servo's kd that the integrator does not take implicitly."""
    implicit = (mujoco.mjtIntegrator.mjINT_IMPLICIT, mujoco.mjtIntegrator.mjINT_IMPLICITFAST)
    if fitted.model.opt.integrator in implicit:
        return np.zeros(kd.size)
    return np.maximum(kd - fitted.passive_kd, 0.0)


def _inertia(fitted: FittedModel, data: Any) -> Float64:
    """Return the inertia [N] that each joint moves while all others are free, kg m^2."""
    model = fitted.model
    unit = np.eye(model.nv)[fitted.dof]
    answer = np.empty_like(unit)
    mujoco.mj_solveM(model, data, answer, unit)
    inverse = answer[np.arange(fitted.dof.size), fitted.dof]
    # The integrator takes the joint's own damping implicitly.
    damping = model.opt.timestep * model.dof_damping[fitted.dof]
    return np.asarray(1.0 / inverse + damping, np.float64)


def _damped_twice(fitted: FittedModel, names: tuple[str, ...], kd: Float64) -> str:
    more = fitted.model.dof_damping[fitted.dof] - fitted.passive_kd
    found = np.flatnonzero(more > MOST_PASSIVE * kd)
    if not found.size:
        return ''
    figures = [f'{names[i]} (kd {kd[i]:.3g}, in all {kd[i] + more[i]:.3g})' for i in found]
    return (
        'the MJCF damps these joints besides kd, Nm s/rad: '
        f'{_listed(figures)}. Is the damping of the joint meant as the kd of its actuator? Then '
        'remove one of the two from the MJCF'
    )


def _listed(figures: list[str]) -> str:
    more = f' and {len(figures) - LISTED} more' if len(figures) > LISTED else ''
    return ', '.join(figures[:LISTED]) + more
