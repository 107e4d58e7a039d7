"""Checks a policy set against a robot: each policy, the transitions, what changes with each."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import failed
from kinfer_ros.contract.simulation import check_simulation
from kinfer_ros.control.assembly import member_gains
from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.wheels import farthest_joint
from kinfer_ros.control.wheels import find_wheels
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.policy_set import PolicySet
from kinfer_ros.policy.sets.transition import Transition
from kinfer_ros.robot.robot import Robot


@dataclass(frozen=True)
class SetReport:
    """
    The report of a policy set.

    :ivar policies: rows of each policy.
    :ivar changes: what changes with each transition: gains, start pose; of a robot that fits.
    :ivar rows: of the set as a whole.
    """

    policies: dict[str, list[Row]]
    changes: dict[tuple[str, str], str]
    rows: list[Row]

    @property
    def all_rows(self) -> list[Row]:
        """Return all rows."""
        return [row for rows in self.policies.values() for row in rows] + self.rows


def check_set(loaded: LoadedSet, robot: Robot, command_entries: Sequence[str] = ()) -> SetReport:
    """
    Check all policies of a set against a robot, without a running graph.

    :param command_entries: as of `check_contract`.
    """
    policy_set = loaded.policy_set
    policies = {}
    for name, policy in loaded.policies.items():
        rows = check_contract(policy, robot, command_entries, policy_set.members[name])
        policies[name] = rows + check_simulation(policy.contract, robot)
    rows = [_check_rate(loaded), *_check_reach(policy_set)]
    changes = {}
    if not failed(row for rows_of in policies.values() for row in rows_of):
        changes = {
            (each.source, each.target): _changes(each, loaded, robot)
            for each in policy_set.transitions
        }
    return SetReport(policies, changes, rows)


def _check_rate(loaded: LoadedSet) -> Row:
    rate = loaded.entry.contract.control_rate_hz
    return Row('control rate', OK, f'{rate:g} Hz in all' if rate else 'none given in all')


def _check_reach(policy_set: PolicySet) -> list[Row]:
    """Find policies to which no transition leads: they can never run."""
    entry = policy_set.entry
    reached: list[str] = [entry]
    for name in reached:  # grows; the way after a fall counts as well
        ways = (each.target for each in policy_set.transitions if each.source == name)
        reached += [target for target in dict.fromkeys(ways) if target not in reached]
    lost = [name for name in policy_set.members if name not in reached]
    if lost:
        found = f'no transition leads from {entry} to {", ".join(lost)}'
        remedy = 'write a transition to it, or leave it out'
        return [Row('reachable', WARN, found, 'a way to each policy', remedy)]
    return [Row('reachable', OK, f'all from {entry}')]


def _changes(each: Transition, loaded: LoadedSet, robot: Robot) -> str:
    """Say which gains change, and how far the start poses are apart."""
    (source, own), (target, other) = (
        (loaded.policies[name].contract, loaded.policy_set.members[name])
        for name in (each.source, each.target)
    )
    before, after = member_gains(source, robot, own), member_gains(target, robot, other)
    counts = {
        key: int(np.count_nonzero(~np.isclose(getattr(before, key), getattr(after, key))))
        for key in ('kp', 'kd', 'torque_limit')
    }
    found = [f'{key} of {count}' for key, count in counts.items() if count]
    wheels = find_wheels(source, robot)
    worst, away = farthest_joint(start_pose(source, robot), start_pose(target, robot), wheels)
    text = f'{", ".join(found)} joints' if found else 'no gains'
    if away < 1e-6:
        return text
    return f'{text}; start pose by {away:.2f} rad ({robot.joint_names[worst]})'


def transition_table(
    policy_set: PolicySet, changes: Mapping[tuple[str, str], str] | None = None
) -> list[list[str]]:
    """
    Return the transitions as rows of texts, the head first.

    :param changes: what changes with each transition.
    """
    return [
        ['from', 'to', 'begins', 'how', 'conditions', *(['changes'] if changes else [])],
        *(_transition_row(each, changes or {}) for each in policy_set.transitions),
    ]


def _transition_row(each: Transition, changes: Mapping[tuple[str, str], str]) -> list[str]:
    begins = 'asked for' if each.automatic == 'no' else f'by itself: {each.automatic}'
    conditions = each.conditions.describe() or 'none'
    row = [each.source, each.target, begins, each.describe_way(), conditions]
    changed = changes.get((each.source, each.target))
    return row if changed is None else [*row, changed]


def transitions_json(
    policy_set: PolicySet, changes: Mapping[tuple[str, str], str] | None = None
) -> list[dict[str, str]]:
    """Return the same for --json."""
    head, *rows = transition_table(policy_set, changes)
    return [dict(zip(head, row, strict=True)) for row in rows]
