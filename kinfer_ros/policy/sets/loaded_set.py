"""Loads the policies of a policy set, and checks that they can follow each other."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.motion.spec_motion import STOP
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.sets.policy_set import ALONE
from kinfer_ros.policy.sets.policy_set import MemberSpec
from kinfer_ros.policy.sets.policy_set import PolicySet
from kinfer_ros.policy.sets.policy_set import load_policy_set
from kinfer_ros.policy.sets.policy_set import set_of_one
from kinfer_ros.policy.sets.transition import MOTION_ENDED
from kinfer_ros.policy.sets.transition import Transition
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_together
from kinfer_ros.yaml_file import did_you_mean

Load = Callable[[MemberSpec], Policy]


@dataclass(frozen=True)
class LoadedSet:
    """
    A policy set, all of its policies loaded.

    :ivar policies: by name, in the order of the file.
    """

    policy_set: PolicySet
    policies: dict[str, Policy]

    @classmethod
    def of_one(cls, policy: Policy) -> 'LoadedSet':
        """Return the set of a policy that runs alone."""
        spec = policy.contract.spec
        alone = set_of_one(Path(policy.contract.path), spec.path if spec else None)
        return cls(alone, {ALONE: policy})

    @property
    def entry(self) -> Policy:
        """The policy that runs first."""
        return self.policies[self.policy_set.entry]

    def changed(self, before: 'LoadedSet') -> list[str]:
        """Return the policies whose files are others than before; one alone is always another."""
        return [
            name
            for name, policy in self.policies.items()
            if not self.is_set or _files(policy) != _files(before.policies[name])
        ]

    @property
    def is_set(self) -> bool:
        """Whether there is a set, not a policy alone."""
        return ALONE not in self.policies


def _files(policy: Policy) -> tuple[str, str, str]:
    """Return the hashes of what a policy is made of: model, spec and motion."""
    contract = policy.contract
    spec = contract.spec.sha256 if contract.spec is not None else ''
    return contract.sha256, spec, policy.timeline.sha256 if policy.timeline is not None else ''


def load_set(
    path: str | os.PathLike[str],
    load: Load = lambda each: load_model(each.model, each.spec),
    *,
    threads: int = 1,
    trial: bool | TrialLimits = True,
) -> LoadedSet:
    """
    Read a policy set and load its policies.

    :param load: loads one of them, with `threads` and `trial`.
    :param trial: bounds the first load of each file; False where `load` tries none.
    :raises ConfigError: the set is wrong, or its policies cannot follow each other.
    :raises ModelError: of a policy's file; the text names the policy.
    """
    policy_set = load_policy_set(path)
    if trial:
        limits = trial if isinstance(trial, TrialLimits) else TrialLimits()
        files = [(member.model, member.spec) for member in policy_set.members.values()]
        try_together(files, threads, limits)
    policies = {name: load(member) for name, member in policy_set.members.items()}
    problems = [
        *_rate_problems(policies),
        *_scan_problems(policies),
        *_wheel_problems(policies),
    ]
    for each in policy_set.transitions:
        problems += _transition_problems(each, policies)
    if problems:
        raise ConfigError('\n  '.join([f'policy set {path}:', *problems]))
    return LoadedSet(policy_set, policies)


def _rate_problems(policies: dict[str, Policy]) -> list[str]:
    rates = {name: policy.contract.control_rate_hz for name, policy in policies.items()}
    if len(set(rates.values())) <= 1:
        return []
    listed = ', '.join(f'{name} {rate or "none"}' for name, rate in rates.items())
    return [f'control rates: found {listed} (Hz), expected one rate for all']


def _wheel_problems(policies: dict[str, Policy]) -> list[str]:
    """A joint is driven in one way for a whole session."""
    wheels = {name: sorted(policy.contract.velocity_joints) for name, policy in policies.items()}
    if all(each == next(iter(wheels.values())) for each in wheels.values()):
        return []
    listed = '; '.join(f'{name}: {", ".join(each) or "none"}' for name, each in wheels.items())
    return [f'velocity targets: found {listed}; expected the same joints in all']


def _scan_problems(policies: dict[str, Policy]) -> list[str]:
    """One topic has one scan: policies that take it take the same points."""
    specs = {name: policy.contract.spec for name, policy in policies.items()}
    scans = {name: spec.scan for name, spec in specs.items() if spec and spec.scan}
    first = next(iter(scans.values()), None)
    other = [name for name, scan in scans.items() if scan != first]
    if not other:
        return []
    return [f'height_scan: found other points in {", ".join(other)}, expected the same in all']


def _transition_problems(each: Transition, policies: dict[str, Policy]) -> list[str]:
    where = f'{each.source} to {each.target}'
    source, target = policies[each.source], policies[each.target]
    problems = []
    joints = set(source.contract.joint_names), set(target.contract.joint_names)
    if each.blend_s and joints[0] != joints[1]:
        other = ', '.join(sorted(joints[0] ^ joints[1]))
        problems.append(f'{where}: blend_s needs the same joints; only one of the two has {other}')
    problems += _pose_problems(each, target)
    waits = each.automatic == MOTION_ENDED or each.conditions.motion_ended
    if waits and source.timeline is None:
        problems.append(f'{where}: waits for the end of a motion; {each.source} has none')
    elif waits and source.timeline is not None and source.timeline.spec.end == STOP:
        problems.append(
            f'{where}: waits for the end of the motion, with which {each.source} stops '
            '(motion.end of its spec): set it to hold'
        )
    return problems


def _pose_problems(each: Transition, target: Policy) -> list[str]:
    """A pose is one of the entered policy's joints that have one."""
    contract, where = target.contract, f'{each.source} to {each.target}: via_pose'
    wheels, names = contract.velocity_joints, contract.joint_names
    return [
        f'{where}: {name} is a wheel of {each.target}, which has no pose'
        if name in wheels
        else f'{where}: {each.target} has no joint {name}{did_you_mean(name, names)}'
        for name in (each.via.pose if each.via else ())
        if name in wheels or name not in names
    ]
