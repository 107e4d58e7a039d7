"""kinfer's own loop, in its own environment: `kinfer_run.py loop|step MODEL HZ|- SECONDS|STEPS`.

`loop` prints when each step asked for its inputs, ns, of `run` at a rate. `step` prints how long
each `step_and_take_action` took, ns, and which ONNX Runtime was loaded (ORT_DYLIB_PATH names
another than the wheel's). Its provider is in Python, as it is for whoever uses kinfer from Python.
"""

from __future__ import annotations

import datetime
import json
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
from kinfer.rust_bindings import ModelProviderABC
from kinfer.rust_bindings import PyModelRunner


class Provider(ModelProviderABC):
    """Hands out the same numbers each time, and notes when it was asked."""

    def __new__(cls, *_: object) -> Provider:
        """Kinfer's base class, made in Rust, takes no arguments."""
        return super().__new__(cls)

    def __init__(self, joints: int, commands: int) -> None:
        self.ticks: list[int] = []
        self.values = {
            'joint_angles': np.full(joints, 0.1, np.float32),
            'joint_angular_velocities': np.zeros(joints, np.float32),
            'projected_gravity': np.array([0.0, 0.0, -9.81], np.float32),
            'accelerometer': np.array([0.0, 0.0, 9.81], np.float32),
            'gyroscope': np.zeros(3, np.float32),
            'command': np.zeros(commands, np.float32),
            'time': np.zeros(1, np.float32),
        }

    def pre_fetch_inputs(self, input_types: list[str], metadata: object) -> None:
        """Nothing to fetch ahead."""

    def get_inputs(self, input_types: list[str], metadata: object) -> dict[str, np.ndarray]:
        """:return: what the model asks for."""
        self.ticks.append(time.monotonic_ns())
        return {name: self.values[name] for name in input_types if name != 'carry'}

    def take_action(self, action: np.ndarray, metadata: object) -> None:
        """Nothing to move."""


def loaded_runtime() -> str:
    """:return: the version of the ONNX Runtime that is loaded, which stands in its file's name."""
    maps = Path('/proc/self/maps').read_text().splitlines()
    names = [line.split()[-1] for line in maps if 'libonnxruntime.so' in line]
    return names[0].partition('.so.')[2] if names else 'unknown'


def main() -> None:
    """Measure one of the two."""
    what, model, rate, count = sys.argv[1:5]
    with tarfile.open(model) as tar:
        entry = tar.extractfile('metadata.json')
        assert entry is not None
        metadata = json.load(entry)
    provider = Provider(len(metadata['joint_names']), len(metadata['command_names']))
    runner = PyModelRunner(model, provider, None)
    if what == 'loop':
        steps = int(float(rate) * float(count))
        runner.run(datetime.timedelta(seconds=1.0 / float(rate)), total_steps=steps)
        print(json.dumps({'ticks_ns': provider.ticks}))
        return
    times = np.empty(int(count), np.int64)
    for index in range(len(times)):
        begin = time.perf_counter_ns()
        runner.step_and_take_action()
        times[index] = time.perf_counter_ns() - begin
    print(json.dumps({'step_ns': times.tolist(), 'onnxruntime': loaded_runtime()}))


if __name__ == '__main__':
    main()
