"""Checks of a policy spec that need the gains of the training: torque clips, wheels."""

import math
from collections.abc import Sequence

from kinfer_ros.policy.spec.action import ActionSpec
from kinfer_ros.yaml_file import Section


def check_torque_clip(
    root: Section,
    action: ActionSpec,
    joints: Sequence[str],
    gains: tuple[Sequence[float] | None, Sequence[float] | None],
) -> None:
    """
    Check that the torque of a target can be known.

    :param gains: kp and kd, in the order of `joints`.
    """
    limits = action.torque_clip
    if limits is None:
        return
    if gains[0] is None or gains[1] is None:
        root.problem('found torque_clip, expected gains with kp and kd as well', 'action')
        return
    kp = dict(zip(joints, gains[0], strict=True))
    for name, limit in zip(action.joints, limits, strict=True):
        if math.isfinite(limit) and not kp[name] > 0.0:
            root.problem(
                f'found torque_clip of {name}, whose kp is {kp[name]:g}, expected more: its '
                'targets ask for no torque',
                'action',
            )


def check_wheels(section: Section, wheels: dict[str, tuple[float, float]]) -> None:
    """
    The torque of a wheel is kd (target - speed): stiffness would pull it back to an angle.

    :param wheels: kp and kd, by name.
    """
    for name, (kp, kd) in wheels.items():
        if kp != 0.0:
            section.problem(
                f'found {kp:g} for {name}, expected 0: its target is a velocity (torque = kd '
                '(target - speed))',
                'kp',
            )
        if kd == 0.0:
            section.problem(f'found 0 for {name}, expected more: only kd turns a wheel', 'kd')
