"""Converts the outputs of a policy's network into absolute joint targets: rad, of wheels rad/s."""

from collections.abc import Mapping

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Indices
from kinfer_ros.policy.spec.action import DEFAULT_POSE
from kinfer_ros.policy.spec.action import LAST_TARGET
from kinfer_ros.policy.spec.action import MEASURED
from kinfer_ros.policy.spec.memory import Memory
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.yaml_vectors import Bounds


class JointTargets:
    """
    The targets of one policy.

    :ivar all_joints: rad, of a wheel rad/s, in spec order; joints without an action stay at the
        default pose.
    """

    def __init__(
        self,
        spec: PolicySpec,
        inputs: Mapping[str, Float32],
        memory: Memory,
        outputs: Mapping[str | None, Float32],
    ) -> None:
        """:param outputs: the network's, by the names that the action's groups use."""
        action = spec.action
        pose = np.array(spec.default_pose, np.float32)
        self.all_joints: Float32 = pose.copy()
        self._places = np.array([spec.joints.index(name) for name in action.joints], np.intp)
        self._copies = [
            (np.array([action.joints.index(name) for name in joints], np.intp), outputs[name])
            for name, joints in action.outputs.items()
        ]
        self._scale = np.array(action.scale, np.float32)
        self._offset = np.array(action.offset, np.float32)
        on_pose = _joints_with(action.references, DEFAULT_POSE)
        self._offset[on_pose] += pose[self._places[on_pose]]
        self._on_measured = _joints_with(action.references, MEASURED)
        self._measured = inputs['joint_angles'] if self._on_measured.size else None
        self._on_last = _joints_with(action.references, LAST_TARGET)
        self._last_targets = memory.parts['targets'].start
        self._filtered = np.array([f is not None for f in action.filters], bool)
        self._share = np.array([f.share if f else 1.0 for f in action.filters], np.float32)
        self._from_first = np.array([bool(f and f.from_first) for f in action.filters], bool)
        self._step = memory.parts['step'].start
        self._clip = _arrays(action.clip)
        self._torque_clip = None
        if action.torque_clip is not None:
            self._torque_clip = TorqueClip(spec, inputs, self._places)
        self._target_clip = _arrays(action.target_clip)
        self._action = np.zeros(len(action.joints), np.float32)
        self._target = np.zeros(len(action.joints), np.float32)

    def compute(self, memory: Float32) -> tuple[Float32, Float32]:
        """
        Compute the targets from the outputs of the last run.

        :param memory: before the step.
        :return: the clipped action for the memory, and the targets, rad or rad/s.
        """
        action, target = self._action, self._target
        for places, output in self._copies:
            action[places] = output.reshape(-1)
        if self._clip is not None:
            np.clip(action, *self._clip, out=action)
        np.multiply(action, self._scale, out=target)
        target += self._offset
        if self._measured is not None:
            target[self._on_measured] += self._measured[self._places[self._on_measured]]
        if self._on_last.size:
            target[self._on_last] += memory[self._last_targets + self._on_last]
        if self._filtered.any():
            self._filter(target, memory)
        if self._torque_clip is not None:
            self._torque_clip.apply(target)
        if self._target_clip is not None:
            np.clip(target, *self._target_clip, out=target)
        self.all_joints[self._places] = target
        return action, target

    def _filter(self, target: Float32, memory: Float32) -> None:
        """Move from the last target towards the new one."""
        last = memory[self._last_targets : self._last_targets + target.size]
        moved = last + self._share * (target - last)
        keep = ~self._filtered
        if self._from_first.any() and memory[self._step] == 0.0:
            keep |= self._from_first
        np.copyto(target, moved, where=~keep)


class TorqueClip:
    """Limits targets to those whose torque, kp (target - q) - kd qd, is within the limits."""

    def __init__(self, spec: PolicySpec, inputs: Mapping[str, Float32], places: Indices) -> None:
        """:param places: of the action's joints among those of the spec."""
        assert spec.kp is not None
        assert spec.kd is not None
        limits = np.array(spec.action.torque_clip, np.float64)
        kp, kd = (np.array(gains, np.float64)[places] for gains in (spec.kp, spec.kd))
        kp[np.isinf(limits)] = 1.0
        self._band = (limits / kp).astype(np.float32)
        self._per_speed = (kd / kp).astype(np.float32)
        self._places = places
        self._position = inputs['joint_angles']
        self._velocity = inputs['joint_angular_velocities']

    def apply(self, target: Float32) -> None:
        """Limit the targets of the action's joints, rad, in place."""
        middle = self._position[self._places] + self._per_speed * self._velocity[self._places]
        np.clip(target, middle - self._band, middle + self._band, out=target)


def _joints_with(references: tuple[str, ...], name: str) -> Indices:
    return np.array([at for at, each in enumerate(references) if each == name], np.intp)


def _arrays(bounds: Bounds | None) -> tuple[Float32, Float32] | None:
    if bounds is None:
        return None
    return np.array(bounds[0], np.float32), np.array(bounds[1], np.float32)
