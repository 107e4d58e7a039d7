"""Chooses the site of the IMU in an MJCF: the one that is rigid with the base.

A humanoid may have a second IMU in its torso, some joints above the base. A policy that was
trained with the base's falls with the torso's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco

USUAL_SITES = ('imu', 'imu_site', 'imu_link')


@dataclass(frozen=True)
class ImuSite:
    """
    The site of the IMU.

    :ivar name: None where the MJCF has no site for it; it is then put into the base.
    :ivar joints: between the base and the site; 0 if it is rigid with the base.
    :ivar others: sites that could be meant as well, each with its joints.
    """

    name: str | None
    joints: int
    others: tuple[tuple[str, int], ...] = ()

    def describe(self) -> str:
        """Say which site it is, where it is, and what else there is."""
        if self.name is None:
            return 'none in the MJCF: it is at the base'
        text = f'the site {self.name}, {_place(self.joints)}'
        if self.others:
            listed = ', '.join(f'{name} ({_place(joints)})' for name, joints in self.others)
            text += f'; also there: {listed}'
        return text

    def warning(self) -> str:
        """Return what is wrong with it, or ''."""
        if not self.joints:
            return ''
        rigid = [name for name, joints in self.others if not joints]
        hint = f'imu.site: {rigid[0]}' if rigid else 'imu.site'
        return (
            f'the IMU site {self.name} is {_place(self.joints)}: it moves against it, and so do '
            f'gyro and gravity of the policy. Choose one that is rigid with the base ({hint})'
        )


def find_imu_site(spec: Any, base: Any, asked: str | None, preferred: Sequence[str]) -> ImuSite:
    """
    Choose a site of an MJCF.

    :param base: the body of the base.
    :param asked: the name of a site that is there; None: the first of those preferred and of
        those with a gyro, one that is rigid with the base before all others.
    """
    sites = {site.name: site for site in spec.sites if site.name}
    gyros = [
        sensor.objname
        for sensor in spec.sensors
        if sensor.type == mujoco.mjtSensor.mjSENS_GYRO and sensor.objname in sites
    ]
    names = list(dict.fromkeys([name for name in (*preferred, *gyros) if name in sites]))
    joints = {name: _joints_above(sites[name].parent, base) for name in sites}
    if asked is not None:
        chosen = asked
    elif names:
        chosen = min(names, key=lambda name: joints[name] > 0)  # the first of equals
    else:
        return ImuSite(None, 0)
    others = tuple((name, joints[name]) for name in names if name != chosen)
    return ImuSite(chosen, joints[chosen], others)


def _joints_above(body: Any, base: Any) -> int:
    """Count the joints between a body and the base that it hangs on."""
    count = 0
    while body is not None and body.name != base.name:
        count += len(body.joints)
        body = body.parent
    return count


def _place(joints: int) -> str:
    if not joints:
        return 'rigid with the base'
    return f'{joints} joint{"s" if joints > 1 else ""} away from the base'
