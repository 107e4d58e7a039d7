"""Measure a packed policy in plain MuJoCo, through its ONNX graphs.

    python -m training.evaluate robots/biped/walk.kinfer     (or stand, or crouch)

Nothing of the training is used but the names in interface.py: the robot comes from the MJCF with
the gains from the archive, and the loop is the one a runtime has. Prints tables, and one JSON
object with `--json FILE`; exits with 1 if the robot falls or does not do as it is told.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import onnxruntime

from kinfer_ros.policy.archive import read_archive
from training import interface as io

Command = tuple[float, ...]

STAND: Command = (0.0, 0.0, 0.0)
SETTLE_S = 2.0
STEP_HEIGHT = 0.02  # m; what lifts a foot less is no step
# Half-widths of the uniform noise in the disturbed runs, by input.
NOISE = {
    'joint_angles': 0.015,
    'joint_angular_velocities': 0.75,
    'projected_gravity': 0.03 * io.GRAVITY,
    'gyroscope': 0.15,
}
PUSH_SPEED = 0.3
PUSH_EVERY_S = 3.0
SINGLE_AXIS = (
    [(vx, 0.0, 0.0) for vx in (-0.3, -0.15, 0.15, 0.3, 0.45)]
    + [(0.0, vy, 0.0) for vy in (-0.15, -0.1, 0.1, 0.15)]
    + [(0.0, 0.0, wz) for wz in (-0.5, -0.25, 0.25, 0.5)]
)
CORNERS = list(product(*io.COMMAND_RANGES.values()))
STOPS = [(0.45, 0.0, 0.0), (-0.3, 0.0, 0.0), (0.0, 0.15, 0.0), (0.0, 0.0, 0.5), (0.4, 0.1, 0.3)]
SEEDS = (0, 1, 2)


class Policy:
    """A `.kinfer` file, and the carry between its steps."""

    def __init__(self, path: Path) -> None:
        """Load both graphs, on one thread: a bigger pool only costs time at this size."""
        archive = read_archive(path)
        self.metadata = archive.metadata
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._init = onnxruntime.InferenceSession(archive.init_fn, options)
        self._step = onnxruntime.InferenceSession(archive.step_fn, options)
        self._inputs = [item.name for item in self._step.get_inputs() if item.name != 'carry']
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        (self.carry,) = self._init.run(None, {})

    def step(self, **inputs: np.ndarray) -> np.ndarray:
        """Return the joint targets for one tick, from those inputs that the policy takes."""
        feed = {name: np.asarray(inputs[name], np.float32) for name in self._inputs}
        target: np.ndarray
        target, self.carry = self._step.run(None, {**feed, 'carry': self.carry})
        return target


@dataclass(frozen=True)
class Disturbance:
    """What a run may suffer: all of it, or nothing."""

    delay_s: float = 0.0
    noise: float = 0.0  # factor on NOISE
    push: float = 0.0  # m/s, in a random direction


CALM = Disturbance()
ROUGH = Disturbance(delay_s=io.CONTROL_DT, noise=1.0, push=PUSH_SPEED)


@dataclass
class Trace:
    """What was seen at each tick."""

    position: np.ndarray  # of the base in the world, m
    heading: np.ndarray  # unwrapped, rad
    contact: np.ndarray  # left and right foot on the floor
    foot_height: np.ndarray  # m
    joint_speed: np.ndarray  # rad/s, largest of all joints
    fell: bool

    def after(self, seconds: float) -> slice:
        """Select the ticks after this time."""
        return slice(round(seconds / io.CONTROL_DT), None)

    def velocity(self, skip_s: float = SETTLE_S) -> tuple[float, float, float]:
        """Return mean vx and vy in the heading frame, and mean yaw rate."""
        part = self.after(skip_s)
        moved = np.diff(self.position[part, :2], axis=0) / io.CONTROL_DT
        heading = self.heading[part]
        middle = 0.5 * (heading[1:] + heading[:-1])
        forward = np.cos(middle) * moved[:, 0] + np.sin(middle) * moved[:, 1]
        left = np.cos(middle) * moved[:, 1] - np.sin(middle) * moved[:, 0]
        rate = (heading[-1] - heading[0]) / (len(moved) * io.CONTROL_DT)
        return float(forward.mean()), float(left.mean()), float(rate)

    def steps(self, skip_s: float = SETTLE_S) -> tuple[float, float]:
        """Return steps per second (both feet), and the mean peak height of the steps."""
        part = self.after(skip_s)
        peaks = []
        for height in self.foot_height[part].T:
            pieces = np.split(height, np.flatnonzero(np.diff(height > STEP_HEIGHT)) + 1)
            peaks += [piece.max() for piece in pieces if piece[0] > STEP_HEIGHT]
        seconds = len(self.foot_height[part]) * io.CONTROL_DT
        return len(peaks) / seconds, float(np.mean(peaks)) if peaks else 0.0


class Simulation:
    """The robot in MuJoCo, with the gains that the policy asks for."""

    def __init__(self, policy: Policy) -> None:
        """Load the robot and set its servos up."""
        self.policy = policy
        self.model = mujoco.MjModel.from_xml_path(str(io.ROBOT_XML))
        self.data = mujoco.MjData(self.model)
        meta = policy.metadata
        names = meta['joint_names']
        actuators = [self.model.actuator(name).id for name in names]
        joints = [self.model.joint(name) for name in names]
        self.actuators = np.array(actuators)
        self.qpos_at = np.array([joint.qposadr[0] for joint in joints])
        self.qvel_at = np.array([joint.dofadr[0] for joint in joints])
        limits = np.array(meta['joint_torque_limits'])
        self.model.actuator_gainprm[actuators, 0] = meta['joint_kp']
        self.model.actuator_biasprm[actuators, 1] = -np.array(meta['joint_kp'])
        self.model.actuator_biasprm[actuators, 2] = -np.array(meta['joint_kd'])
        self.model.actuator_forcerange[actuators] = np.stack([-limits, limits], 1)
        self.soles = [self.model.site(f'{side}_sole').id for side in io.SIDES]

    def reset(self) -> None:
        """Stand at home, feet on the floor, with a fresh carry."""
        mujoco.mj_resetDataKeyframe(self.model, self.data, self.model.key('home').id)
        self.data.qpos[self.qpos_at] = self.policy.metadata['joint_biases']
        self.data.ctrl[self.actuators] = self.policy.metadata['joint_biases']
        mujoco.mj_forward(self.model, self.data)
        self.policy.reset()

    def sense(self) -> dict[str, np.ndarray]:
        """Read what the policy takes."""
        return {
            'joint_angles': self.data.qpos[self.qpos_at],
            'joint_angular_velocities': self.data.qvel[self.qvel_at],
            'projected_gravity': self.gravity(self.data.sensor('imu_quat').data),
            'gyroscope': self.data.sensor('imu_gyro').data.copy(),
        }

    @staticmethod
    def gravity(orientation: np.ndarray) -> np.ndarray:
        """Return gravity (m/s^2) in a frame with this orientation in the world (w, x, y, z)."""
        inverse, rotated = np.zeros(4), np.zeros(3)
        mujoco.mju_negQuat(inverse, orientation)
        mujoco.mju_rotVecQuat(rotated, np.array([0.0, 0.0, -io.GRAVITY]), inverse)
        return rotated

    def heading(self) -> float:
        """Return the yaw of the base."""
        w, x, y, z = self.data.qpos[3:7]
        return float(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)))

    def fallen(self) -> bool:
        """Tell whether the base is low or lies."""
        return bool(self.data.qpos[2] < 0.3 or self.data.body('base').xmat[8] < 0.5)

    def tick(self, command: Command, disturbance: Disturbance, rng: np.random.Generator) -> None:
        """Sense, step the policy, and let the robot move for one control period."""
        inputs = self.sense()
        for name, spread in NOISE.items():
            amount = disturbance.noise * spread
            inputs[name] = inputs[name] + rng.uniform(-amount, amount, inputs[name].shape)
        target = self.policy.step(command=np.array(command), **inputs)
        late = round(disturbance.delay_s / io.PHYSICS_DT)
        for substep in range(io.SUBSTEPS):
            if substep == late:
                self.data.ctrl[self.actuators] = target
            mujoco.mj_step(self.model, self.data)
        if late >= io.SUBSTEPS:
            self.data.ctrl[self.actuators] = target

    def run(
        self,
        command: Command,
        seconds: float,
        disturbance: Disturbance = CALM,
        seed: int = 0,
        stop_after: float = math.inf,
    ) -> Trace:
        """Walk from standing, for a time or until a fall; stand again after `stop_after`."""
        rng = np.random.default_rng(seed)
        self.reset()
        rows: list[tuple[Any, ...]] = []
        push_at = PUSH_EVERY_S
        while len(rows) < round(seconds / io.CONTROL_DT) and not self.fallen():
            if disturbance.push and len(rows) * io.CONTROL_DT > push_at:
                push_at += rng.uniform(0.7, 1.3) * PUSH_EVERY_S
                angle = rng.uniform(-np.pi, np.pi)
                self.data.qvel[0] += disturbance.push * np.cos(angle)
                self.data.qvel[1] += disturbance.push * np.sin(angle)
            stopped = len(rows) * io.CONTROL_DT >= stop_after
            self.tick(STAND if stopped else command, disturbance, rng)
            touch = [self.data.sensor(f'{side}_foot_touch').data[0] > 1.0 for side in io.SIDES]
            heights = self.data.site_xpos[self.soles, 2]
            speed = np.abs(self.data.qvel[self.qvel_at]).max()
            rows.append((self.data.qpos[:3].copy(), self.heading(), touch, heights.copy(), speed))
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        position, heading, contact, height, joint_speed = columns
        return Trace(
            position, np.unwrap(heading), contact, height, joint_speed, fell=self.fallen()
        )


@dataclass
class Tracking:
    """How one command was followed."""

    command: Command
    achieved: Command
    steps_per_s: float
    step_height: float
    ok: bool


def tracking(simulation: Simulation, command: Command, seconds: float = 12.0) -> Tracking:
    """Ask for one velocity, undisturbed.

    Every asked axis must reach 0.8 to 1.25 of what was asked, every other one stay still. In the
    corners of the range all three axes are asked at once, and half is enough.
    """
    trace = simulation.run(command, seconds)
    if trace.fell:
        return Tracking(command, (0.0, 0.0, 0.0), 0.0, 0.0, ok=False)
    achieved = trace.velocity()
    low, high = (0.5, 1.5) if all(command) else (0.8, 1.25)
    still = (0.05, 0.05, 0.08)
    ok = all(
        low <= got / asked <= high if asked else abs(got) < slack
        for asked, got, slack in zip(command, achieved, still, strict=True)
    )
    rate, height = trace.steps()
    return Tracking(command, achieved, rate, height, ok)


def standing(simulation: Simulation, seconds: float = 20.0) -> dict[str, Any]:
    """Ask for nothing: the robot must stay where it is, feet down, without a tremor."""
    trace = simulation.run(STAND, seconds)
    drift = float(np.linalg.norm(trace.position[-1, :2] - trace.position[0, :2]))
    part = trace.after(SETTLE_S)
    lifted = float((~trace.contact[part]).mean())
    speed = float(trace.joint_speed[part].max())
    turned = float(abs(trace.heading[-1]))
    return {
        'drift_m': drift, 'turned_rad': turned, 'feet_lifted': lifted,
        'max_joint_speed': speed, 'ok': not trace.fell and drift < 0.1 and lifted == 0.0,
    }  # fmt: skip


def stopping(simulation: Simulation, command: Command) -> dict[str, Any]:
    """Walk, then ask for nothing: two seconds later the robot must stand."""
    walk_s, stop_s, stand_s = 5.0, 2.0, 5.0
    trace = simulation.run(command, walk_s + stop_s + stand_s, stop_after=walk_s)
    if trace.fell:
        return {'command': command, 'drift_m': None, 'feet_lifted': None, 'ok': False}
    part = trace.after(walk_s + stop_s)
    first, *_, last = trace.position[part, :2]
    drift = float(np.linalg.norm(last - first))
    lifted = float((~trace.contact[part]).mean())
    ok = drift < 0.05 and lifted == 0.0
    return {'command': command, 'drift_m': drift, 'feet_lifted': lifted, 'ok': ok}


def straight(simulation: Simulation, speed: float = 0.3, seconds: float = 10.0) -> dict[str, Any]:
    """Walk ahead from standing, and measure how far and how straight."""
    trace = simulation.run((speed, 0.0, 0.0), seconds)
    x, y = trace.position[-1, :2]
    heading = float(trace.heading[-1])
    ok = not trace.fell and x >= 0.8 * speed * seconds and abs(heading) < 0.3
    return {'x_m': float(x), 'y_m': float(y), 'heading_rad': heading, 'ok': bool(ok)}


def endurance(simulation: Simulation, seconds: float = 60.0) -> list[dict[str, Any]]:
    """Walk at every corner of the command range for long, late, noisy and pushed about."""
    results = []
    for command in [STAND, *CORNERS]:
        traces = [simulation.run(command, seconds, ROUGH, seed) for seed in SEEDS]
        falls = sum(trace.fell for trace in traces)
        walked = [trace.velocity() for trace in traces if not trace.fell]
        mean = np.mean(walked, 0).tolist() if walked else [0.0, 0.0, 0.0]
        results.append({'command': command, 'achieved': mean, 'falls': falls, 'ok': not falls})
    return results


def vector(values: Any) -> str:
    """Format a velocity."""
    return ' '.join(f'{value:6.2f}' for value in values)


def evaluate(path: Path, quick: bool = False) -> dict[str, Any]:
    """Run everything, and print as it goes."""
    simulation = Simulation(Policy(path))
    print('standing', standing_result := standing(simulation))
    print('straight', straight_result := straight(simulation))
    stops = [stopping(simulation, command) for command in STOPS]
    print('stopping', *stops, sep='\n  ')
    print(f'\n{"asked vx vy wz":>21} | {"achieved":>20} | steps/s | height |')
    tracked = []
    for command in [*SINGLE_AXIS, *CORNERS]:
        result = tracking(simulation, command)
        tracked.append(asdict(result))
        print(
            f'{vector(command):>21} | {vector(result.achieved)} | {result.steps_per_s:7.1f} | '
            f'{result.step_height:6.3f} | {"ok" if result.ok else "NOT OK"}',
            flush=True,
        )
    rough = []
    if not quick:
        rough = endurance(simulation)
        print(f'\n60 s, {len(SEEDS)} seeds, 20 ms late, noise, pushes')
        for row in rough:
            print(f'{vector(row["command"])} | {vector(row["achieved"])} | falls {row["falls"]}')
    parts = [standing_result, straight_result, *stops, *tracked, *rough]
    return {
        'standing': standing_result, 'straight': straight_result, 'stopping': stops,
        'tracking': tracked, 'endurance': rough, 'ok': all(part['ok'] for part in parts),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Evaluate one archive."""
    parser = argparse.ArgumentParser(prog='python -m training.evaluate', description=__doc__)
    parser.add_argument('archive', type=Path)
    parser.add_argument('--json', type=Path, help='write the numbers here')
    parser.add_argument('--quick', action='store_true', help='leave out the long rough runs')
    arguments = parser.parse_args(argv)
    if read_archive(arguments.archive).metadata['command_names']:
        report = evaluate(arguments.archive, arguments.quick)
    else:  # imported here, because it needs this module
        from training import evaluate_posture

        report = evaluate_posture.evaluate(arguments.archive, arguments.quick)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + '\n')
    print('ok' if report['ok'] else 'NOT OK')
    return 0 if report['ok'] else 1


if __name__ == '__main__':
    sys.exit(main())
