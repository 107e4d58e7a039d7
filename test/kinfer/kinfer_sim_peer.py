"""Runs a `.kinfer` file in kinfer-sim, and keeps what its simulator, provider and policy gave.

Not a test: test_kinfer_sim_peer.py starts it with the interpreter of kinfer-sim's virtual
environment, as `kinfer_sim_peer.py OUT.npz STEPS [--fixed-model] FLAGS...`, with the flags of
kinfer-sim itself. It is the loop of `SimulationServer._simulation_loop`, without window and real
time, but for the first carry: that of init_fn, as `PyModelRunner.run` takes it. kinfer-sim calls
`step_and_take_action`, whose first carry is memory that nobody has set. `--fixed-model`: the base
of the model has no joint, which its command line cannot say.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import queue
import sys

import numpy as np
import typed_argparse as tap
from kinfer.rust_bindings import PyModelRunner
from kinfer_sim import server
from kinfer_sim import simulator
from kinfer_sim.provider import ModelProvider
from kinfer_sim.server import ServerConfig
from kinfer_sim.server import SimulationServer

TYPES = (
    'joint_angles', 'joint_angular_velocities', 'projected_gravity', 'accelerometer', 'gyroscope',
    'command', 'time',
)  # fmt: skip


class Keys:
    """In place of its keyboard listener, which needs a display."""

    def get_queue(self):
        """:return: a queue without keys."""
        return queue.Queue()


class Commands:
    """In place of its keyboard: a command that changes each time."""

    def __init__(self):
        self.asked = 0

    def get_cmd(self, names):
        """:return: a value for each entry."""
        self.asked += 1
        return [0.01 * self.asked + index for index in range(len(names))]


class Watched(ModelProvider):
    """Kinfer-sim's provider; keeps the sensors, the inputs and the actions of each step."""

    def get_inputs(self, input_types, metadata):
        """:return: kinfer-sim's; the other kinds of input are kept as well."""
        found = super().get_inputs(input_types, metadata)
        others = [name for name in TYPES if name not in found]
        everything = found | super().get_inputs(others, metadata)
        row = {name: np.array(value, np.float64) for name, value in everything.items()}
        data = self.simulator._data
        joints = list(reversed(metadata.joint_names))  # not in the policy's order
        row['position'] = np.array([data.joint(name).qpos[0] for name in joints])
        row['velocity'] = np.array([data.joint(name).qvel[0] for name in joints])
        sensors = ('imu_quat', self.quat_name), ('imu_gyro', self.gyro_name)
        for key, name in (*sensors, ('imu_accel', self.acc_name)):
            row[key] = np.array(data.sensor(name).data)
        self.rows.append(row)
        return found

    def take_action(self, action, metadata):
        """Keep a copy, then as ever, and then the physics of one control period."""
        self.rows[-1]['actions'] = np.array(action, np.float32)
        super().take_action(action, metadata)
        asyncio.run(self.step_physics())

    async def step_physics(self):
        """Its loop, between two steps of the policy."""
        for _ in range(self.simulator.sim_decimation):
            await self.simulator.step()


def simulate(config):
    """:return: its simulator, without a window."""
    simulator.get_viewer = lambda **_: None
    folder = server.Path(config.local_model_dir)
    metadata = server.load_local_model_metadata(folder)
    return SimulationServer(server.find_mjcf(folder), metadata, config, None, Keys()).simulator


def keep(out, steps, config):
    """Run, and save an array of each thing that was kept."""
    simulated = simulate(config)
    provider = Watched(simulated, Commands(), config.quat_name, config.acc_name, config.gyro_name)
    provider.rows = []
    runner = PyModelRunner(config.kinfer_path, provider, None)
    runner.run(datetime.timedelta(milliseconds=1), total_steps=steps)
    np.savez(
        out, **{key: np.stack([row[key] for row in provider.rows]) for key in provider.rows[0]}
    )


def main(out, steps, *flags):
    """Run as many steps as asked for."""
    if flags[0] == '--fixed-model':
        flags = flags[1:]
        server.MujocoSimulator = functools.partial(server.MujocoSimulator, freejoint=False)

    def work(config: ServerConfig):
        keep(out, int(steps), config)

    tap.Parser(ServerConfig).bind(work).run([*flags])


if __name__ == '__main__':
    main(*sys.argv[1:])
